# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.release import state
from ansible_collections.composeops.stack.plugins.module_utils.release.state import Endpoint, StackState

RECORD = StackState(
    stack="shop",
    project="shop",
    revision="5f2b8c0de1a94b73",
    applied_at="2026-05-01T12:00:00+00:00",
    endpoints=(Endpoint("web", 80, "127.0.0.1", 21000), Endpoint("api", 3000, "127.0.0.1", 21001)),
    services={"web": "shop/web:1"},
    images={"web": "sha256:1f2e"},
    inputs="abc",
    files=("files/a.conf",),
    stopped=True,
)


@pytest.fixture
def root(tmp_path: Path) -> str:
    (tmp_path / "shop").mkdir()
    return str(tmp_path)


def test_reads_back_what_was_written(root: str) -> None:
    state.write_state(RECORD, root)
    assert state.read_state("shop", root) == RECORD


def test_a_stack_that_was_never_deployed_has_no_record(root: str) -> None:
    assert state.read_state("shop", root) is None
    assert state.endpoints("shop", root=root) == []


def test_endpoints_of_one_service(root: str) -> None:
    state.write_state(RECORD, root)
    assert state.endpoints("shop", "api", root) == [Endpoint("api", 3000, "127.0.0.1", 21001)]
    assert len(state.endpoints("shop", root=root)) == 2


DAMAGED = {
    "not JSON": "{",
    "empty": "",
    "another shape": "[]",
    "a later schema": json.dumps({**json.loads(state.serialise(RECORD)), "schema": 99}),
    "a missing entry": json.dumps({"schema": 1, "stack": "shop"}),
    "an endpoint with another shape": json.dumps({**json.loads(state.serialise(RECORD)), "endpoints": [{"x": 1}]}),
}


@pytest.mark.parametrize("text", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_record_is_named_with_what_to_do(root: str, text: str) -> None:
    Path(state.path("shop", root)).write_text(text)
    with pytest.raises(
        ComposeOpsError, match=r"shop/state\.json is not a stack record .*Move it away and deploy again"
    ):
        state.read_state("shop", root)


def test_other_stacks_are_not_mixed_up(root: str) -> None:
    (Path(root) / "shop2").mkdir()
    state.write_state(replace(RECORD, stack="shop2"), root)
    assert state.read_state("shop", root) is None
