"""Runs playbooks as AWX runs a job template: by ansible-runner, in the project's root, with nobody at a terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ansible_runner
import pytest

ROOT = Path(__file__).resolve().parents[2]
INVENTORIES = (ROOT / "inventories/petcare", ROOT / os.environ.get("COMPOSEOPS_BED_INVENTORY", ".testbed/inventory"))


@dataclass(frozen=True)
class Job:
    """A job that ended."""

    status: str
    output: str
    events: tuple[dict[str, Any], ...]

    @property
    def changed(self) -> int:
        """How many tasks changed something, on all hosts."""
        (stats,) = [event["event_data"] for event in self.events if event["event"] == "playbook_on_stats"]
        return sum(stats["changed"].values())


@pytest.fixture(scope="session")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Job]]:
    """Return what launches a job template."""
    if not (INVENTORIES[1] / "hosts.yml").exists():
        pytest.fail(
            f"{INVENTORIES[1]}/hosts.yml is not there: start the test bed with `make bed`, or name its inventory"
        )

    def launch(
        playbook: str, *, inventory: list[str] | str | None = None, arguments: str = "", **variables: Any
    ) -> Job:
        runner = ansible_runner.run(
            private_data_dir=str(tmp_path_factory.mktemp("job")),
            project_dir=str(ROOT),
            playbook=f"playbooks/{playbook}.yml",
            inventory=inventory or [str(path) for path in INVENTORIES],
            extravars={"awx_job_id": 1, "awx_project_revision": "HEAD", **variables},
            envvars={"COMPOSEOPS_HEARTBEAT": "1", "ANSIBLE_FORCE_COLOR": "0"},
            cmdline=arguments or None,
            quiet=True,
        )
        return Job(runner.status, Path(runner.stdout.name).read_text(encoding="utf-8"), tuple(runner.events))

    with pytest.MonkeyPatch.context() as patch:
        # AWX puts the commands of its execution environment on the path, and neither a terminal nor our own settings.
        patch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        for name in [name for name in os.environ if name.startswith("ANSIBLE_")] + ["TERM"]:
            patch.delenv(name, raising=False)
        yield launch


@pytest.fixture(scope="session")
def converged(launcher: Callable[..., Job]) -> Job:
    """The job that made the bare host what its inventory says."""
    site = launcher("site")
    assert site.status == "successful", site.output
    return site


@pytest.fixture(scope="session")
def job(launcher: Callable[..., Job], converged: Job) -> Callable[..., Job]:
    """Return what launches a job template, once `site` has run: a job finds a host as the one before left it."""
    return launcher


@pytest.fixture
def imported(tmp_path: Path) -> Iterator[str]:
    """The inventory as AWX keeps it: read once, put into a database, and handed to the job as one document."""
    command = [str(Path(sys.executable).with_name("ansible-inventory")), "--list", "--export"]
    for path in INVENTORIES:
        command += ["-i", str(path)]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    script = tmp_path / "hosts"
    script.write_text(f"#!{sys.executable}\nprint({json.dumps(listed.stdout)})\n", encoding="utf-8")
    script.chmod(0o755)
    yield str(script)
