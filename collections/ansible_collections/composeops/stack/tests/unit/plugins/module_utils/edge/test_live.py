# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.edge.live import LiveTree, NotLoaded
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError

FIRST = {"policy.conf": "one\n", "sites/a.test.conf": "a\n"}
SECOND = {"policy.conf": "two\n", "sites/b.test.conf": "b\n"}


@dataclass
class FakeNginx:
    """Loads whatever is live when told to, unless it refuses."""

    root: Path
    refuses: Callable[[dict[str, str]], bool] = lambda tree: False
    deaf: set[int] = field(default_factory=set)
    declined: set[int] = field(default_factory=set)
    loaded: list[int] = field(default_factory=list)

    def test_tree(self, tree: str) -> list[str]:
        content = {str(path.relative_to(tree)): path.read_text() for path in Path(tree).rglob("*.conf")}
        if self.refuses(content):
            raise ComposeOpsError("nginx refuses site b.test.", "Nothing was changed.")
        return ["nginx: a warning"]

    def reload_until(self, generation: int) -> None:
        assert os.readlink(self.root / "live") == f"generations/{generation}"
        if generation in self.declined:
            raise NotLoaded(f"nginx did not load generation {generation}. It logged: bind() failed")
        if generation in self.deaf:
            raise ComposeOpsError(f"nginx did not load generation {generation}.")
        self.loaded.append(generation)


@pytest.fixture
def nginx(tmp_path: Path) -> FakeNginx:
    return FakeNginx(tmp_path)


@pytest.fixture
def live(tmp_path: Path) -> LiveTree:
    return LiveTree(str(tmp_path))


def generations(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "generations").iterdir())


def test_nothing_is_live_on_a_bare_host(live: LiveTree) -> None:
    assert live.generation() is None
    assert live.files() == {}


def test_a_published_tree_is_live_and_loaded(live: LiveTree, nginx: FakeNginx, tmp_path: Path) -> None:
    assert live.publish(FIRST, nginx) == ["nginx: a warning"]
    assert live.files() == FIRST
    assert nginx.loaded == [live.generation()] == [1]
    assert (tmp_path / "live/generation.conf").read_text() == "map $host $composeops_generation {\n    default 1;\n}\n"


def test_a_published_tree_can_be_read_by_the_workers(live: LiveTree, nginx: FakeNginx, tmp_path: Path) -> None:
    live.publish(FIRST, nginx)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "live/").rglob("*.conf")} == {0o644}


def test_the_live_tree_and_the_one_before_are_kept(live: LiveTree, nginx: FakeNginx, tmp_path: Path) -> None:
    for tree in (FIRST, SECOND, FIRST):
        live.publish(tree, nginx)
    assert (live.generation(), generations(tmp_path)) == (3, ["2", "3"])


def test_a_refused_tree_leaves_no_trace(live: LiveTree, nginx: FakeNginx, tmp_path: Path) -> None:
    live.publish(FIRST, nginx)
    nginx.refuses = lambda tree: "sites/b.test.conf" in tree
    with pytest.raises(ComposeOpsError, match=r"nginx refuses site b\.test"):
        live.publish(SECOND, nginx)
    assert live.files() == FIRST
    assert (nginx.loaded, generations(tmp_path)) == ([1], ["1"])


def test_a_tree_that_nginx_does_not_load_is_taken_back(live: LiveTree, nginx: FakeNginx) -> None:
    live.publish(FIRST, nginx)
    nginx.deaf = {2}
    with pytest.raises(
        ComposeOpsError, match=r"did not load generation 2\. The configuration from before was put back"
    ):
        live.publish(SECOND, nginx)
    assert live.files() == FIRST
    assert nginx.loaded == [1, 1]


def test_an_nginx_that_kept_what_it_had_is_not_reloaded_to_get_it_back(live: LiveTree, nginx: FakeNginx) -> None:
    live.publish(FIRST, nginx)
    nginx.declined = {2}
    with pytest.raises(ComposeOpsError, match=r"bind\(\) failed The configuration from before was put back and serves"):
        live.publish(SECOND, nginx)
    assert live.files() == FIRST
    assert nginx.loaded == [1]


def test_failing_to_go_back_is_told_as_it_is(live: LiveTree, nginx: FakeNginx) -> None:
    live.publish(FIRST, nginx)
    nginx.deaf = {1, 2}
    with pytest.raises(ComposeOpsError, match="is back on disk, but nginx did not load it either"):
        live.publish(SECOND, nginx)
    assert live.generation() == 1


def test_a_first_tree_that_nginx_does_not_load_is_not_live(live: LiveTree, nginx: FakeNginx) -> None:
    nginx.deaf = {1}
    with pytest.raises(ComposeOpsError, match="no site is served yet"):
        live.publish(FIRST, nginx)
    assert live.generation() is None


def test_what_a_killed_run_left_behind_is_not_built_upon(live: LiveTree, nginx: FakeNginx, tmp_path: Path) -> None:
    live.publish(FIRST, nginx)
    (tmp_path / "generations/2/sites").mkdir(parents=True)
    (tmp_path / "generations/2/sites/half.conf").write_text("server {")
    (tmp_path / "live.new").symlink_to("generations/2")
    live.publish(SECOND, nginx)
    assert live.files() == SECOND
    assert generations(tmp_path) == ["1", "3"]


def test_trying_a_tree_out_changes_nothing(live: LiveTree, nginx: FakeNginx, tmp_path: Path) -> None:
    live.publish(FIRST, nginx)
    nginx.refuses = lambda tree: "sites/b.test.conf" in tree
    with pytest.raises(ComposeOpsError, match="refuses"):
        live.try_out(SECOND, nginx)
    assert live.try_out(FIRST, nginx) == ["nginx: a warning"]
    assert (live.files(), nginx.loaded, generations(tmp_path)) == (FIRST, [1], ["1"])
