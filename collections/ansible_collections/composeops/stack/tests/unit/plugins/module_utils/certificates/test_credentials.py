# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import stat
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.certificates import credentials
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput


def wanted(directory: Path, **changes: str) -> dict[str, bytes]:
    options = {"dns_plugin": "rfc2136", "dns_credentials": "a = b\n", "eab_kid": "customer-1", "eab_hmac_key": "a2V5"}
    return credentials.wanted_files(**{**options, **changes}, directory=str(directory))


def test_each_secret_is_in_a_file_that_only_root_reads(tmp_path: Path) -> None:
    directory = tmp_path / "acme"
    files = wanted(directory)
    assert credentials.to_write(files) == [str(directory / "dns-rfc2136"), str(directory / "account.ini")]
    credentials.write(files)
    assert (directory / "dns-rfc2136").read_text() == "a = b\n"
    assert (directory / "account.ini").read_text() == "eab-kid = customer-1\neab-hmac-key = a2V5\n"
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert credentials.to_write(files) == []


def test_what_nothing_needs_any_more_is_removed_and_files_of_others_stay(tmp_path: Path) -> None:
    credentials.write(wanted(tmp_path))
    (tmp_path / "theirs").write_text("")
    files = wanted(tmp_path, dns_plugin="cloudflare", eab_kid="")
    obsolete = credentials.to_remove(files, str(tmp_path))
    assert obsolete == [str(tmp_path / "account.ini"), str(tmp_path / "dns-rfc2136")]
    credentials.write(files)
    credentials.remove(obsolete)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dns-cloudflare", "theirs"]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [({"eab_kid": '"x"'}, "eab_kid holds"), ({"eab_hmac_key": "a b"}, "eab_hmac_key is not in base64url")],
)
def test_keys_that_would_change_the_meaning_of_the_file_are_refused(
    tmp_path: Path, options: dict[str, str], complaint: str
) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        wanted(tmp_path, **options)
