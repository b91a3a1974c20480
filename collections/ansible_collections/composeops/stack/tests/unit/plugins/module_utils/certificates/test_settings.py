# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.certificates import settings
from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import Hsts, WantedCertificate
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError

WANTED = (WantedCertificate("a.test", ("a.test", "b.test"), Hsts.NEVER), WantedCertificate("c.test", ("c.test",)))


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "certificates.json"
    path.write_text(settings.serialise(WANTED))
    assert settings.read(str(path)) == WANTED


def test_nothing_is_declared_before_the_first_run(tmp_path: Path) -> None:
    assert settings.read(str(tmp_path / "certificates.json")) == ()


@pytest.mark.parametrize("text", ["{", "[]", '{"sites": [{"site": "a"}]}', '{"sites": [1]}'])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "certificates.json"
    path.write_text(text)
    with pytest.raises(ComposeOpsError, match=r"certificates\.json cannot be read"):
        settings.read(str(path))
