# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.certificates import settings
from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import (
    Authority,
    Hsts,
    Provided,
    WantedCertificate,
)
from ansible_collections.composeops.stack.plugins.module_utils.certificates.settings import Settings
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError

WANTED = (
    WantedCertificate("a.test", ("a.test", "b.test"), Hsts.NEVER),
    WantedCertificate("c.test", ("c.test", "*.c.test"), over_dns=True),
    WantedCertificate("d.test", ("d.test",), provided=Provided("/etc/d.pem", "/etc/d.key")),
)
AUTHORITY = Authority("https://acme.test/dir", "rsa", bound=True, dns_plugin="rfc2136", profile="shortlived")


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "certificates.json"
    path.write_text(settings.serialise(WANTED, AUTHORITY))
    assert settings.read(str(path)) == Settings(WANTED, AUTHORITY)


def test_nothing_is_declared_before_the_first_run(tmp_path: Path) -> None:
    assert settings.read(str(tmp_path / "certificates.json")) == Settings()


def test_a_file_of_an_older_version_is_understood(tmp_path: Path) -> None:
    path = tmp_path / "certificates.json"
    path.write_text('{"sites": [{"site": "a.test", "names": ["a.test"], "hsts": "auto"}]}')
    assert settings.read(str(path)) == Settings((WantedCertificate("a.test", ("a.test",)),))


@pytest.mark.parametrize("text", ["{", "[]", '{"sites": [{"site": "a"}]}', '{"sites": [1]}'])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "certificates.json"
    path.write_text(text)
    with pytest.raises(ComposeOpsError, match=r"certificates\.json cannot be read"):
        settings.read(str(path))
