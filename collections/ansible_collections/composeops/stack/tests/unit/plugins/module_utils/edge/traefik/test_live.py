# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.edge.traefik.live import LiveDirectory
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.traefik import NotRunning, Traefik
from ansible_collections.composeops.stack.plugins.module_utils.release import traefik_file
from ansible_collections.composeops.stack.tests.unit.plugins.module_utils.edge.traefik.test_plan import tree


@dataclass
class Edge(Traefik):
    """A Traefik that reads its directory whenever it is asked."""

    directory: Path
    refuses: str = ""
    running: bool = True
    stuck: bool = False
    states: list[list[str]] = field(default_factory=list)

    def has_taken(self, marker: str) -> bool:
        if not self.running:
            raise NotRunning("Traefik does not run on this host.")
        found = [path.read_text() for path in sorted(self.directory.glob("*.yml"))]
        markers = [traefik_file.marker(text) for text in found]
        if not self.states or self.states[-1] != markers:
            self.states.append(markers)
        return marker in markers and not self.stuck

    def objections(self) -> dict[str, str]:
        texts = [path.read_text() for path in self.directory.glob("*.yml")]
        return {"a.test-1": "no such thing"} if self.refuses and any(self.refuses in text for text in texts) else {}


@pytest.fixture
def edge(tmp_path: Path) -> Edge:
    return Edge(tmp_path)


def live(edge: Edge) -> LiveDirectory:
    return LiveDirectory(edge, str(edge.directory), sleep=lambda seconds: None, timeout=0.05)


def test_a_host_without_traefik_has_no_files(tmp_path: Path) -> None:
    assert LiveDirectory(Edge(tmp_path), str(tmp_path / "absent")).files() == {}


def test_what_is_published_is_what_is_there(edge: Edge) -> None:
    live(edge).publish(tree("web"))
    live(edge).publish(tree("web", stack="blog"))
    assert live(edge).files() == tree("web", stack="blog")


def test_each_stage_is_taken_before_the_next(edge: Edge) -> None:
    live(edge).publish(tree("web"))
    edge.states.clear()
    live(edge).publish(tree("api"))
    assert len(edge.states) == 3


def test_what_traefik_refuses_is_put_back(edge: Edge) -> None:
    live(edge).publish(tree("web"))
    edge.refuses = "shop-api-80"
    with pytest.raises(ComposeOpsError) as raised:
        live(edge).publish(tree("api"))
    assert str(raised.value) == (
        "Traefik refuses a.test-1: no such thing. What was there before was put back; correct it and run again."
    )
    assert live(edge).files() == tree("web")


def test_what_traefik_does_not_take_is_put_back(edge: Edge) -> None:
    live(edge).publish(tree("web"))
    edge.stuck = True
    with pytest.raises(ComposeOpsError, match="Traefik did not take the sites, services of stack shop within"):
        live(edge).publish(tree("web", "api"))
    assert live(edge).files() == tree("web")


def test_a_traefik_that_does_not_run_is_told(edge: Edge) -> None:
    edge.running = False
    with pytest.raises(ComposeOpsError, match="Traefik does not run on this host within"):
        live(edge).publish(tree("web"))
    assert live(edge).files() == {}


def test_what_is_on_disk_and_not_loaded_is_told(edge: Edge) -> None:
    live(edge).publish(tree("web"))
    live(edge).confirm()
    edge.stuck = True
    with pytest.raises(ComposeOpsError, match="did not take"):
        live(edge).confirm()


def test_a_nudge_leaves_nothing_behind(edge: Edge) -> None:
    live(edge).publish(tree("web"))
    live(edge).nudge()
    assert live(edge).files() == tree("web")
