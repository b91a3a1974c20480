# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.certificates import account, ari, attempts
from ansible_collections.composeops.stack.plugins.module_utils.certificates.ari import Answer, Window
from ansible_collections.composeops.stack.plugins.module_utils.certificates.attempts import Attempts
from ansible_collections.composeops.stack.plugins.module_utils.certificates.certbot import Refused
from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import (
    LETS_ENCRYPT,
    Authority,
    WantedCertificate,
)
from ansible_collections.composeops.stack.plugins.module_utils.certificates.renewal import Renewer
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import CommandRunner
from ansible_collections.composeops.stack.tests.unit.support import letsencrypt
from ansible_collections.composeops.stack.tests.unit.support.recorded import RecordedRunner

NOW = datetime.now(timezone.utc)
WANTED = WantedCertificate("a.test", ("a.test", "declared-since.test"))
PAST = Window(NOW - timedelta(days=3), NOW - timedelta(days=1))
FUTURE = Window(NOW + timedelta(days=1), NOW + timedelta(days=3))


@dataclass
class Host:
    """A host with a certificate in it, an openssl that is real, a certbot that answers as it is told."""

    root: Path
    version: str = "certbot 4.0.0"
    refusals: list[str] = field(default_factory=list)
    window: Window | None = FUTURE
    silent: bool = False
    asked: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.runner = RecordedRunner(self._answer)

    def _answer(self, argv: Sequence[str]) -> tuple[int, str, str]:
        if argv[0] == "openssl":
            completed = CommandRunner().run(argv, check=False)
            return completed.returncode, completed.stdout, completed.stderr
        if argv[1] == "--version":
            return 0, self.version, ""
        said = self.refusals.pop(0) if self.refusals else ""
        return (1, "", said) if said else (0, "", "")

    def ask(self, server: str, name: str, ca: str) -> Answer | None:
        self.asked.append((server, name))
        if self.silent:
            raise ComposeOpsError("Nothing listens there.")
        return Answer(self.window, 3600) if self.window else None

    def issue(self, server: str = "https://acme.test/dir", *, authenticator: str = "webroot", days: int = 90) -> None:
        letsencrypt.issue(self.root / "letsencrypt", "a.test", server=server, authenticator=authenticator, days=days)

    def renew(self, now: datetime = NOW, *, dns_plugin: str = "") -> list[str]:
        authority = Authority("https://declared.test/dir", dns_plugin=dns_plugin)
        renewer = Renewer(
            self.runner,
            authority,
            now,
            memory=str(self.root / "memory"),
            certbot_directory=str(self.root / "letsencrypt"),
        )
        return renewer.renew(WANTED)

    @property
    def commands(self) -> list[str]:
        """What certbot was run for, whose version does not count."""
        return [call[1] for call in self.runner.calls if call[0] == "certbot" and call[1] != "--version"]

    @property
    def memory(self) -> Attempts:
        return attempts.read("a.test", str(self.root / "memory"))


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    found = Host(tmp_path)
    found.issue()
    monkeypatch.setattr(ari, "ask", found.ask)
    monkeypatch.setattr(account, "forget", lambda server, directory: True)
    return found


def test_certbot_decides_while_the_authority_wants_nothing(host: Host) -> None:
    assert host.renew() == []
    assert host.commands == ["renew"]
    assert host.asked[0][0] == "https://acme.test/dir"
    assert NOW.timestamp() < host.memory.renew_at < (NOW + timedelta(days=3)).timestamp()


def test_what_the_authority_wants_replaced_is_issued_as_it_is(host: Host) -> None:
    host.window = PAST
    notes = host.renew()
    assert notes[0].startswith("a.test: https://acme.test/dir wants it replaced since ")
    assert host.commands == ["certonly"]
    issued = host.runner.calls[-1]
    assert "--force-renewal" in issued
    assert issued[issued.index("--server") + 1] == "https://acme.test/dir"
    # What was declared since is for the playbook to carry out.
    assert [issued[index + 1] for index, word in enumerate(issued) if word == "--domain"] == ["a.test"]


def test_the_authority_is_not_asked_again_before_it_wants_to_be(host: Host) -> None:
    for minutes in (0, 59, 61):
        host.renew(NOW + timedelta(minutes=minutes))
    assert len(host.asked) == 2


def test_a_moment_that_is_known_is_kept_to_without_asking_again(host: Host) -> None:
    host.renew()
    attempts.write("a.test", replace(host.memory, renew_at=int(NOW.timestamp())), str(host.root / "memory"))
    host.renew()
    assert (len(host.asked), host.commands) == (1, ["renew", "certonly"])


def test_what_the_authority_wanted_of_a_certificate_is_not_asked_of_its_successor(host: Host) -> None:
    host.renew()
    attempts.write("a.test", replace(host.memory, renew_at=int(NOW.timestamp())), str(host.root / "memory"))
    host.issue()
    host.renew()
    assert (len(host.asked), host.commands) == (2, ["renew", "renew"])


@pytest.mark.parametrize(
    ("days", "after", "commands"),
    [
        (6, 2.9, []),
        (6, 3.1, ["renew"]),
        (45, 29.9, []),
        (45, 30.1, ["renew"]),
        (90, 1, ["renew"]),
    ],
)
def test_certbot_is_not_asked_about_a_short_life_before_it_is_time(
    host: Host, days: int, after: float, commands: list[str]
) -> None:
    """certbot 4.0 renews what ends within 30 days, whatever its life."""
    host.issue(days=days)
    host.window = None
    assert host.renew(NOW + timedelta(days=after)) == []
    assert host.commands == commands


def test_certbot_decides_about_a_short_life_where_it_was_told_how_or_knows_how(host: Host) -> None:
    host.issue(days=6)
    host.version = "certbot 4.1.0"
    host.renew()
    host.version = "certbot 4.0.0"
    renewal = host.root / "letsencrypt/renewal/a.test.conf"
    renewal.write_text(renewal.read_text().replace("# renew_before_expiry = 30 days", "renew_before_expiry = 5 days"))
    host.renew()
    assert host.commands == ["renew", "renew"]


def test_a_failure_is_forgotten_once_there_is_nothing_to_renew(host: Host) -> None:
    host.issue(days=6)
    attempts.write("a.test", Attempts(failures=1), str(host.root / "memory"))
    assert host.renew() == []
    assert (host.memory.failures, host.commands) == (0, [])


def test_a_certbot_that_asks_by_itself_is_left_to_it(host: Host) -> None:
    host.version, host.window = "certbot 4.1.0", PAST
    host.renew()
    assert (host.asked, host.commands) == ([], ["renew"])


@pytest.mark.parametrize("silent", [True, False], ids=["does-not-answer", "has-no-such-service"])
def test_an_authority_that_does_not_tell_leaves_it_to_certbot(host: Host, silent: bool) -> None:
    host.window, host.silent = None, silent
    assert len(host.renew()) == int(silent)
    assert host.commands == ["renew"]


def test_after_a_failure_the_timer_waits(host: Host) -> None:
    host.refusals = ["An unexpected error occurred:\nno\n"]
    with pytest.raises(Refused, match="no"):
        host.renew()
    waits = host.renew(NOW + timedelta(minutes=59))
    assert "a.test: not asked before" in waits[0]
    assert "after 1 failures" in waits[0]
    assert host.commands == ["renew"]
    assert host.renew(NOW + timedelta(minutes=61)) == []
    assert host.memory == Attempts()


def test_what_failed_at_lets_encrypt_is_rehearsed_once_it_is_due(host: Host) -> None:
    attempts.write("a.test", Attempts(failures=1), str(host.root / "memory"))
    host.issue(LETS_ENCRYPT)
    host.renew()
    assert host.commands == ["renew"]
    attempts.write("a.test", Attempts(failures=1), str(host.root / "memory"))
    host.renew(NOW + timedelta(days=61))
    assert host.commands == ["renew", "certonly", "certonly"]


def test_an_account_that_the_authority_forgot_is_registered_again(host: Host) -> None:
    unknown = "The request specified an account that does not exist :: not found.\n"
    host.refusals = [unknown, unknown]
    assert ["no longer knew the account" in note for note in host.renew()] == [True]
    assert host.commands == ["renew", "certonly", "certonly"]


def test_a_certificate_whose_account_went_with_anothers_gets_the_new_one(host: Host) -> None:
    host.refusals = [
        "Failed to renew certificate a.test with error: Account at /etc/letsencrypt/accounts/x does not exist\n"
    ]
    assert host.renew() == []
    assert host.commands == ["renew", "certonly"]


def test_names_stay_proven_in_the_way_they_were(host: Host) -> None:
    host.issue(authenticator="dns-rfc2136")
    host.window = PAST
    host.renew(dns_plugin="cloudflare")
    assert "dns-rfc2136" in host.runner.calls[-1]


def test_what_certbot_does_not_keep_is_left_to_the_playbook(tmp_path: Path) -> None:
    host = Host(tmp_path)
    assert host.renew() == ["a.test: certbot keeps nothing yet; playbooks/site.yml has it issued."]
    assert host.commands == []
