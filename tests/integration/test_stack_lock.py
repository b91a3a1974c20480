"""The lock of a stack, by run and by hand, and the audit log, on a real host."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.integration.bed_host import BedHost, Completed
from tests.integration.stack_host import STACK, StackHost, bare_fixture, deployed_fixture, engine_fixture

pytestmark = pytest.mark.bed

__all__ = ["bare_fixture", "deployed_fixture", "engine_fixture"]

AUDIT = "/var/log/composeops/audit.jsonl"
RECORDS = f"/var/lib/composeops/stacks/{STACK}"
SLOW = 12
"""Seconds that the application of a slow deployment needs to start."""


class Others:
    """A second operator, whose runs go on beside those of the test."""

    def __init__(self, stack: StackHost, directory: Path) -> None:
        self._pool = ThreadPoolExecutor(1)
        self.stack = StackHost(BedHost(stack.bed.inventory, directory), stack.directory)

    def deploy(self, **environment: str) -> Future[dict[str, Any]]:
        """Begin a deployment as bob, and return when it has the stack and waits for its containers."""
        self.stack.environment = {"VERSION": "1.0.0", **environment}
        begun = self._pool.submit(self.stack.deploy, operator="bob")
        self.stack.wait_until(lambda: begun.done() or running(self.stack).get("step") == "base")
        assert not begun.done(), begun.result()
        return begun

    def close(self) -> None:
        self._pool.shutdown()


@pytest.fixture(name="stack", scope="module")
def stack_fixture(bare: StackHost) -> StackHost:
    """The stack's host with the program, and an audit log that begins here."""
    assert not bare.bed.module("composeops.stack.program", {})["failed"]
    bare.bed.run(["rm", "-f", AUDIT], check=True)
    return bare


@pytest.fixture(name="others")
def others_fixture(stack: StackHost, deployed: StackHost, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Others]:
    # Not tmp_path, which is as long as the name of the test: a socket lies there, whose path has to be short.
    others = Others(stack, tmp_path_factory.mktemp("bob"))
    yield others
    others.close()


def running(stack: StackHost) -> dict[str, Any]:
    """Return which run is at work, as the program tells it."""
    found = stack.bed.run(["cat", f"/run/composeops/stack-{STACK}.holder.json"])
    return dict(json.loads(found.stdout)) if found.ok else {}


def lock(stack: StackHost, state: str = "held", *, check: bool = False, **options: Any) -> dict[str, Any]:
    given = {"reason": "incident 42", "duration": "1h", "operator": "ada"} if state == "held" else {"operator": "ada"}
    arguments = {"name": STACK, "state": state, **given, **options}
    return stack.bed.module("composeops.stack.stack_lock", arguments, check=check, diff=True)


def program(stack: StackHost, *words: str) -> Completed:
    return stack.bed.run(["composeops", *words])


def audit(stack: StackHost) -> list[dict[str, Any]]:
    completed = program(stack, "audit", STACK, "--json", "--lines", "1000")
    assert completed.ok, completed
    return list(json.loads(completed.stdout))


def test_of_two_deploys_at_once_one_wins_and_the_other_names_it(others: Others, deployed: StackHost) -> None:
    first = others.deploy(START_DELAY=str(SLOW))
    deployed.environment = {"VERSION": "1.1.0"}
    second = deployed.deploy(operator="ada")
    assert second["failed"]
    assert f"Stack {STACK} is held by bob (deploy by ansible since " in second["msg"]
    assert "at step base since " in second["msg"]
    assert "lock_wait" in second["msg"]
    status = program(deployed, "status", STACK).stdout
    assert "a run is under way: bob (deploy by ansible" in status
    assert not first.result()["failed"], first.result()["msg"]
    assert deployed.version() == "1.0.0"
    refused, done = audit(deployed)[-1], audit(deployed)[-2]
    assert (done["operator"], done["operation"], done["result"]) == ("bob", "deploy", "ok")
    assert (done["from_release"] + 1, done["seconds"] >= SLOW) == (done["to_release"], True)
    assert (refused["operator"], refused["result"]) == ("ada", "refused")


def test_one_that_may_wait_does_its_work_afterwards(others: Others, deployed: StackHost) -> None:
    first = others.deploy(START_DELAY=str(SLOW))
    deployed.environment = {"VERSION": "1.1.0"}
    second = deployed.deploy(operator="ada", lock_wait=120)
    assert not second["failed"], second["msg"]
    assert second["changed"]
    assert any(warning.startswith("waited ") and "for bob (deploy" in warning for warning in second["warnings"])
    assert not first.result()["failed"], first.result()["msg"]
    assert deployed.version() == "1.1.0"


def test_a_killed_run_is_in_the_log_and_keeps_nobody_out(others: Others, deployed: StackHost) -> None:
    first = others.deploy(START_DELAY=str(SLOW))
    deployed.bed.run(["kill", "-9", str(running(deployed)["process"])], check=True)
    assert first.result()["failed"]
    last = audit(deployed)[-1]
    assert (last["operator"], last["operation"], last["result"]) == ("bob", "deploy", "interrupted")
    assert "a run is under way" not in program(deployed, "status", STACK).stdout
    deployed.environment = {"VERSION": "1.0.0"}
    again = deployed.deploy(operator="ada")
    assert not again["failed"], again["msg"]
    assert audit(deployed)[-1]["result"] == "ok"


def test_check_hold_check_hold_and_release(deployed: StackHost) -> None:
    predicted = lock(deployed, check=True)
    assert predicted["changed"]
    assert not deployed.bed.exists(f"{RECORDS}/hold.json")
    held = lock(deployed)
    assert held["changed"]
    assert held["diff"][0]["before"] == "not held\n"
    assert not lock(deployed, check=True)["changed"]
    assert lock(deployed)["hold"] == held["hold"]
    longer = lock(deployed, duration="2h")
    assert longer["changed"]
    assert longer["hold"]["until"] > held["hold"]["until"]
    assert "held by ada" in lock(deployed, operator="bob")["msg"]
    assert "never deployed" in lock(deployed, name="no-such-stack")["msg"]
    information = deployed.bed.module("composeops.stack.stack_info", {"name": STACK})
    assert information["hold"] == longer["hold"]
    assert f"held by ada until {longer['hold']['until']}: incident 42" in program(deployed, "status", STACK).stdout
    assert lock(deployed, "released", check=True)["changed"]
    assert lock(deployed, "released")["changed"]
    assert not lock(deployed, "released")["changed"]


def test_a_held_stack_is_left_alone_until_it_is_released(deployed: StackHost) -> None:
    before = deployed.containers()
    assert program(deployed, "hold", STACK, "--reason", "incident 42", "--for", "2h").ok
    deployed.environment = {"VERSION": "1.1.0"}
    runs = [deployed.deploy(), deployed.state("stopped"), deployed.state("restarted"), deployed.state("absent")]
    runs.append(deployed.bed.module("composeops.stack.rollback", {"name": STACK}))
    for result in runs:
        assert result["failed"]
        assert "incident 42. Nothing was changed." in result["msg"]
        assert f"`composeops resume {STACK}`" in result["msg"]
    assert deployed.containers() == before
    checked = deployed.deploy(check=True)
    assert any(warning.startswith("Now it would be refused") for warning in checked["warnings"])
    assert program(deployed, "resume", STACK).stdout.startswith(f"Stack {STACK} is released.")
    assert not deployed.deploy()["failed"]
    assert deployed.version() == "1.1.0"


def test_a_hold_ends_by_itself_and_the_next_run_says_so(deployed: StackHost) -> None:
    assert program(deployed, "hold", STACK, "--reason", "a moment", "--for", "1s").ok
    until = json.loads(deployed.bed.read(f"{RECORDS}/hold.json"))["until"]
    deployed.wait_until(lambda: deployed.bed.run(f"test $(date +%s) -ge $(date +%s -d {until})").ok)
    result = deployed.deploy()
    assert not result["failed"], result["msg"]
    assert any(warning.endswith("that is over, and was removed") for warning in result["warnings"])
    assert not deployed.bed.exists(f"{RECORDS}/hold.json")


def test_a_hold_that_cannot_be_understood_is_an_error_until_it_is_released(deployed: StackHost) -> None:
    deployed.bed.write(f"{RECORDS}/hold.json", "{", mode="0600")
    result = deployed.deploy()
    assert result["failed"]
    assert "cannot be understood" in result["msg"]
    assert program(deployed, "resume", STACK).ok
    assert not deployed.deploy()["failed"]


def test_a_failed_deployment_is_written_with_its_reason_and_no_secret(deployed: StackHost) -> None:
    deployed.environment = {"VERSION": "1.0.0", "UNHEALTHY": "1"}
    assert deployed.deploy(operator="ada", health={"attempts": 2, "interval": 2})["failed"]
    last = audit(deployed)[-1]
    assert (last["operator"], last["result"]) == ("ada", "rolled back")
    assert last["to_release"] > last["from_release"]
    assert "web" in last["reason"]
    assert deployed.secret() not in deployed.bed.read(AUDIT)


def test_the_log_is_for_root_and_nothing_is_in_it_of_runs_that_change_nothing(deployed: StackHost) -> None:
    before = deployed.bed.read(AUDIT)
    assert not deployed.deploy()["changed"]
    assert not deployed.deploy(check=True)["changed"]
    assert deployed.bed.read(AUDIT) == before
    shown = deployed.bed.run(f"stat -c '%a %U' {AUDIT} /var/log/composeops", check=True).stdout
    assert shown == "600 root\n750 root\n"


def test_the_log_is_read_across_its_rotation(deployed: StackHost) -> None:
    before = audit(deployed)
    deployed.bed.run(f"cp -a {AUDIT} {AUDIT}.1 && gzip {AUDIT}.1 && mv {AUDIT}.1.gz {AUDIT}.2.gz", check=True)
    deployed.bed.run(f": > {AUDIT}", check=True)
    try:
        deployed.state("stopped", operator="ada")
        after = audit(deployed)
    finally:
        deployed.bed.run(["rm", "-f", f"{AUDIT}.2.gz"], check=True)
    assert after[:-1] == before
    assert (after[-1]["operation"], after[-1]["operator"]) == ("stop", "ada")
