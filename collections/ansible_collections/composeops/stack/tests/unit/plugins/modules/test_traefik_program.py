# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.edge.traefik import program
from ansible_collections.composeops.stack.plugins.module_utils.errors import CommandError, ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Completed
from ansible_collections.composeops.stack.plugins.modules import traefik_program


@dataclass
class Engine:
    """An engine whose registry has images with one program each."""

    root: Path
    registry: dict[str, bytes]
    present: set[str] = field(default_factory=set)
    containers: dict[str, str] = field(default_factory=dict)

    def run(self, argv: Sequence[str], **options: Any) -> Completed:
        words = list(argv)
        if words[1:3] == ["image", "inspect"]:
            return Completed(tuple(words), 0 if words[3] in self.present else 1, "", "")
        if words[1] == "pull":
            if words[-1] not in self.registry:
                raise CommandError("docker pull failed.", stderr="manifest unknown")
            self.present.add(words[-1])
        elif words[1] == "create":
            self.containers["abc"] = words[2]
            return Completed(tuple(words), 0, "abc\n", "")
        elif words[1] == "cp":
            identifier = words[3].partition(":")[0]
            Path(words[4]).write_bytes(self.registry[self.containers[identifier]])
        elif words[1] == "rm":
            del self.containers[words[-1]]
        return Completed(tuple(words), 0, "", "")

    @property
    def path(self) -> Path:
        return self.root / "traefik"

    def install(self, image: str, sha256: str = "", *, check: bool = False) -> dict[str, Any]:
        return traefik_program.run({"image": image, "sha256": sha256, "path": str(self.path)}, check=check)


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    found = Engine(tmp_path, {"traefik:v3.7": b"seven", "traefik:v3.8": b"eight"})
    record = str(tmp_path / "record/traefik.json")
    monkeypatch.setattr(traefik_program, "CommandRunner", lambda: found)
    monkeypatch.setattr(traefik_program, "Program", lambda runner, path: program.Program(runner, path, record))
    return found


def test_the_program_comes_out_of_its_image_and_leaves_no_container(engine: Engine) -> None:
    assert engine.install("traefik:v3.7", check=True)["changed"]
    assert not engine.path.exists()
    done = engine.install("traefik:v3.7")
    assert (done["changed"], done["sha256"]) == (True, hashlib.sha256(b"seven").hexdigest())
    assert (engine.path.read_bytes(), engine.path.stat().st_mode & 0o777) == (b"seven", 0o755)
    assert engine.containers == {}


def test_a_second_run_changes_nothing_and_asks_no_engine(engine: Engine) -> None:
    first = engine.install("traefik:v3.7")
    engine.registry.clear()
    engine.present.clear()
    assert engine.install("traefik:v3.7") == {"changed": False, "plan": [], "sha256": first["sha256"]}


@pytest.mark.parametrize("how", ["image", "content", "gone", "checksum"])
def test_what_is_not_as_it_should_be_is_installed_anew(engine: Engine, how: str) -> None:
    engine.install("traefik:v3.7")
    image, wanted = "traefik:v3.7", ""
    if how == "image":
        image = "traefik:v3.8"
    elif how == "content":
        engine.path.write_bytes(b"other")
    elif how == "gone":
        engine.path.unlink()
    else:
        engine.registry[image] = b"rebuilt"
        wanted = hashlib.sha256(b"rebuilt").hexdigest()
    assert engine.install(image, wanted)["changed"]
    assert engine.path.read_bytes() == engine.registry[image]
    assert not engine.install(image, wanted)["changed"]


def test_another_program_than_the_one_wanted_is_refused_and_the_old_one_stays(engine: Engine) -> None:
    engine.install("traefik:v3.7")
    with pytest.raises(ComposeOpsError, match=r"has the checksum .*, not 00\. What was installed before stays"):
        engine.install("traefik:v3.8", "00")
    assert [path.name for path in engine.root.glob("traefik*")] == ["traefik"]
    assert engine.path.read_bytes() == b"seven"
    assert engine.containers == {}


def test_an_image_that_cannot_be_had_is_told(engine: Engine) -> None:
    with pytest.raises(ComposeOpsError, match=r"The image traefik:v9 cannot be pulled: manifest unknown Correct edge_"):
        engine.install("traefik:v9")
