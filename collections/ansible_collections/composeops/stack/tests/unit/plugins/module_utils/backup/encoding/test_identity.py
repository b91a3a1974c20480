# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup.encoding import identity
from ansible_collections.composeops.stack.plugins.module_utils.backup.encoding.identity import Identity
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import DEFAULT_TIMEOUT, NOT_FOUND, Completed

TEXT = "# created: 2026-01-31T02:30:00Z\n# public key: age1own\nAGE-SECRET-KEY-1HUSH\n"


class Keygen:
    """Plays age-keygen."""

    def __init__(self, status: int = 0, public: str = "age1own\n") -> None:
        self.status = status
        self.public = public

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str | None = None,
        environment: Mapping[str, str] | None = None,
        directory: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        check: bool = True,
    ) -> Completed:
        assert not any("SECRET" in word for word in argv)
        said = TEXT if list(argv) == ["age-keygen"] else self.public
        return Completed(tuple(argv), self.status, "" if self.status else said, f"malformed {stdin}")


def test_a_new_key_has_both_halves_and_shows_one() -> None:
    made = identity.generate(Keygen())
    assert made == Identity("age1own", TEXT)
    assert "HUSH" not in repr(made)


def test_the_key_of_the_newest_backup_alone_is_kept(tmp_path: Path) -> None:
    directory = str(tmp_path)
    identity.remember("database", "first", Identity("age1a", "one"), directory)
    identity.remember("database", "second", Identity("age1b", "two"), directory)
    assert identity.remembered("database", "second", directory) == "two"
    assert identity.remembered("database", "first", directory) is None
    assert identity.remembered("redis", "second", directory) is None
    assert os.stat(tmp_path / "database.identity").st_mode & 0o777 == 0o600


def test_a_kept_key_that_is_damaged_is_named_and_not_shown(tmp_path: Path) -> None:
    (tmp_path / "database.identity").write_text(json.dumps(["AGE-SECRET-KEY-1HUSH"]))
    with pytest.raises(ComposeOpsError, match=r"database.identity is no kept key") as raised:
        identity.remembered("database", "first", str(tmp_path))
    assert "HUSH" not in str(raised.value)


@pytest.mark.parametrize(
    ("given", "keygen", "message"),
    [
        pytest.param(None, Keygen(), r"is encrypted to age1a, age1b, and this host keeps", id="none"),
        pytest.param(TEXT, Keygen(), r"identity of age1own does not open .* encrypted to age1a, age1b", id="another"),
        pytest.param("rubbish HUSH", Keygen(1), r"no identity file of age", id="no identity"),
        pytest.param(TEXT, Keygen(NOT_FOUND), r"age is not installed", id="no age"),
    ],
)
def test_a_key_that_does_not_fit_is_told_before_anything_is_fetched(
    given: str | None, keygen: Keygen, message: str
) -> None:
    with pytest.raises(ComposeOpsError, match=message) as raised:
        identity.require_fit(given, ("age1a", "age1b"), "x", keygen)
    assert "HUSH" not in str(raised.value)


def test_a_key_of_any_recipient_fits() -> None:
    identity.require_fit(TEXT, ("age1a", "age1own"), "x", Keygen(public="age1other\nage1own\n"))


def test_a_person_names_a_file_or_the_input_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "key"
    file.write_text(TEXT)
    monkeypatch.setattr("sys.stdin", io.StringIO("from the input"))
    assert (identity.given(str(file)), identity.given("-"), identity.given(None)) == (TEXT, "from the input", "")
    with pytest.raises(ComposeOpsError, match="no identity file"):
        identity.given(str(tmp_path / "other"))
