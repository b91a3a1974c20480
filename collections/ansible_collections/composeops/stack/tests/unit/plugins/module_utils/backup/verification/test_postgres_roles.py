# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup.damage import Damaged
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification import postgres_roles as roles
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification.postgres_roles import Role

SALT = base64.b64encode(b"0123456789abcdef").decode()


def verifier(password: str) -> str:
    """Return what PostgreSQL keeps of a password."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(SALT), 4096)
    client = hmac.digest(salted, b"Client Key", "sha256")
    stored = base64.b64encode(hashlib.sha256(client).digest()).decode()
    server = base64.b64encode(hmac.digest(salted, b"Server Key", "sha256")).decode()
    return f"SCRAM-SHA-256$4096:{SALT}${stored}:{server}"


DUMP = "\n".join(
    [
        *("--", "-- Roles", "--", "CREATE ROLE app;"),
        f"ALTER ROLE app WITH SUPERUSER INHERIT LOGIN REPLICATION PASSWORD '{verifier('s3cret')}';",
        'CREATE ROLE "odd ""name""";',
        'ALTER ROLE "odd ""name""" WITH NOSUPERUSER INHERIT NOLOGIN;',
        "CREATE ROLE quoted;",
        "ALTER ROLE quoted WITH LOGIN PASSWORD 'it''s' VALID UNTIL 'infinity';",
        "ALTER ROLE quoted SET search_path TO 'a', 'b';",
        "GRANT app TO quoted GRANTED BY app;",
    ]
)


def test_roles_and_what_the_server_keeps_of_their_passwords_are_read() -> None:
    assert roles.parse(DUMP) == {"app": Role(verifier("s3cret")), 'odd "name"': Role(None), "quoted": Role("it's")}
    assert "SCRAM" not in repr(roles.parse(DUMP))


def test_the_roles_of_the_backup_are_well() -> None:
    roles.check({"app": Role("x"), "reader": Role(None)}, {"app": "x", "reader": None})


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({"app": "x"}, "missing: reader"),
        ({"app": "x", "reader": None, "stranger": None}, "not in it: stranger"),
        ({"app": "y", "reader": None}, "of another password: app"),
        ({"app": None, "reader": "hidden"}, "of another password: app, reader"),
    ],
    ids=["missing", "stranger", "other password", "no password, and one too many"],
)
def test_other_roles_are_damage_and_no_verifier_is_said(found: dict[str, str | None], message: str) -> None:
    with pytest.raises(Damaged, match=message) as raised:
        roles.check({"app": Role("x"), "reader": Role(None)}, found)
    assert "hidden" not in str(raised.value)


@pytest.mark.parametrize(
    ("kept", "password", "expected"),
    [
        (verifier("s3cret"), "s3cret", True),
        (verifier("s3cret"), "rotated", False),
        (verifier("s3cret"), "sécret", None),
        ("md5" + "0" * 32, "s3cret", None),
        ("SCRAM-SHA-256$4096:a$b:c", "s3cret", None),
    ],
    ids=["the same", "another", "not ASCII", "md5", "not base64"],
)
def test_whether_a_password_is_the_one_of_the_backup(kept: str, password: str, expected: bool | None) -> None:
    assert roles.fits(kept, password) is expected
