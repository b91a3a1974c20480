# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.release import audit, hold
from ansible_collections.composeops.stack.plugins.module_utils.release.run import Places, stack_run
from ansible_collections.composeops.stack.plugins.modules import stack_lock
from ansible_collections.composeops.stack.tests.unit.support.places import deploy, places


@pytest.fixture(name="here")
def here_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    where = places(tmp_path)
    deploy(where)
    monkeypatch.setattr(stack_lock, "PLACES", where)
    return where


def options(**changes: str) -> dict[str, str]:
    return {
        "name": "shop",
        "state": "held",
        "reason": "incident 42",
        "duration": "2h",
        "operator": "ada",
        **changes,
    }


def test_check_then_hold_then_nothing_then_release_then_nothing(here: Places) -> None:
    checked = stack_lock.run(options(), check=True)
    assert hold.read("shop", here.stacks) is None
    held = stack_lock.run(options(), check=False)
    again = stack_lock.run(options(), check=False)
    assert [result["changed"] for result in (checked, held, again)] == [True, True, False]
    assert (held["hold"]["holder"], held["hold"]["reason"], held["hold"]["seconds"]) == ("ada", "incident 42", 7200)
    assert again["hold"] == held["hold"]
    assert held["diff"][0]["before"] == "not held\n"
    assert held["diff"][0]["after"].startswith("held by ada until ")
    foreseen = stack_lock.run(options(state="released"), check=True)
    assert hold.read("shop", here.stacks)
    released = stack_lock.run(options(state="released", operator="bob"), check=False)
    over = stack_lock.run(options(state="released"), check=False)
    assert [result["changed"] for result in (foreseen, released, over)] == [True, True, False]
    assert released["hold"] == over["hold"] == {}
    assert [(run.operation, run.operator, run.result) for run in audit.runs(audit.read(here.audit), ())] == [
        ("hold", "ada", "ok"),
        ("resume", "bob", "ok"),
    ]


@pytest.mark.parametrize("check", [True, False], ids=["check", "apply"])
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"reason": ""}, "needs a reason"),
        ({"duration": "long"}, "is not a duration"),
        ({"name": "blog"}, "Stack blog was never deployed on this host"),
        ({"name": "../etc"}, "is not a stack name"),
        ({"operator": "bob"}, "held by ada"),
    ],
    ids=["no reason", "no duration", "not deployed", "no name", "held by another"],
)
def test_refuses(here: Places, changes: dict[str, str], said: str, check: bool) -> None:
    stack_lock.run(options(), check=False)
    with pytest.raises(ComposeOpsError, match=said):
        stack_lock.run(options(**changes), check=check)


def test_what_cannot_be_understood_can_be_released(here: Places) -> None:
    Path(hold.path("shop", here.stacks)).write_text("{")
    with pytest.raises(ComposeOpsError, match="cannot be understood"):
        stack_lock.run(options(), check=False)
    released = stack_lock.run(options(state="released"), check=False)
    assert released["changed"]
    assert hold.read("shop", here.stacks) is None


def test_a_run_under_way_is_told_of_and_goes_on(here: Places) -> None:
    with stack_run("shop", "deploy", operator="bob", places=here) as work:
        held = stack_lock.run(options(), check=False)
        work.begin()
    assert held["warnings"][0].startswith("A run is under way and goes on: bob (deploy by ansible since ")
    last = list(audit.read(here.audit))[-1]
    assert (last.operator, last.result) == ("bob", "ok")


def test_the_file_says_what_was_asked(here: Places) -> None:
    stack_lock.run(options(), check=False)
    content = json.loads(Path(hold.path("shop", here.stacks)).read_text())
    assert {"holder": "ada", "reason": "incident 42", "seconds": 7200}.items() <= content.items()
