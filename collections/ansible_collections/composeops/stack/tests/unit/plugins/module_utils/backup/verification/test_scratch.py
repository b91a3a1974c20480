# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup import images
from ansible_collections.composeops.stack.plugins.module_utils.backup.damage import Damaged
from ansible_collections.composeops.stack.plugins.module_utils.backup.interruption import (
    Interrupted,
    interruptible,
    undisturbed,
)
from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import Manifest
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Source
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification import postgres, scratch
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification.scratch import Place
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification.verifier import Task
from ansible_collections.composeops.stack.plugins.module_utils.errors import CommandError, ComposeOpsError
from ansible_collections.composeops.stack.tests.unit.support.recorded import RecordedRunner

PLACE = Place(memory=1024, mounts={"/composeops/dump": "/var/lib/dump"})


def task(answer: Callable[[Sequence[str]], tuple[int, str, str]]) -> Task:
    source = Source("database", "postgres", "petcare", "postgres", "pet", "petuser")
    manifest = Manifest("id", "database", "h", "postgres", "", "", ())
    return Task(source, manifest, RecordedRunner(answer), "/nowhere", time.monotonic() + 60)


def calls(one: Task) -> list[list[str]]:
    return one.runner.calls


@pytest.mark.parametrize("place", [PLACE, postgres.READER, postgres.SERVER], ids=["a place", "a reader", "a server"])
def test_no_container_of_a_drill_reaches_anything(place: Place) -> None:
    words = scratch.options("database", place)
    for option, value in (
        ("--network", "none"),
        ("--label", "composeops.drill=database"),
        ("--memory", str(place.memory)),
        ("--memory-swap", str(place.memory)),
        ("--cap-drop", "ALL"),
        ("--security-opt", "no-new-privileges"),
        ("--restart", "no"),
    ):
        assert words[words.index(option) + 1] == value
    assert not {"--privileged", "--volumes-from", "--publish", "--pid", "--ipc", "--volume"}.intersection(words)
    mounts = [words[at + 1] for at, word in enumerate(words) if word == "--mount"]
    assert all(mount.startswith("type=bind,") and mount.endswith(",readonly") for mount in mounts)


def test_a_container_is_removed_by_its_label_however_the_block_ends() -> None:
    one = task(lambda argv: (0, "abc\n", ""))
    with pytest.raises(ComposeOpsError, match="stopped"), scratch.container(one, "sha256:0", PLACE, "", ["x"]) as found:
        assert found == "abc"
        raise ComposeOpsError("stopped")
    assert calls(one)[-2:] == [
        ["docker", "ps", "--all", "--quiet", "--filter", "label=composeops.drill=database"],
        ["docker", "rm", "--force", "--volumes", "abc"],
    ]


@pytest.fixture(params=[False, True], ids=["alone", "beside a thread"])
def signalled(request: pytest.FixtureRequest) -> Iterator[Callable[[], None]]:
    """Send the process a signal; return once Python has it, by way of another thread where there is one."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    before = signal.set_wakeup_fd(theirs.fileno())
    done = threading.Event()
    threads = [threading.Thread(target=done.wait)] if request.param else []
    for thread in threads:
        thread.start()

    def send() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        # Where every thread keeps it waiting, nothing comes.
        assert select.select([ours], [], [], 5 if threads else 0)[0] or not threads

    yield send
    done.set()
    for thread in threads:
        thread.join()
    signal.set_wakeup_fd(before)
    ours.close()
    theirs.close()


def test_a_drill_that_is_stopped_while_it_removes_its_container_removes_it_and_then_stops(
    signalled: Callable[[], None],
) -> None:
    def answer(argv: Sequence[str]) -> tuple[int, str, str]:
        if argv[1] == "ps":
            signalled()
        return 0, "abc\n", ""

    one = task(answer)
    with pytest.raises(Interrupted), interruptible(), scratch.container(one, "sha256:0", PLACE, "", ["x"]):
        pass
    assert [call[1] for call in calls(one)] == ["run", "ps", "rm"]


def test_programs_that_remove_a_container_do_not_see_the_signal_that_stops_the_drill() -> None:
    with undisturbed():
        ignored = subprocess.run(["sh", "-c", "kill -TERM $$; echo removed"], capture_output=True, check=False)
    assert ignored.stdout == b"removed\n"


def test_one_that_could_not_be_made_is_looked_for_all_the_same() -> None:
    one = task(lambda argv: (125, "", "no such image") if argv[1] == "run" else (0, "", ""))
    with pytest.raises(CommandError), scratch.container(one, "sha256:0", PLACE, "", []):
        pass
    assert [call[1] for call in calls(one)] == ["run", "ps"]


@pytest.mark.parametrize(
    ("status", "said", "bad"),
    [
        (1, "pg_restore: error: could not read from input file: end of file", True),
        (1, "could not write: No space left on device", False),
        (125, "Unable to find image", False),
        (127, "executable file not found", False),
        (137, "", False),
        (139, "", False),
    ],
    ids=["refused", "disk full", "no image", "no program", "killed", "crashed"],
)
def test_what_a_program_says_of_a_backup(status: int, said: str, bad: bool) -> None:
    one = task(lambda argv: (status, "", said) if argv[1] == "run" else (0, "", ""))
    with pytest.raises(ComposeOpsError) as raised:
        scratch.program(one, "sha256:0", PLACE, ["pg_restore", "--file=/dev/null"])
    assert isinstance(raised.value, Damaged) is bad
    assert calls(one)[-1][1] == "ps"


def test_a_program_runs_without_a_shell() -> None:
    one = task(lambda argv: (0, "out", "err"))
    assert scratch.program(one, "sha256:0", PLACE, ["pg_restore", "--list"]) == "outerr"
    assert calls(one)[0][-4:] == ["--entrypoint", "pg_restore", "sha256:0", "--list"]


@pytest.mark.parametrize(
    ("error", "running", "bad"),
    [
        (CommandError("pg_restore failed", returncode=1), True, True),
        (CommandError("pg_restore failed", returncode=1), False, False),
        (CommandError("pg_restore: No space left on device", returncode=1), True, False),
        (CommandError("did not end in time"), True, False),
        (Damaged("other rows"), True, True),
        (ComposeOpsError("Stopped by SIGTERM."), True, False),
    ],
    ids=["refused", "the container died", "disk full", "too slow", "compared", "stopped"],
)
def test_what_went_wrong_is_judged(error: ComposeOpsError, running: bool, bad: bool) -> None:
    one = task(lambda argv: (0, json.dumps({"Running": running}), ""))
    with pytest.raises(ComposeOpsError) as raised, scratch.judged(one, "abc"):
        raise error
    assert isinstance(raised.value, Damaged) is bad


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ({"Running": True}, ""),
        ({"Running": False, "OOMKilled": True, "ExitCode": 137}, "out of memory; it said: bye"),
        ({"Running": False, "OOMKilled": False, "ExitCode": 1}, "status 1; it said: bye"),
    ],
    ids=["runs", "out of memory", "ended"],
)
def test_why_a_container_ended(state: dict[str, object], why: str) -> None:
    one = task(lambda argv: (0, "bye" if argv[1] == "logs" else json.dumps(state), ""))
    assert scratch.died(one, "abc") == why


@pytest.mark.parametrize(
    ("origin", "there", "chosen", "pulled"),
    [
        ({"image": "sha256:0", "image_digest": "pg@sha256:1"}, ["sha256:0"], "sha256:0", False),
        ({"image": "sha256:0", "image_digest": "pg@sha256:1"}, ["pg@sha256:1"], "pg@sha256:1", False),
        ({"image": "sha256:0", "image_digest": "pg@sha256:1"}, [], "pg@sha256:1", True),
    ],
    ids=["its id", "its digest", "pulled"],
)
def test_the_image_of_the_backup_is_found(origin: dict[str, str], there: list[str], chosen: str, pulled: bool) -> None:
    runner = RecordedRunner(lambda argv: (0 if argv[1] == "pull" or argv[-1] in there else 1, "", ""))
    assert images.require(runner, origin, 60) == chosen
    assert any(call[1] == "pull" for call in runner.calls) is pulled


def test_an_image_that_is_gone_for_good_is_no_judgement() -> None:
    with pytest.raises(ComposeOpsError, match="does not have the image sha256:0") as raised:
        images.require(RecordedRunner(lambda argv: (1, "", "")), {"image": "sha256:0"}, 60)
    assert not isinstance(raised.value, Damaged)


@pytest.mark.parametrize(
    ("said", "digest"),
    [('["pg@sha256:1"]\n', "pg@sha256:1"), ("[]", ""), ("null", "")],
    ids=["pulled", "built", "no"],
)
def test_a_manifest_says_by_which_digest_its_image_is_pulled(said: str, digest: str) -> None:
    runner = RecordedRunner(lambda argv: (0, said, ""))
    assert images.origin(runner, "sha256:0") == {"image": "sha256:0", "image_digest": digest}


@pytest.mark.parametrize(
    ("origin", "argv"),
    [
        ({}, ["postgres"]),
        ({"preloaded": None}, ["postgres"]),
        ({"preloaded": ""}, ["postgres"]),
        ({"preloaded": "pg_cron,timescaledb"}, ["postgres", "-c", "shared_preload_libraries=pg_cron,timescaledb"]),
    ],
    ids=["an older backup", "hidden from its user", "none", "two"],
)
def test_a_server_has_the_libraries_that_its_extensions_need(origin: dict[str, object], argv: list[str]) -> None:
    assert postgres.command(origin) == argv


def test_a_server_is_waited_for_until_it_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "SPACING", 0.0)
    answers = [False, False, True]
    one = task(lambda argv: (0, json.dumps({"Running": True}), ""))
    scratch.wait_until(one, "abc", "PostgreSQL", lambda: answers.pop(0))
    assert answers == []


@pytest.mark.parametrize(
    ("running", "seconds", "said"),
    [
        pytest.param(False, 60.0, "The throw-away Redis ended: status 1", id="ended"),
        pytest.param(True, 0.0, "The throw-away Redis did not get ready in time", id="too slow"),
    ],
)
def test_a_server_that_never_gets_ready_says_nothing_of_the_backup(
    monkeypatch: pytest.MonkeyPatch, running: bool, seconds: float, said: str
) -> None:
    monkeypatch.setattr(scratch, "START_SECONDS", seconds)
    one = task(lambda argv: (0, json.dumps({"Running": running, "ExitCode": 1}), ""))
    with pytest.raises(ComposeOpsError, match=said) as raised:
        scratch.wait_until(one, "abc", "Redis", lambda: False)
    assert not isinstance(raised.value, Damaged)
