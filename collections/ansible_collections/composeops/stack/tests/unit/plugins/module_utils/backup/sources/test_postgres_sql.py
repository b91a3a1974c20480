# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import postgres_sql as sql

ORIGIN: dict[str, Any] = {
    "owner": "petuser",
    "encoding": "UTF8",
    "collate": "C.UTF-8",
    "ctype": "C.UTF-8",
    "locale_provider": "c",
    "icu_locale": None,
    "connection_limit": -1,
    "privileges": None,
    "settings": None,
}


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("plain", "'plain'"),
        ("it's", "'it''s'"),
        ("a\\b", "E'a\\\\b'"),
        ("'; DROP DATABASE x; --", "'''; DROP DATABASE x; --'"),
        ("\\'; --", "E'\\\\''; --'"),
    ],
)
def test_literals_injection_gets_quoted(value: str, quoted: str) -> None:
    assert sql.literal(value) == quoted


def test_identifiers_injection_gets_quoted() -> None:
    assert sql.identifier('a"; DROP DATABASE x; --') == '"a""; DROP DATABASE x; --"'


def test_a_new_database_is_like_the_one_that_was_backed_up() -> None:
    assert sql.create_database("pet_restoring", ORIGIN) == (
        'CREATE DATABASE "pet_restoring" TEMPLATE template0 OWNER "petuser" ENCODING \'UTF8\' '
        "LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8';\n"
    )


def test_an_icu_database_stays_one() -> None:
    statement = sql.create_database("x", {**ORIGIN, "locale_provider": "i", "icu_locale": "de-DE"})
    assert statement.endswith("LOCALE_PROVIDER icu ICU_LOCALE 'de-DE';\n")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("pet_system", "pet_system_before_20260131T023000Z"),
        ("d" * 63, "d" * 39 + "_before_20260131T023000Z"),
        ("ü" * 31, "ü" * 19 + "_before_20260131T023000Z"),
    ],
    ids=["short", "as long as can be", "of more bytes than letters"],
)
def test_the_name_for_what_is_kept_fits(name: str, expected: str) -> None:
    assert sql.aside_name(name, "20260131T023000Z") == expected
    assert len(expected.encode()) <= 63


def test_a_swap_is_one_transaction_that_renames_the_old_first() -> None:
    statements = sql.swap("pet", "pet_restoring", "pet_before_x", ORIGIN).splitlines()
    assert statements[1:] == [
        "BEGIN;",
        'ALTER DATABASE "pet" RENAME TO "pet_before_x";',
        'ALTER DATABASE "pet_restoring" RENAME TO "pet";',
        "COMMIT;",
    ]


def test_a_swap_where_the_database_is_gone_only_renames_the_new() -> None:
    statements = sql.swap("pet", "pet_restoring", None, ORIGIN).splitlines()
    assert statements[1:] == ["BEGIN;", 'ALTER DATABASE "pet_restoring" RENAME TO "pet";', "COMMIT;"]


def test_a_swap_takes_over_what_a_dump_of_one_database_does_not_carry() -> None:
    origin = {
        **ORIGIN,
        "connection_limit": 50,
        "settings": [
            {"role": None, "name": "search_path", "value": '"$user", public'},
            {"role": "reader", "name": "app.mode", "value": "it's"},
        ],
        "privileges": [
            {"grantee": None, "privilege": "TEMPORARY", "grantable": False},
            {"grantee": "reader", "privilege": "CONNECT", "grantable": True},
        ],
    }
    statements = sql.swap("pet", "new", None, origin).splitlines()
    assert statements[3:-1] == [
        'ALTER DATABASE "pet" CONNECTION LIMIT 50;',
        "SELECT set_config('search_path', '\"$user\", public', true);",
        'ALTER DATABASE "pet" SET "search_path" FROM CURRENT;',
        "SELECT set_config('app.mode', 'it''s', true);",
        'ALTER ROLE "reader" IN DATABASE "pet" SET "app"."mode" FROM CURRENT;',
        'REVOKE ALL ON DATABASE "pet" FROM PUBLIC;',
        'REVOKE ALL ON DATABASE "pet" FROM "petuser";',
        'GRANT TEMPORARY ON DATABASE "pet" TO PUBLIC;',
        'GRANT CONNECT ON DATABASE "pet" TO "reader" WITH GRANT OPTION;',
    ]


GLOBALS = '''\
--
-- Roles
--

CREATE ROLE grp;
ALTER ROLE grp WITH NOSUPERUSER INHERIT NOCREATEROLE NOCREATEDB NOLOGIN NOREPLICATION NOBYPASSRLS;
CREATE ROLE petuser;
ALTER ROLE petuser WITH SUPERUSER LOGIN PASSWORD 'SCRAM-SHA-256$4096:old';
CREATE ROLE "Odd ""name""";
ALTER ROLE "Odd ""name""" WITH LOGIN PASSWORD 'SCRAM-SHA-256$4096:odd';
ALTER ROLE petuser SET search_path TO 'x';

--
-- Role memberships
--

GRANT grp TO petuser GRANTED BY petuser;
GRANT pg_monitor TO petuser GRANTED BY petuser;
CREATE TABLESPACE fast OWNER petuser LOCATION '/fast';
'''


def test_only_roles_that_are_missing_are_made() -> None:
    assert sql.missing_roles(GLOBALS, ["petuser", "pg_monitor"]).splitlines() == [
        "CREATE ROLE grp;",
        "ALTER ROLE grp WITH NOSUPERUSER INHERIT NOCREATEROLE NOCREATEDB NOLOGIN NOREPLICATION NOBYPASSRLS;",
        'CREATE ROLE "Odd ""name""";',
        'ALTER ROLE "Odd ""name""" WITH LOGIN PASSWORD \'SCRAM-SHA-256$4096:odd\';',
        "GRANT grp TO petuser;",
    ]


def test_a_server_with_all_roles_keeps_them_as_they_are() -> None:
    assert sql.missing_roles(GLOBALS, ["petuser", "grp", 'Odd "name"', "pg_monitor"]) == ""


def test_sessions_are_ended_by_the_exact_name() -> None:
    statement = sql.end_sessions_named("composeops-backup-it's")
    assert "application_name = 'composeops-backup-it''s'" in statement
    assert "pid <> pg_backend_pid()" in statement
