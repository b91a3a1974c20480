# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup import settings
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Level, Settings, Source, Store
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification import commands
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification.record import Verification
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification.run import Wanted
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner

SOURCES = tuple(Source(name, "redis", "petcare", "redis") for name in ("good", "bad", "undrilled"))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Wanted]:
    """Return what is asked for; drills of the three sources end in the three ways that there are."""
    wanted: list[Wanted] = []

    class Verifying:
        def __init__(self, _settings: Settings, source: Source, _runner: Runner, one: Wanted) -> None:
            self.source = source.name
            wanted.append(one)

        def run(self) -> Verification:
            if self.source == "undrilled":
                raise ComposeOpsError("The image is gone.")
            outcome, level = ("passed", Level.RESTORED) if self.source == "good" else ("failed", Level.INTACT)
            found = Verification("id", self.source, "h", "h", level, outcome, "s", "f", seconds={"restore": 2.0})
            if outcome == "failed":
                return replace(found, error="A flipped bit.")
            return replace(found, proven=("7 keys.",), rto_seconds=2.0, notes=("Unheard.",))

    monkeypatch.setattr(settings, "require", lambda: Settings("h", Store("b", "i", "s"), SOURCES))
    monkeypatch.setattr(commands, "Verifying", Verifying)
    return wanted


def call(*argv: str) -> int:
    top = argparse.ArgumentParser()
    commands.register(top.add_subparsers(required=True))
    arguments = top.parse_args(["drill", *argv])
    return int(arguments.handler(arguments))


@pytest.mark.parametrize(
    ("source", "status", "out", "err"),
    [
        (
            "good",
            0,
            "7 keys.\nUnheard.\nBackup id of good: level 3, restored and compared (restore 2.0 s)."
            " Restoring it takes about 2 s.\n",
            "",
        ),
        ("bad", 1, "", "composeops: backup id of bad is bad: A flipped bit.\n"),
        ("undrilled", 1, "", "composeops: drill of undrilled could not be made: The image is gone.\n"),
    ],
)
@pytest.mark.usefixtures("asked")
def test_how_a_drill_ended_is_said(
    capsys: pytest.CaptureFixture[str], source: str, status: int, out: str, err: str
) -> None:
    assert call(source) == status
    assert capsys.readouterr() == (out, err)


@pytest.mark.usefixtures("asked")
def test_one_source_that_fails_does_not_keep_the_others_from_being_drilled(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("undrilled", "good") == 1
    assert "Backup id of good: level 3" in capsys.readouterr().out


def test_what_is_asked_for_is_handed_on(asked: list[Wanted], tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("AGE-SECRET-KEY")
    assert call("good", "--level", "2", "--backup", "x", "--host", "old", "--identity-file", str(key)) == 0
    assert asked == [Wanted("x", "old", Level.READABLE, "AGE-SECRET-KEY")]
    assert "AGE-SECRET-KEY" not in repr(asked)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "Which sources"),
        (["good", "--all"], "Which sources"),
        (["good", "bad", "--backup", "x"], "A backup is of one source"),
        (["good", "--level", "5"], "There is no level 5"),
        (["good", "--identity-file", "/nowhere/key"], "There is no identity file /nowhere/key"),
    ],
    ids=["no source", "all and one", "one backup of two", "level", "no key"],
)
@pytest.mark.usefixtures("asked")
def test_what_makes_no_sense_is_refused(argv: list[str], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        call(*argv)
