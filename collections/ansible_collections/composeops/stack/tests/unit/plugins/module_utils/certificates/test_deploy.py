# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.certificates import deploy as domain
from ansible_collections.composeops.stack.plugins.module_utils.certificates.bundle import Bundles, fingerprint
from ansible_collections.composeops.stack.plugins.module_utils.certificates.deploy import Deployment
from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import Hsts, Source, WantedCertificate
from ansible_collections.composeops.stack.plugins.module_utils.certificates.plan import HSTS_HEADER
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import CommandRunner
from ansible_collections.composeops.stack.tests.unit.support import letsencrypt

WANTED = WantedCertificate("a.test", ("a.test", "www.a.test"))
RUNNER = CommandRunner()


@dataclass
class Host:
    """A host whose nginx serves, after a reload, what the current bundles say; unless it is told to fail."""

    directory: Path
    test_fails: bool = False
    reload_fails: int = 0
    reload_ignored: bool = False
    reloads: int = 0
    draining: bool = False
    reloaded_while_draining: bool = False
    serving: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.bundles = Bundles(RUNNER, str(self.directory / "tls"))
        self.certbot = self.directory / "letsencrypt"

    def test_live(self) -> None:
        if self.test_fails:
            raise ComposeOpsError("nginx refuses the configuration: cannot load certificate.")

    @contextlib.contextmanager
    def drained(self) -> Iterator[None]:
        self.draining = True
        yield
        self.draining = False

    def end_draining(self) -> None:
        self.draining = False

    def reload(self) -> None:
        self.reloads += 1
        self.reloaded_while_draining = self.draining
        if self.reload_fails:
            self.reload_fails -= 1
            raise ComposeOpsError("nginx is not there.")
        if not self.reload_ignored:
            self.serving = {site: self.bundles.read(site).fingerprint for site in self.bundles.sites()}

    def served(self, name: str) -> str | None:
        return self.serving.get(name.removeprefix("www."))

    def deployment(self) -> Deployment:
        return Deployment(
            RUNNER,
            self,
            bundles=self.bundles,
            certbot_directory=str(self.certbot),
            served=self.served,
            lock=str(self.directory / "lock"),
        )


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    monkeypatch.setattr(domain, "SERVING_TIMEOUT", 0.05)
    found = Host(tmp_path)
    found.bundles.make_placeholder("a.test")
    found.reload()
    found.reloads = 0
    return found


def issue(host: Host, *names: str) -> str:
    live = letsencrypt.issue(host.certbot, *(names or WANTED.names))
    return fingerprint((live / "fullchain.pem").read_bytes())


def test_the_placeholder_gives_way_to_the_certificate(host: Host) -> None:
    issued = issue(host)
    assert host.deployment().deploy(WANTED) == ("nginx has a placeholder",)
    assert host.served("www.a.test") == issued
    assert (host.bundles.read("a.test").source, host.reloads) == (Source.ACME, 1)


def test_nothing_is_done_a_second_time(host: Host) -> None:
    issue(host)
    host.deployment().deploy(WANTED)
    assert host.deployment().deploy(WANTED) == ()
    assert host.reloads == 1


def test_nothing_is_done_while_certbot_keeps_nothing(host: Host) -> None:
    assert host.deployment().deploy(WANTED) == ()
    assert host.reloads == 0


def test_what_a_killed_run_left_draining_ends_although_there_is_nothing_to_deploy(host: Host) -> None:
    issue(host)
    host.deployment().deploy(WANTED)
    host.draining = True
    assert host.deployment().deploy(WANTED) == ()
    assert not host.draining


def test_a_renewal_is_served_and_the_old_key_is_gone(host: Host) -> None:
    issue(host)
    host.deployment().deploy(WANTED)
    renewed = issue(host)
    assert host.deployment().deploy(WANTED) == ("nginx has an older one",)
    assert host.served("a.test") == renewed
    directories = [path.name for path in (host.directory / "tls/a.test").iterdir() if path.name != "current"]
    assert directories == [host.bundles.target("a.test")]
    assert host.reloaded_while_draining


def test_hsts_comes_with_the_certificate(host: Host) -> None:
    issue(host)
    host.deployment().deploy(WantedCertificate("a.test", WANTED.names, Hsts.ALWAYS))
    assert host.bundles.read("a.test").hsts == HSTS_HEADER


def test_a_run_killed_before_the_reload_is_completed(host: Host) -> None:
    issued = issue(host)
    host.deployment().deploy(WANTED)
    host.serving["a.test"] = "0" * 64
    assert host.deployment().deploy(WANTED) == ("nginx has it but serves another",)
    assert host.served("a.test") == issued


def test_a_foreign_key_does_not_reach_nginx(host: Host) -> None:
    issue(host)
    letsencrypt.issue(host.certbot, "b.test")
    foreign = (host.certbot / "live/b.test/privkey.pem").read_bytes()
    (host.certbot / "live/a.test/privkey.pem").write_bytes(foreign)
    with pytest.raises(ComposeOpsError, match="its private key belongs to another certificate"):
        host.deployment().deploy(WANTED)
    assert (host.bundles.read("a.test").source, host.reloads) == (Source.PLACEHOLDER, 0)


def test_a_certificate_that_lost_a_name_does_not_reach_nginx(host: Host) -> None:
    first = issue(host)
    host.deployment().deploy(WANTED)
    issue(host, "a.test")
    with pytest.raises(ComposeOpsError, match=r"it does not name www\.a\.test, which the one before did"):
        host.deployment().deploy(WANTED)
    assert (host.served("a.test"), host.reloads) == (first, 1)


def test_a_renewal_reaches_nginx_although_an_alias_waits_for_its_certificate(host: Host) -> None:
    issue(host, "a.test")
    host.deployment().deploy(WANTED)
    renewed = issue(host, "a.test")
    host.deployment().deploy(WANTED)
    assert host.served("a.test") == renewed


def test_a_bundle_that_nginx_refuses_is_taken_back(host: Host) -> None:
    issue(host)
    host.test_fails = True
    with pytest.raises(ComposeOpsError, match=r"a\.test: nginx refuses.*What served before still does"):
        host.deployment().deploy(WANTED)
    assert (host.bundles.read("a.test").source, host.reloads) == (Source.PLACEHOLDER, 0)
    assert sorted(path.name for path in (host.directory / "tls/a.test").iterdir()) == ["current", "placeholder"]


def test_a_certificate_that_is_not_served_is_taken_back(host: Host) -> None:
    first = issue(host)
    host.deployment().deploy(WANTED)
    issue(host)
    host.reload_ignored = True
    with pytest.raises(ComposeOpsError, match=rf"for a\.test it serves one with the fingerprint {first[:16]} and not"):
        host.deployment().deploy(WANTED)
    assert host.bundles.read("a.test").fingerprint == first


def test_failing_to_go_back_is_told_as_it_is(host: Host) -> None:
    issue(host)
    host.reload_fails = 2
    with pytest.raises(ComposeOpsError, match="is back on disk, but nginx did not take it"):
        host.deployment().deploy(WANTED)
    assert host.bundles.read("a.test").source is Source.PLACEHOLDER


def test_a_site_that_nginx_does_not_know_gets_no_files(host: Host) -> None:
    letsencrypt.issue(host.certbot, "b.test")
    host.reload_ignored = True
    with pytest.raises(ComposeOpsError, match=r"for b\.test it serves none.*Is the site declared in edge_sites"):
        host.deployment().deploy(WantedCertificate("b.test", ("b.test",)))
    assert host.bundles.sites() == {"a.test"}


def test_observation_changes_nothing_and_sees_all_three(host: Host) -> None:
    issued = issue(host)
    observed = host.deployment().observe(WANTED)
    assert observed.lineage is not None
    assert observed.lineage.certificate.fingerprint == issued
    assert observed.bundle.source is Source.PLACEHOLDER
    assert observed.served == observed.bundle.fingerprint
