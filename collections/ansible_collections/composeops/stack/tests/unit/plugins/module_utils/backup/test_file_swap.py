# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The shell scripts are run for real, in a directory, whole and cut short after every command."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup import file_swap
from ansible_collections.composeops.stack.plugins.module_utils.backup.file_swap import NEW, Journal
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Source
from ansible_collections.composeops.stack.plugins.module_utils.errors import CommandError, ComposeOpsError
from ansible_collections.composeops.stack.tests.unit.support.recorded import RecordedRunner

SOURCE = Source("redis", "redis", "petcare", "redis")
NAMES = ("dump.rdb", "appendonlydir", "appendonly.aof")
ASIDE = "before_20260131T023000Z"
CONTAINER = {
    "Id": "abc",
    "Image": "sha256:1",
    "Name": "/petcare-redis-1",
    "State": {"Running": True},
    "Config": {"Labels": {"com.docker.compose.service": "redis"}},
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with old files, and new ones ready."""
    directory = tmp_path / "data"
    for place, content in ((directory, "old"), (directory / NEW, "new")):
        (place / "appendonlydir").mkdir(parents=True)
        (place / "appendonlydir" / "base").write_text(content)
        (place / "dump.rdb").write_text(content)
    (directory / "another").write_text("not ours")
    return directory


def run(script: str, directory: Path) -> str:
    argv = ["sh", "-c", script, "sh", str(directory), ASIDE, *NAMES]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


def tree(directory: Path) -> dict[str, str]:
    return {str(path.relative_to(directory)): path.read_text() for path in directory.rglob("*") if path.is_file()}


OLD = {"dump.rdb": "old", "appendonlydir/base": "old", "another": "not ours"}
SWAPPED = {
    "dump.rdb": "new",
    "appendonlydir/base": "new",
    "another": "not ours",
    f"{ASIDE}/dump.rdb": "old",
    f"{ASIDE}/appendonlydir/base": "old",
    f"{ASIDE}/.replaced": "",
}


def test_a_swap_puts_the_new_files_in_place_and_keeps_the_old(data: Path) -> None:
    run(file_swap._SWAP, data)
    assert tree(data) == SWAPPED
    assert run(file_swap._STATE, data) == "replaced"


def test_an_undo_puts_everything_back(data: Path) -> None:
    run(file_swap._SWAP, data)
    run(file_swap._UNDO, data)
    assert tree(data) == OLD
    assert not (data / ASIDE).exists()


def test_an_undo_of_nothing_only_clears_away(data: Path) -> None:
    run(file_swap._UNDO, data)
    assert tree(data) == OLD


def test_new_files_where_there_were_none_are_taken_away_again(data: Path) -> None:
    subprocess.run(["rm", "-r", str(data / "appendonlydir")], check=True)
    run(file_swap._SWAP, data)
    run(file_swap._UNDO, data)
    assert tree(data) == {"dump.rdb": "old", "another": "not ours"}


def cut(script: str, commands: int) -> str:
    """Return a script that is killed before its command number ``commands``, as a shell's trap counts them."""
    return f"""
at=0
step() {{ at=$((at + 1)); if [ $at -gt {commands} ]; then kill -9 $$; fi; "$@"; }}
mv() {{ step command mv "$@"; }}
mkdir() {{ step command mkdir "$@"; }}
touch() {{ step command touch "$@"; }}
rm() {{ step command rm "$@"; }}
rmdir() {{ step command rmdir "$@"; }}
sync() {{ step true; }}
{script}"""


def attempt(script: str, directory: Path, commands: int) -> bool:
    argv = ["sh", "-c", cut(script, commands), "sh", str(directory), ASIDE, *NAMES]
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("commands", range(9))
def test_a_swap_killed_anywhere_is_undone_or_was_whole(data: Path, commands: int) -> None:
    finished = attempt(file_swap._SWAP, data, commands)
    if run(file_swap._STATE, data) == "replaced":
        assert tree(data) == SWAPPED
    else:
        assert not finished
        run(file_swap._UNDO, data)
        assert tree(data) == OLD


@pytest.mark.parametrize("commands", range(10))
def test_an_undo_killed_anywhere_is_completed_by_the_next(data: Path, commands: int) -> None:
    run(file_swap._SWAP, data)
    attempt(file_swap._UNDO, data, commands)
    run(file_swap._UNDO, data)
    assert tree(data) == OLD


SCRIPTS = {file_swap._SWAP: "swap", file_swap._UNDO: "undo", file_swap._STATE: "state"}


class Engine:
    """Answers like an engine whose helper container runs the given scripts' outcome."""

    def __init__(self, *, fails: str = "", state: str = "unfinished") -> None:
        self.fails = fails
        self.state = state
        self.done: list[str] = []

    def __call__(self, argv: Any) -> tuple[int, str, str]:
        if argv[:2] == ["docker", "ps"]:
            return 0, "abc petcare \n", ""
        if argv[:2] == ["docker", "inspect"]:
            return 0, json.dumps([CONTAINER]), ""
        if argv[:2] == ["docker", "rm"]:
            return 1, "", "No such container"
        step = argv[1]
        if step == "run":
            step = {file_swap._SWAP: "swap", file_swap._UNDO: "undo", file_swap._STATE: "state"}[
                argv[argv.index("-c") + 1]
            ]
        self.done.append(step)
        if step == self.fails:
            self.fails = ""
            return 1, "", "disk full"
        return 0, self.state if step == "state" else "", ""


JOURNAL = Journal("/data", NAMES, ASIDE)


def test_a_swap_stops_and_starts_the_server_and_leaves_its_journal_until_it_is_proven(tmp_path: Path) -> None:
    engine = Engine()
    file_swap.swap(RecordedRunner(engine), SOURCE, CONTAINER, JOURNAL, str(tmp_path))
    assert engine.done == ["stop", "swap", "start"]
    assert (tmp_path / "redis.restore.json").exists()
    file_swap.done(SOURCE, str(tmp_path))
    assert not (tmp_path / "redis.restore.json").exists()


@pytest.mark.parametrize(
    ("fails", "expected"),
    [
        ("stop", ["stop", "stop", "undo", "start"]),
        ("swap", ["stop", "swap", "stop", "undo", "start"]),
        ("start", ["stop", "swap", "start", "stop", "undo", "start"]),
    ],
)
def test_a_swap_that_fails_puts_the_old_files_back_and_starts_the_server(
    tmp_path: Path, fails: str, expected: list[str]
) -> None:
    engine = Engine(fails=fails)
    with pytest.raises(CommandError):
        file_swap.swap(RecordedRunner(engine), SOURCE, CONTAINER, JOURNAL, str(tmp_path))
    assert engine.done == expected
    assert not (tmp_path / "redis.restore.json").exists()


def test_the_server_is_started_even_when_its_files_cannot_be_put_back(tmp_path: Path) -> None:
    engine = Engine(fails="undo")
    with pytest.raises(CommandError, match="disk full"):
        file_swap.undo(RecordedRunner(engine), SOURCE, CONTAINER, JOURNAL, str(tmp_path))
    assert engine.done == ["stop", "undo", "start"]


@pytest.mark.parametrize(
    ("state", "expected", "said"),
    [
        ("replaced", ["state", "start"], "Finished an interrupted restore"),
        ("unfinished", ["state", "stop", "undo", "start"], "Undid an interrupted restore"),
    ],
)
def test_the_next_run_recovers_what_a_killed_one_left(
    tmp_path: Path, state: str, expected: list[str], said: str
) -> None:
    content = {"directory": "/data", "names": list(NAMES), "aside": ASIDE}
    (tmp_path / "redis.restore.json").write_text(json.dumps(content))
    engine = Engine(state=state)
    (note,) = file_swap.recover(SOURCE, RecordedRunner(engine), str(tmp_path))
    assert note.startswith(said)
    assert engine.done == expected
    assert not (tmp_path / "redis.restore.json").exists()


def test_there_is_nothing_to_recover_as_a_rule(tmp_path: Path) -> None:
    runner = RecordedRunner()
    assert file_swap.recover(SOURCE, runner, str(tmp_path)) == []
    assert runner.calls == []


def test_a_container_that_is_gone_cannot_be_recovered(tmp_path: Path) -> None:
    content = {"directory": "/data", "names": list(NAMES), "aside": ASIDE}
    (tmp_path / "redis.restore.json").write_text(json.dumps(content))
    with pytest.raises(ComposeOpsError, match="is gone"):
        file_swap.recover(SOURCE, RecordedRunner(), str(tmp_path))


def test_a_helper_sees_the_volumes_and_no_network() -> None:
    runner = RecordedRunner()
    file_swap.in_volumes(runner, SOURCE, CONTAINER, "true", ["/data"], mounts=["type=bind,source=/a,target=/b"])
    assert runner.calls == [
        [
            *("docker", "run", "--rm", "--name", "composeops-restore-petcare-redis-files", "--network", "none"),
            *("--user", "0:0", "--volumes-from", "abc", "--mount", "type=bind,source=/a,target=/b"),
            *("--entrypoint", "sh", "sha256:1", "-c", "true", "sh", "/data"),
        ]
    ]
