# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.release import history
from ansible_collections.composeops.stack.plugins.module_utils.release.history import History, Release
from ansible_collections.composeops.stack.plugins.module_utils.release.model import (
    HealthPolicy,
    Migration,
    Published,
    RolloutPolicy,
    Routed,
    StackFile,
    StackRequest,
)

REQUEST = StackRequest(
    name="shop",
    compose="services: {}",
    files=(StackFile("files/logo", b"\xff\x00", executable=True),),
    environment={"VERSION": "1"},
    secrets=("TOKEN",),
    routed=(Routed("web", 80, path="/health", status=200),),
    published=(Published("mqtt", 1883, 1883),),
    overlapping=("worker",),
    rollout=RolloutPolicy(watch=1, drain=2, keep=3),
    migration=Migration("web", ("migrate", "--all")),
    health=HealthPolicy(3, 1.5),
)


def release(number: int, status: Any = "superseded", **changes: Any) -> Release:
    return Release(number, "2026-05-01T12:00:00+00:00", status, changes.pop("revision", f"r{number}"), **changes)


def test_a_request_comes_back_as_it_was() -> None:
    assert history.from_document(json.loads(json.dumps(history.as_document(REQUEST)))) == REQUEST


def test_root_alone_reads_a_release(tmp_path: Path) -> None:
    kept = History("shop", str(tmp_path))
    kept.begin(release(1, "deploying"), REQUEST)
    assert kept.all() == [release(1, "deploying")]
    assert kept.request(1) == REQUEST
    for path in (tmp_path / "shop/releases/1").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_numbers_only_grow(tmp_path: Path) -> None:
    kept = History("shop", str(tmp_path))
    for _ in range(4):
        number = kept.next_number()
        kept.begin(release(number), REQUEST)
        kept.forget([number - 1])
    assert [found.number for found in kept.all()] == [4]


def test_what_a_killed_run_left_open_is_settled_by_what_is_active(tmp_path: Path) -> None:
    kept = History("shop", str(tmp_path))
    for number, status in enumerate(("active", "deploying", "failed", "deploying"), start=1):
        kept.begin(release(number, status), REQUEST)
    kept.settle(active=2)
    assert {found.number: found.status for found in kept.all()} == {
        4: "abandoned",
        3: "failed",
        2: "active",
        1: "superseded",
    }


KEPT = [
    release(7, "active"),
    release(6, "failed", reason="never healthy"),
    release(5, "withdrawn"),
    release(4, revision="r7"),
    release(3),
    release(2, "abandoned"),
    release(1),
]


def test_the_newest_good_release_that_is_another_one_is_gone_back_to() -> None:
    assert history.to_go_back_to("shop", KEPT, 7, 0).number == 3


@pytest.mark.parametrize("wanted", [1, 3, 4, 5])
def test_any_release_that_served_can_be_named(wanted: int) -> None:
    assert history.to_go_back_to("shop", KEPT, 7, wanted).number == wanted


REFUSED = {
    "one that failed": (KEPT, 6, "Release 6 of stack shop never served: it is failed. never healthy"),
    "one that was abandoned": (KEPT, 2, "never served: it is abandoned"),
    "one that is not there": (KEPT, 99, "has no release 99 on this host"),
    "the first one": (KEPT[:1], 0, "has no earlier release to go back to"),
}


@pytest.mark.parametrize(("kept", "wanted", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_refuses_before_anything_moves(kept: list[Release], wanted: int, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        history.to_go_back_to("shop", kept, 7, wanted)
