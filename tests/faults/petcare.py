"""The pet-care system on a host of the bed, released in variants, one after the other."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.faults.variants import OLD, Variant, compose, definitions
from tests.integration.bed_host import ROOT, BedHost, PlaybookRun
from tests.support import containers as stack
from tests.support.outside import Outside

INVENTORY = ROOT / "inventories/petcare"
ROUTED = ("backend", "frontend", "mobile-backend", "customer-portal")
VERSIONS = {
    ("app.petcare.com", "/api/version"): "backend",
    ("mobile-api.petcare.com", "/version"): "mobile-backend",
    ("customer.petcare.com", "/version"): "customer-portal",
}
FLAG = "/etc/nginx/composeops/active/petcare.green"
CANARY = "/etc/nginx/composeops/active/petcare.canary"
LOCK = "/run/composeops/stack-petcare.lock"
FOLDER = Path("system")


class Petcare:
    """The system on one host; everything is done as an operator would, with playbooks of this project's roles."""

    def __init__(self, host: BedHost) -> None:
        self.host = host
        variables = yaml.safe_load((host.inventory / "group_vars/all.yml").read_text(encoding="utf-8"))
        self.outside = Outside(host.address, variables["verify_ca"])
        self.registry = str(variables["docker_engine_registry_mirrors"][0])
        self._variables = yaml.safe_load((INVENTORY / "group_vars/all/stack.yml").read_text(encoding="utf-8"))
        self._compose = (INVENTORY / "compose.yaml").read_text(encoding="utf-8")

    def set_up(self) -> None:
        """Bring the host to the old version, whatever it was before."""
        # The bed's registry has no certificate; as a mirror it needs none.
        trusting = {"docker_engine_settings": {"insecure-registries": [self.registry.removeprefix("http://")]}}
        roles = ("baseline", "docker_engine", "stack", "edge", "backup")
        run = self.play(*roles, variant=Variant(OLD), extra=trusting)
        assert run.ok, run.output

    def release(self, variant: Variant, *, fault: str = "", by: BedHost | None = None) -> PlaybookRun:
        """Deploy a variant with the role `stack`; with ``fault`` the run is killed where that says."""
        return self.play("stack", variant=variant, fault=fault, by=by)

    def play(
        self,
        *roles: str,
        variant: Variant,
        fault: str = "",
        by: BedHost | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> PlaybookRun:
        """Run roles against the host with a variant of the system; ``by`` is another operator at the same host."""
        operator = by or self.host
        playbook = self._playbook(operator, roles, fault)
        return operator.playbook(
            playbook, inventories=[INVENTORY], extra_variables=self._extra(operator, variant, extra)
        )

    @contextmanager
    def begun(self, variant: Variant) -> Iterator[subprocess.Popen[str]]:
        """Begin to release a variant in a process group of its own, which has ended when the block has."""
        with self.another_operator() as operator:
            playbook = self._playbook(operator, ("stack",), "")
            extra = self._extra(operator, variant, None)
            argv, environment = operator.command(playbook, inventories=[INVENTORY], extra_variables=extra)
            with (operator.directory / "output").open("w") as output:
                process = subprocess.Popen(
                    argv,
                    cwd=ROOT,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    text=True,
                    start_new_session=True,
                )
            try:
                yield process
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()

    def back_to_old(self) -> None:
        """Have the old version serve, and nothing be left of whatever was before."""
        run = self.release(Variant(OLD))
        assert run.ok, run.output
        self.assert_serves(OLD)

    def rollback(self, **options: Any) -> dict[str, Any]:
        """Go back to an earlier release, and return what the module says."""
        return self.host.module("composeops.stack.rollback", {"name": "petcare", **options})

    @contextmanager
    def another_operator(self) -> Iterator[BedHost]:
        """Yield a second operator at the same host, with files and connections of its own."""
        with tempfile.TemporaryDirectory(prefix="composeops-") as directory:
            yield BedHost(self.host.inventory, Path(directory))

    # What is there.

    @property
    def record(self) -> dict[str, Any]:
        return stack.record(self.host.output)

    @property
    def idle(self) -> str:
        """The colour that the record does not name: where the next release goes."""
        return {"blue": "green", "green": "blue"}[self.record["colour"]]

    def releases(self) -> list[dict[str, Any]]:
        """Return the records of the releases that the host keeps, the newest first."""
        text = self.host.output("cat /var/lib/composeops/stacks/petcare/releases/*/release.json")
        return sorted(_documents(text), key=lambda release: -int(release["number"]))

    def containers_of(self, colour: str) -> dict[str, str]:
        """Return the containers in a colour, running or not: service and id."""
        project = f"label=com.docker.compose.project=petcare-{colour}"
        form = '{{.Label "composeops.service"}} {{.ID}}'
        listed = self.host.output(["docker", "ps", "--all", "--filter", project, "--format", form])
        return dict(line.split() for line in listed.splitlines())

    def services_in(self, colour: str) -> set[str]:
        """Return the services that have a container in a colour."""
        return set(self.containers_of(colour))

    def locked(self) -> bool:
        """Whether a run holds the lock of the stack."""
        return not self.host.run(f"test ! -e {LOCK} || flock --nonblock {LOCK} true").ok

    def answers(self) -> dict[str, str]:
        """Return the version that answers for each service, from outside, over HTTPS."""
        found = {service: str(self.outside.https(*place).json()["version"]) for place, service in VERSIONS.items()}
        return {**found, "frontend": self.outside.https("app.petcare.com", "/version.txt").body.decode().strip()}

    def assert_serves(self, version: str, *, warm: bool = False) -> None:
        """The host is as after a release that nothing happened to: one colour, all of it well, and nothing left."""
        assert self.answers() == dict.fromkeys(ROUTED, version)
        record = self.record
        active, idle = record["colour"], self.idle
        assert self.host.exists(FLAG) == (active == "green"), f"the record says {active}, the edge another colour"
        assert not self.host.exists(CANARY), "a canary was left"
        assert self.services_in(active) == set(ROUTED)
        assert self.services_in(idle) == (set(ROUTED) if warm else set())
        listed = self.host.output(["docker", "inspect", *stack.identifiers(self.host.output)])
        states = {found["Name"]: found["State"]["Health"]["Status"] for found in json.loads(listed)}
        assert set(states.values()) == {"healthy"}, states
        releases = self.releases()
        assert [found["status"] for found in releases].count("active") == 1
        assert [found["number"] for found in releases if found["status"] == "active"] == [record["release"]]
        assert "deploying" not in {found["status"] for found in releases}

    def wait_until(self, true: Callable[[], bool], what: str, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
            time.sleep(0.2)

    # How it is told.

    def _playbook(self, operator: BedHost, roles: Sequence[str], fault: str) -> Path:
        play = {
            "name": "Release",
            "hosts": "composeops",
            "become": True,
            "gather_facts": False,
            "roles": list(roles),
            **({"environment": {"COMPOSEOPS_FAULT": fault}} if fault else {}),
        }
        playbook = operator.directory / "release.yml"
        playbook.write_text(yaml.safe_dump([play], sort_keys=False), encoding="utf-8")
        return playbook

    def _extra(self, operator: BedHost, variant: Variant, extra: Mapping[str, Any] | None) -> dict[str, Any]:
        directory = operator.directory / FOLDER
        shutil.copytree(INVENTORY / "files", directory / "files", dirs_exist_ok=True)
        (directory / "compose.yaml").write_text(compose(self._compose, variant), encoding="utf-8")
        return {
            "petcare_directory": str(directory),
            "petcare_version": variant.version,
            "stack_definitions": definitions(self._variables, variant),
            **(extra or {}),
        }


def _documents(text: str) -> list[dict[str, Any]]:
    """Return the JSON documents that stand one after the other in ``text``."""
    found, decoder = [], json.JSONDecoder()
    while text := text.lstrip():
        document, end = decoder.raw_decode(text)
        found.append(document)
        text = text[end:]
    return found
