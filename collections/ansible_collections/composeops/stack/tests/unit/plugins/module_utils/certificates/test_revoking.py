# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.certificates import lineage, revoking
from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import Authority, Lineage
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import CommandRunner
from ansible_collections.composeops.stack.tests.unit.support import letsencrypt
from ansible_collections.composeops.stack.tests.unit.support.recorded import RecordedRunner


@pytest.fixture
def kept(tmp_path: Path) -> Lineage:
    letsencrypt.issue(tmp_path, "a.test")
    found = lineage.read_lineage(CommandRunner(), "a.test", str(tmp_path))
    assert found
    return found


def test_the_old_certificate_is_revoked_with_its_own_key(kept: Lineage) -> None:
    fingerprints = []

    def revoke(argv: Sequence[str]) -> tuple[int, str, str]:
        described = subprocess.run(
            ["openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in", argv[argv.index("--cert-path") + 1]],
            check=True,
            capture_output=True,
            text=True,
        )
        fingerprints.append(described.stdout.strip().partition("=")[2].replace(":", "").lower())
        assert Path(argv[argv.index("--key-path") + 1]).stat().st_mode & 0o777 == 0o600
        return 0, "", ""

    runner = RecordedRunner(revoke)
    revoking.revoke(runner, "a.test", kept, Authority("https://declared.test/dir"), "keycompromise")
    assert fingerprints == [kept.certificate.fingerprint]
    command = runner.calls[0]
    assert command[command.index("--server") + 1] == "https://acme.test/dir"
    assert command[-2:] == ["--reason", "keycompromise"]
    assert "--no-delete-after-revoke" in command
    assert not Path(command[command.index("--key-path") + 1]).exists()


def test_a_revocation_that_fails_says_what_can_be_tried_again(kept: Lineage) -> None:
    runner = RecordedRunner(lambda argv: (1, "", "An unexpected error occurred:\nalready revoked\n"))
    with pytest.raises(ComposeOpsError, match=r"did not revoke .*already revoked.*certbot revoke --cert-path"):
        revoking.revoke(runner, "a.test", kept, Authority(), "unspecified")
