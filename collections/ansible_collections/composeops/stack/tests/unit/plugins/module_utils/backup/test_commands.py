# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup import commands, run, settings
from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import Manifest, StoredObject
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Settings, Source
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner

SOURCES = [{"name": name, "type": "redis", "stack": "petcare", "service": "redis"} for name in ("one", "two")]


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Set the host up with two sources, of which the first cannot be backed up."""
    store = {"bucket": "b", "access_key": "i", "secret_key": "s"}
    text = json.dumps({"host": "h", "store": store, "sources": SOURCES})
    read = settings.parse(text)
    monkeypatch.setattr(settings, "require", lambda: read)

    def take(_settings: Settings, source: Source, _runner: Runner, **_: object) -> run.Taken:
        if source.name == "one":
            raise ComposeOpsError("Redis is down.")
        objects = (StoredObject("dump.rdb", 2048, ""),)
        return run.Taken(Manifest("id", source.name, "h", "redis", "", "", objects), 1.25, ("A note.",))

    monkeypatch.setattr(run, "take", take)


def call(*argv: str) -> int:
    top = argparse.ArgumentParser()
    commands.register(top.add_subparsers(required=True))
    arguments = top.parse_args(argv)
    return int(arguments.handler(arguments))


@pytest.mark.usefixtures("configured")
def test_one_source_that_fails_does_not_keep_the_others_from_running(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("backup", "run", "--all") == 1
    shown = capsys.readouterr()
    assert shown.err == "composeops: backup of one failed: Redis is down.\n"
    assert shown.out == "A note.\nBacked up two: id, 2.0 KiB in 1.2 s.\n"


@pytest.mark.usefixtures("configured")
def test_a_run_without_failure_exits_with_0() -> None:
    assert call("backup", "run", "two") == 0


@pytest.mark.usefixtures("configured")
@pytest.mark.parametrize("arguments", [[], ["two", "--all"]], ids=["neither", "both"])
def test_which_sources_has_to_be_said(arguments: list[str]) -> None:
    with pytest.raises(InvalidInput, match="Which sources"):
        call("backup", "run", *arguments)


@pytest.mark.usefixtures("configured")
def test_an_unknown_source_is_refused_before_any_runs(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InvalidInput, match="three is not a backup source"):
        call("backup", "run", "two", "three")
    assert capsys.readouterr().out == ""
