# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from ansible_collections.composeops.stack.plugins.module_utils.release.diff import differences
from ansible_collections.composeops.stack.plugins.module_utils.release.model import StackFile
from ansible_collections.composeops.stack.plugins.module_utils.release.project import ProjectFiles

OLD = ProjectFiles(
    '{"a": 1}\n',
    'DB_NAME="shop"\nDB_PASSWORD="old secret value"\nJWT="same secret value"\n',
    (StackFile("files/a.conf", b"one\n"),),
)
NAMES = ["DB_PASSWORD", "JWT"]
VALUES = ["new secret value", "same secret value"]


def test_nothing_where_nothing_changes() -> None:
    assert differences(OLD, OLD, NAMES, VALUES) == []


def test_only_what_changes() -> None:
    new = ProjectFiles('{"a": 2}\n', OLD.environment, OLD.files)
    assert differences(OLD, new, NAMES, VALUES) == [
        {
            "before_header": "compose.json",
            "after_header": "compose.json",
            "before": '{"a": 1}\n',
            "after": '{"a": 2}\n',
        }
    ]


def test_a_changed_secret_is_seen_and_not_shown() -> None:
    new = ProjectFiles(OLD.compose, OLD.environment.replace("old", "new"), OLD.files)
    (entry,) = differences(OLD, new, NAMES, VALUES)
    assert entry["before"] == 'DB_NAME="shop"\nDB_PASSWORD=(sensitive)\nJWT=(sensitive)\n'
    assert entry["after"] == 'DB_NAME="shop"\nDB_PASSWORD=(sensitive, changed)\nJWT=(sensitive)\n'


def test_a_secret_in_a_file_is_masked() -> None:
    new = ProjectFiles(OLD.compose, OLD.environment, (StackFile("files/a.conf", b"password new secret value\n"),))
    (entry,) = differences(OLD, new, NAMES, VALUES)
    assert entry["after"] == "password (sensitive)\n"


def test_a_first_deployment_shows_every_file() -> None:
    entries = differences(None, OLD, NAMES, VALUES)
    assert [entry["after_header"] for entry in entries] == ["compose.json", "environment", "files/a.conf"]
    assert {entry["before"] for entry in entries} == {""}


def test_a_removed_file_has_no_after() -> None:
    (entry,) = differences(OLD, ProjectFiles(OLD.compose, OLD.environment), NAMES, VALUES)
    assert (entry["before"], entry["after"]) == ("one\n", "")


def test_a_binary_file_is_named_only() -> None:
    new = ProjectFiles(OLD.compose, OLD.environment, (StackFile("files/a.conf", b"\xff\xfe\x00"),))
    (entry,) = differences(OLD, new, NAMES, VALUES)
    assert entry["after"] == "(binary, 3 bytes)\n"


def test_a_password_that_is_spelled_out_is_not_shown() -> None:
    compose = '{"services": {"a": {"environment": {"JWT_SECRET": "spelled out value", "LEVEL": "debug"}}}}\n'
    files = (StackFile(".env", b"JWT_SECRET=spelled out value\nSMTP_PASS='another one'\nLEVEL=debug\n"),)
    shown = {
        entry["after_header"]: entry["after"] for entry in differences(None, ProjectFiles(compose, "", files), (), ())
    }
    assert shown["compose.json"] == compose.replace("spelled out value", "(sensitive)")
    assert shown[".env"] == "JWT_SECRET=(sensitive)\nSMTP_PASS='(sensitive)'\nLEVEL=debug\n"


def test_a_file_that_somebody_broke_is_shown_as_it_is() -> None:
    (entry,) = differences(ProjectFiles("{", OLD.environment, OLD.files), OLD, NAMES, VALUES)
    assert (entry["before"], entry["after"]) == ("{", '{"a": 1}\n')
