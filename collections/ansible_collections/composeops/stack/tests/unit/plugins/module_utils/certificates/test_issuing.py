# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.certificates import attempts, challenge, issuing
from ansible_collections.composeops.stack.plugins.module_utils.certificates.certbot import Refused
from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import (
    LETS_ENCRYPT_STAGING,
    Authority,
    WantedCertificate,
)
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.tests.unit.support import letsencrypt
from ansible_collections.composeops.stack.tests.unit.support.recorded import RecordedRunner

NOW = datetime(2026, 11, 22, tzinfo=timezone.utc)
AUTHORITY = Authority("https://acme.test/dir")
WANTED = WantedCertificate("a.test", ("a.test",))
REFUSED = RecordedRunner(lambda argv: (1, "", "An unexpected error occurred:\nno\n"))


def issue(
    runner: RecordedRunner,
    memory: Path,
    wanted: WantedCertificate = WANTED,
    authority: Authority = AUTHORITY,
    *,
    try_challenges: bool = False,
    replace: bool = False,
) -> list[str]:
    return issuing.issue(
        runner,
        wanted,
        authority,
        "/w",
        NOW,
        replace=replace,
        try_challenges=try_challenges,
        memory=str(memory),
        certbot_directory=str(memory / "letsencrypt"),
    )


def test_a_failure_is_remembered_and_a_success_forgets_it(tmp_path: Path) -> None:
    for failures in (1, 2):
        with pytest.raises(Refused):
            issue(REFUSED, tmp_path)
        memory = attempts.read("a.test", str(tmp_path))
        assert (memory.failures, memory.waiting(NOW)) == (failures, True)
    # Someone who runs the playbook is not kept from asking.
    issue(RecordedRunner(), tmp_path)
    assert attempts.read("a.test", str(tmp_path)).failures == 0


def test_what_failed_before_is_rehearsed_where_the_limits_are_others(tmp_path: Path) -> None:
    with pytest.raises(Refused):
        issue(REFUSED, tmp_path, authority=Authority())
    runner = RecordedRunner()
    issue(runner, tmp_path, authority=Authority())
    assert [("--dry-run" in call, LETS_ENCRYPT_STAGING in call) for call in runner.calls] == [
        (True, True),
        (False, False),
    ]


def test_a_rehearsal_that_fails_spares_the_real_one(tmp_path: Path) -> None:
    attempts.write("a.test", attempts.failed(attempts.Attempts(), "no", NOW - timedelta(days=1)), str(tmp_path))
    runner = RecordedRunner(REFUSED.answer)
    with pytest.raises(Refused, match="acme-staging-v02"):
        issue(runner, tmp_path, authority=Authority())
    assert len(runner.calls) == 1
    assert attempts.read("a.test", str(tmp_path)).failures == 2


def test_challenges_over_http_are_tried_first_and_what_fails_here_was_no_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(wanted: WantedCertificate, webroot: str) -> None:
        raise ComposeOpsError("unreachable")

    monkeypatch.setattr(challenge, "check", unreachable)
    runner = RecordedRunner()
    with pytest.raises(ComposeOpsError, match="unreachable"):
        issue(runner, tmp_path, try_challenges=True)
    assert (runner.calls, attempts.read("a.test", str(tmp_path)).failures) == ([], 0)
    over_dns = WantedCertificate("a.test", ("a.test", "*.a.test"), over_dns=True)
    issue(runner, tmp_path, over_dns, Authority(dns_plugin="rfc2136"), try_challenges=True)
    assert len(runner.calls) == 1


def test_what_certbot_began_and_did_not_finish_is_put_aside_and_not_replaced(tmp_path: Path) -> None:
    letsencrypt.issue(tmp_path / "letsencrypt", "a.test")
    (tmp_path / "letsencrypt/renewal/a.test.conf").write_text("")
    runner = RecordedRunner()
    assert "what certbot had begun and not finished is in" in issue(runner, tmp_path, replace=True)[0]
    assert "--force-renewal" not in runner.calls[0]
    letsencrypt.issue(tmp_path / "letsencrypt", "a.test")
    assert issue(runner, tmp_path, replace=True) == []
    assert "--force-renewal" in runner.calls[1]


def test_a_certbot_that_runs_already_is_no_failure_of_the_authority(tmp_path: Path) -> None:
    runner = RecordedRunner(lambda argv: (1, "", "Another instance of Certbot is already running.\n"))
    with pytest.raises(ComposeOpsError, match="Another certbot runs on this host"):
        issue(runner, tmp_path)
    assert attempts.read("a.test", str(tmp_path)).failures == 0
