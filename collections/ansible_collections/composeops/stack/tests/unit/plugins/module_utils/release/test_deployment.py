# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io import files, sockets
from ansible_collections.composeops.stack.plugins.module_utils.release import state
from ansible_collections.composeops.stack.plugins.module_utils.release.colour_plan import DeploymentPlan
from ansible_collections.composeops.stack.plugins.module_utils.release.deployment import (
    Deployment,
    DeploymentFailed,
    Outcome,
    require_secrets,
)
from ansible_collections.composeops.stack.plugins.module_utils.release.model import (
    HealthPolicy,
    Routed,
    StackFile,
    StackRequest,
)
from ansible_collections.composeops.stack.plugins.module_utils.secrets import store
from ansible_collections.composeops.stack.tests.unit.support.fake_engine import FakeClock, FakeEngine, Killed

PASSWORD = "k3Jf82hQzW1mPq"
CONFIG = StackFile("files/app.conf", b"motto = one\n")

COMPOSE: dict[str, Any] = {
    "name": "shop",
    "secrets": {"db_password": {"environment": "DB_PASSWORD"}},
    "volumes": {"uploads": {"name": "shop_uploads"}},
    "services": {
        "db": {
            "image": "db:1",
            "restart": "always",
            "healthcheck": {"test": ["CMD", "true"]},
            "secrets": [{"source": "db_password"}],
        },
        "web": {
            "image": "web:${VERSION}",
            "restart": "always",
            "healthcheck": {"test": ["CMD", "true"]},
            "ports": [{"target": 80, "published": "8080"}],
            "volumes": [
                {"type": "bind", "source": "./files/app.conf", "target": "/app.conf"},
                {"type": "volume", "source": "uploads", "target": "/uploads"},
            ],
            "depends_on": {"db": {"condition": "service_healthy"}},
        },
    },
}


@dataclass
class Host:
    """A host in memory: an engine, a clock, and directories of records and secrets."""

    root: Path
    engine: FakeEngine
    clock: FakeClock
    version: str = "1"
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def directory(self) -> Path:
        return self.root / "stacks" / "shop"

    def deployment(self, **changes: Any) -> Deployment:
        request = {
            "name": "shop",
            "compose": json.dumps(COMPOSE),
            "files": (CONFIG,),
            "environment": {"VERSION": self.version},
            "secrets": ("DB_PASSWORD",),
            "routed": (Routed("web", 80),),
            "health": HealthPolicy(attempts=4, interval=1),
            **self.options,
            **changes,
        }
        return Deployment(
            StackRequest(**request),
            self.engine,
            clock=self.clock,
            root=str(self.root / "stacks"),
            secrets=str(self.root / "secrets"),
            active=str(self.root / "active"),
        )

    def deploy(self, **changes: Any) -> Outcome:
        deployment = self.deployment(**changes)
        deployment.prepare()
        observed = deployment.observe()
        target = deployment.target(observed)
        return deployment.apply(observed, target, deployment.plan(observed, target))

    def predict(self, **changes: Any) -> DeploymentPlan:
        deployment = self.deployment(**changes)
        observed = deployment.observe()
        return deployment.plan(observed, deployment.target(observed))

    @property
    def record(self) -> state.StackState | None:
        return state.read_state("shop", str(self.root / "stacks"))

    def files(self, *, history: bool = False) -> dict[str, str]:
        """Return what is on the host; of what became of every release only with ``history``."""
        return {
            str(path.relative_to(self.root)): path.read_text()
            for path in sorted(self.root.rglob("*"))
            if path.is_file() and path.suffix != ".key" and (history or "releases" not in path.parts)
        }

    def images(self) -> dict[str, str]:
        return {
            found["Config"]["Labels"]["com.docker.compose.service"]: found["Config"]["Image"]
            for found in self.engine.containers.values()
        }


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    monkeypatch.setattr(sockets, "listening", list)
    clock = FakeClock()
    write = files.write_atomically

    def write_now(path: str, content: bytes, **options: Any) -> None:
        """Write when the clock of the test says it is, and without waiting for a disk."""
        write(path, content, **options)
        os.utime(path, (clock.now(), clock.now()))

    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    monkeypatch.setattr(files, "write_atomically", write_now)
    registry = {"db:1": "sha256:db1", "web:1": "sha256:web1", "web:2": "sha256:web2"}
    store.write("shop", {"DB_PASSWORD": PASSWORD}, str(tmp_path / "secrets"))
    return Host(tmp_path, FakeEngine(clock, registry), clock)


def test_pet_06_a_first_deployment(host: Host) -> None:
    outcome = host.deploy()
    assert outcome.plan.sentences()[:6] == [
        "pull db:1",
        "pull web:1",
        "write compose.json",
        "write environment",
        "write files/app.conf",
        "create db",
    ]
    assert {found.service: found.health for found in outcome.containers} == {"db": "healthy", "web": "healthy"}
    assert host.record is not None
    assert host.record.images == {"db": "sha256:db1-digest", "web": "sha256:web1-digest"}
    assert host.record.endpoints == (state.Endpoint("web", 80, "127.0.0.1", 21000),)
    assert outcome.digests == host.record.images


def test_the_prediction_is_what_is_done_then(host: Host) -> None:
    predicted = host.predict()
    assert host.files() == {"secrets/shop.json": host.files()["secrets/shop.json"]}
    assert host.deploy().plan.sentences() == predicted.sentences()


def test_the_second_run_changes_nothing_and_asks_little(host: Host) -> None:
    host.deploy()
    before = host.files()
    host.engine.calls.clear()
    outcome = host.deploy()
    assert not outcome.plan.changes
    assert host.files() == before
    assert [call[1] for call in host.engine.calls] == ["ps", "inspect", "image"]
    assert outcome.digests == {"db": "sha256:db1-digest", "web": "sha256:web1-digest"}


def test_the_secret_is_in_the_environment_file_alone_and_root_alone_reads_it(host: Host) -> None:
    host.deploy()
    holders = [path for path, text in host.files(history=True).items() if PASSWORD in text]
    assert holders == ["secrets/shop.json", "stacks/shop/environment"]
    assert stat.S_IMODE((host.directory / "environment").stat().st_mode) == 0o600
    assert stat.S_IMODE((host.directory / "compose.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(host.directory.stat().st_mode) == 0o750


def test_no_secret_is_in_any_command_line(host: Host) -> None:
    host.deploy()
    assert not [call for call in host.engine.calls if PASSWORD in " ".join(call)]


def test_the_file_that_runs_says_nothing_that_was_not_declared(host: Host) -> None:
    host.deploy()
    service = json.loads((host.directory / "compose.json").read_text())["services"]["web"]
    assert service["image"] == "web:1"
    assert [port["published"] for port in service["ports"]] == ["21000"]


def test_an_upgrade_recreates_only_what_changed(host: Host) -> None:
    host.deploy()
    database = host.engine.of("db")["Id"]
    host.version = "2"
    outcome = host.deploy()
    assert "recreate web: image web:1 becomes web:2" in outcome.plan.sentences()
    assert host.engine.of("db")["Id"] == database
    assert host.images() == {"db": "db:1", "web": "web:2"}
    assert not (host.directory / "previous").exists()


def test_a_rotated_secret_recreates_who_uses_it(host: Host) -> None:
    host.deploy()
    web = host.engine.of("web")["Id"]
    store.write("shop", {"DB_PASSWORD": "Zt7yB0vNcR4sLd"}, str(host.root / "secrets"))
    outcome = host.deploy()
    assert [entry.name for entry in outcome.plan.actions] == ["db"]
    assert host.engine.of("web")["Id"] == web
    assert not host.deploy().plan.changes


def test_a_changed_file_recreates_who_mounts_it(host: Host) -> None:
    host.deploy()
    outcome = host.deploy(files=(StackFile("files/app.conf", b"motto = two\n"),))
    assert [entry.name for entry in outcome.plan.actions] == ["web"]
    assert (host.directory / "files/app.conf").read_text() == "motto = two\n"


def test_a_file_that_is_no_longer_declared_is_removed_and_data_beside_it_is_not(host: Host) -> None:
    extra = StackFile("files/extra/old.conf", b"x")
    host.deploy(files=(CONFIG, extra))
    (host.directory / "files/uploads").mkdir()
    (host.directory / "files/uploads/cat.jpg").write_text("meow")
    outcome = host.deploy()
    assert "write files/extra/old.conf" not in host.files()
    assert outcome.plan.changes
    assert not (host.directory / "files/extra").exists()
    assert (host.directory / "files/uploads/cat.jpg").read_text() == "meow"


def test_a_service_that_is_no_longer_declared_is_removed(host: Host) -> None:
    host.deploy()
    smaller = {**COMPOSE, "services": {"db": COMPOSE["services"]["db"]}}
    outcome = host.deploy(compose=json.dumps(smaller), routed=(), environment={}, files=())
    assert "remove web: the compose file no longer declares it" in outcome.plan.sentences()
    assert host.images() == {"db": "db:1"}
    assert host.record is not None
    assert host.record.endpoints == ()


def edit(host: Host) -> None:
    """Change a mounted file as an administrator would, some time after the deployment."""
    path = host.directory / "files/app.conf"
    path.write_text("edited")
    host.clock.sleep(60)
    os.utime(path, (host.clock.now(), host.clock.now()))


EDITED = ["write files/app.conf", "restart web: files/app.conf was changed on the host"]

DRIFTS: dict[str, tuple[Callable[[Host], Any], list[str]]] = {
    "a killed container": (lambda host: host.engine.stop("web", 137), ["start web: shop-web-1 is exited"]),
    "a removed container": (lambda host: host.engine.containers.pop("web-2"), ["create web"]),
    "an image that was pulled by hand": (
        lambda host: host.engine.images.update({"web:1": "sha256:other"}),
        ["recreate web: another image has become web:1"],
    ),
    "an image that was removed": (lambda host: host.engine.images.pop("web:1"), ["pull web:1"]),
    "a compose file edited on the host": (
        lambda host: (host.directory / "compose.json").write_text('{"services": {}}'),
        ["write compose.json"],
    ),
    "a configuration edited on the host": (edit, EDITED),
    "a configuration removed on the host": (
        lambda host: (host.directory / "files/app.conf").unlink(),
        EDITED,
    ),
}


@pytest.mark.parametrize(("drift", "sentences"), DRIFTS.values(), ids=DRIFTS.keys())
def test_drift_is_predicted_repaired_and_reported(
    host: Host, drift: Callable[[Host], Any], sentences: list[str]
) -> None:
    host.deploy()
    declared = host.files()
    drift(host)
    predicted = host.predict()
    assert predicted.changes
    assert [
        said for said in predicted.sentences() if not re.search("not published|before it is replaced", said)
    ] == sentences
    outcome = host.deploy()
    assert outcome.plan.sentences() == predicted.sentences()
    assert {found.status for found in outcome.containers} == {"running"}
    assert {path: text for path, text in host.files().items() if "state.json" not in path} == {
        path: text for path, text in declared.items() if "state.json" not in path
    }
    assert not host.deploy().plan.changes


def test_a_service_whose_file_was_edited_is_restarted(host: Host) -> None:
    host.deploy()
    edit(host)
    host.deploy()
    assert host.engine.count("restart", "web") == 1
    assert host.engine.count("restart", "db") == 0


def test_always_pulling_changes_nothing_while_the_tag_stays(host: Host) -> None:
    host.deploy(pull="always")
    assert not host.deploy(pull="always").plan.changes


def test_always_pulling_finds_a_moved_tag(host: Host) -> None:
    host.deploy(pull="always")
    host.engine.registry["web:1"] = "sha256:moved"
    outcome = host.deploy(pull="always")
    assert outcome.plan.sentences() == ["recreate web: another image has become web:1"]
    assert host.engine.of("web")["Image"] == "sha256:moved"
    assert host.record is not None
    assert host.record.images["web"] == "sha256:moved-digest"


def test_pet_06_a_failed_first_deployment_says_why_and_leaves_it_there(host: Host) -> None:
    host.engine.never_healthy.add("web:1")
    host.engine.logs["web"] = f"connecting with {PASSWORD}\nHTTP 503"
    began = host.clock.now()
    with pytest.raises(DeploymentFailed) as raised:
        host.deploy()
    said = str(raised.value)
    assert "web: not ready after 4 tries 1 s apart: it is starting: its health check says: HTTP 503" in said
    assert "The last 2 lines of its log:\n    connecting with (sensitive)\n    HTTP 503\n" in said
    assert said.endswith(
        "It is the first release: what was started is left there to be looked at. Correct the cause and deploy again."
    )
    assert host.clock.now() - began == pytest.approx(2 + 4, abs=1)
    assert raised.value.changed
    assert host.record is None
    assert host.images() == {"db": "db:1", "web": "web:1"}


def test_a_failed_first_deployment_is_right_when_it_is_run_again(host: Host) -> None:
    host.engine.never_healthy.add("web:1")
    with pytest.raises(DeploymentFailed):
        host.deploy()
    host.engine.never_healthy.clear()
    assert host.deploy().plan.changes
    assert not host.deploy().plan.changes


def fail_upgrade(host: Host) -> DeploymentFailed:
    host.version = "2"
    with pytest.raises(DeploymentFailed) as raised:
        host.deploy()
    return raised.value


FAULTS: dict[str, tuple[Callable[[Host], Any], str]] = {
    "never healthy": (lambda host: host.engine.never_healthy.add("web:2"), "web: not ready after 30 tries"),
    "a crash loop": (lambda host: host.engine.crashing.add("web:2"), "web: it was restarted 15 times in 15 s"),
}


@pytest.mark.parametrize(("fault", "said"), FAULTS.values(), ids=FAULTS.keys())
def test_a_failed_upgrade_puts_the_release_before_back(host: Host, fault: Callable[[Host], Any], said: str) -> None:
    host.options["health"] = HealthPolicy(attempts=30, interval=1)
    host.deploy()
    before, images = host.files(), host.images()
    fault(host)
    error = fail_upgrade(host)
    assert said in str(error)
    assert "The release before was put back, and all its services are ready." in str(error)
    assert host.files() == before
    assert host.images() == images
    host.version = "1"
    assert not host.deploy().plan.changes


def test_what_compose_cannot_start_is_told_without_secrets(host: Host) -> None:
    host.deploy()
    before = host.files()
    host.engine.refusing["web"] = f"Error response from daemon: driver failed: bind: {PASSWORD} in use"
    error = fail_upgrade(host)
    assert (
        "docker compose up of stack shop failed: Error response from daemon: driver failed: bind: (sensitive)"
        in str(error)
    )
    assert host.files() == before


def test_putting_back_that_fails_too_is_told(host: Host) -> None:
    host.deploy()
    host.engine.never_healthy |= {"web:1", "web:2"}
    error = fail_upgrade(host)
    assert "Putting the release before back failed too, only its files are back: Stack shop: web:" in str(error)
    host.engine.never_healthy.clear()
    host.version = "1"
    host.deploy()
    assert host.images()["web"] == "web:1"
    assert not host.deploy().plan.changes


def test_an_image_that_cannot_be_pulled_changes_nothing(host: Host) -> None:
    host.deploy()
    before, containers = host.files(), json.dumps(host.engine.containers)
    host.version = "99"
    with pytest.raises(ComposeOpsError, match="Image web:99 cannot be pulled: manifest for web:99 not found") as raised:
        host.deploy()
    assert "Nothing was changed" in str(raised.value)
    assert host.files() == before
    assert json.dumps(host.engine.containers) == containers


def test_an_unhealthy_service_fails_a_run_that_changes_nothing(host: Host) -> None:
    host.deploy()
    host.engine.never_healthy.add("web:1")
    with pytest.raises(DeploymentFailed, match="web: not ready after 4 tries") as raised:
        host.deploy()
    assert not raised.value.changed
    assert "there was nothing to put back" in str(raised.value)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a variable that nobody defines": (
        {"environment": {}},
        "compose.yaml uses VERSION (line 1), which the stack does not define",
    ),
    "a file that is no compose file": (
        {"compose": "{"},
        "compose.yaml is not a valid compose file: yaml: line 3: did not",
    ),
    "a routed service that is not there": ({"routed": (Routed("wbe", 80),)}, "routed names 'wbe'"),
}


@pytest.mark.parametrize(("changes", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_refuses_before_anything_is_changed(host: Host, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        host.deploy(**changes)
    assert said in str(raised.value)
    assert host.engine.containers == {}
    assert not host.directory.exists()


def test_a_secret_that_is_not_on_the_host_is_named(host: Host) -> None:
    with pytest.raises(InvalidInput, match="the secrets SMTP_PASS are not on this host"):
        require_secrets(host.deployment(secrets=("DB_PASSWORD", "SMTP_PASS")))


def test_a_host_without_an_engine_is_observed_as_such(host: Host) -> None:
    host.engine.running = False
    assert not host.deployment().observe().engine


def test_the_ports_of_other_stacks_are_theirs(host: Host) -> None:
    other = state.StackState("blog", "blog", "r", "t", endpoints=(state.Endpoint("web", 80, "127.0.0.1", 21000),))
    (host.root / "stacks" / "blog").mkdir(parents=True)
    state.write_state(other, str(host.root / "stacks"))
    host.deploy()
    assert host.record is not None
    assert [endpoint.host_port for endpoint in host.record.endpoints] == [21010]


def test_a_port_that_a_stranger_listens_on_is_not_taken(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "listening", lambda: [sockets.Listener("127.0.0.1", 21000, "1")])
    host.deploy()
    assert host.record is not None
    assert [endpoint.host_port for endpoint in host.record.endpoints] == [21010]


class Fuse:
    """Kills the code under test at its nth touch of the world: a command or a file."""

    def __init__(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left: int | None = None
        write = files.write_atomically
        host.engine.before_each = self.burn

        def burning(*arguments: Any, **options: Any) -> None:
            self.burn()
            write(*arguments, **options)
            self.burn()

        monkeypatch.setattr(files, "write_atomically", burning)

    def burn(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Killed

    def deaths(self, act: Callable[[], Any]) -> Iterator[int]:
        """Yield after each death, with one more step survived each time, until ``act`` survives."""
        step = 0
        while True:
            self.left = step
            try:
                act()
            except Killed:
                self.left = None
                yield step
                step += 1
            else:
                self.left = None
                return


@pytest.fixture
def fuse(host: Host, monkeypatch: pytest.MonkeyPatch) -> Fuse:
    return Fuse(host, monkeypatch)


def reset(host: Host) -> None:
    host.engine.containers.clear()
    host.deployment().project.remove(["files/app.conf"])


def test_a_first_deployment_may_die_at_any_point(host: Host, fuse: Fuse) -> None:
    deaths = 0
    for _ in fuse.deaths(host.deploy):
        deaths += 1
        host.deploy()
        assert {found["State"]["Health"]["Status"] for found in host.engine.containers.values()} == {"healthy"}
        assert not host.deploy().plan.changes
        reset(host)
    assert deaths > 20


def test_an_upgrade_may_die_at_any_point(host: Host, fuse: Fuse) -> None:
    host.deploy()
    deaths = 0

    def upgrade() -> None:
        host.version = "2"
        host.deploy()

    for _ in fuse.deaths(upgrade):
        deaths += 1
        assert set(host.images()) == {"db", "web"}
        host.deploy()
        assert host.images() == {"db": "db:1", "web": "web:2"}
        assert not host.deploy().plan.changes
        assert not (host.directory / "previous").exists()
        host.version = "1"
        host.deploy()
    assert deaths > 15


def test_an_upgrade_that_died_can_be_taken_back_by_declaring_the_old_one(host: Host, fuse: Fuse) -> None:
    host.deploy()
    before = host.files()

    def upgrade() -> None:
        host.version = "2"
        host.deploy()

    for _ in fuse.deaths(upgrade):
        host.version = "1"
        host.deploy()
        assert host.images() == {"db": "db:1", "web": "web:1"}
        assert not host.deploy().plan.changes
        assert re.sub(r'"applied_at.*', "", json.dumps(host.files())) == re.sub(
            r'"applied_at.*', "", json.dumps(before)
        )


def test_a_failed_upgrade_may_die_while_it_is_taken_back(host: Host, fuse: Fuse) -> None:
    host.deploy()
    host.engine.never_healthy.add("web:2")

    def upgrade() -> None:
        host.version = "2"
        with pytest.raises(DeploymentFailed):
            host.deploy()

    deaths = 0
    for _ in fuse.deaths(upgrade):
        deaths += 1
        error = fail_upgrade(host)
        assert "The release before was put back" in str(error)
        assert host.images() == {"db": "db:1", "web": "web:1"}
        host.version = "1"
        assert not host.deploy().plan.changes
    assert deaths > 20


def test_repairing_an_edited_file_may_die_at_any_point(host: Host, fuse: Fuse) -> None:
    host.deploy()
    edit(host)
    for _ in fuse.deaths(host.deploy):
        host.deploy()
        assert (host.directory / "files/app.conf").read_text() == "motto = one\n"
        assert host.engine.of("web")["State"]["since"] >= (host.directory / "files/app.conf").stat().st_mtime
        assert not host.deploy().plan.changes
        edit(host)
