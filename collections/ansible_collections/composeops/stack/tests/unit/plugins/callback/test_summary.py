"""What the callback prints: plans as they happen, signs of life, and the last table of each title at the end."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.callback.summary import CallbackModule, Heartbeat, Summaries


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def entry(title: str, *rows: list[str]) -> dict[str, Any]:
    return {"title": title, "columns": ["Name"], "rows": list(rows)}


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> tuple[CallbackModule, list[str]]:
    callback = CallbackModule()
    lines: list[str] = []
    monkeypatch.setattr(callback, "_display", SimpleNamespace(display=lines.append))
    return callback, lines


def result(host: str, data: dict[str, Any], *, loop: object = None) -> Any:
    return SimpleNamespace(host=SimpleNamespace(get_name=lambda: host), task=SimpleNamespace(loop=loop), result=data)


def test_plan_is_printed_below_its_task(printed: tuple[CallbackModule, list[str]]) -> None:
    callback, lines = printed
    callback.v2_runner_on_ok(result("web", {"plan": ["start backend", "start frontend"]}))
    assert lines == ["  - start backend", "  - start frontend"]


def test_items_of_a_loop_are_shown_once(printed: tuple[CallbackModule, list[str]]) -> None:
    callback, lines = printed
    item = {"plan": ["start backend"]}
    callback.v2_runner_item_on_ok(result("web", item, loop=[1]))
    callback.v2_runner_on_ok(result("web", {"plan": ["start backend"], "results": [item]}, loop=[1]))
    assert lines == ["  - start backend"]


def test_tables_of_a_failed_task_are_shown_too(printed: tuple[CallbackModule, list[str]]) -> None:
    callback, lines = printed
    callback.v2_runner_on_failed(result("web", {"msg": "app failed", "summary": [entry("Checks", ["app"])]}))
    callback.v2_playbook_on_stats(None)
    assert lines == ["Checks", "", "  Name", "  ----", "  app", ""]


def test_censored_result_shows_nothing(printed: tuple[CallbackModule, list[str]]) -> None:
    callback, lines = printed
    callback.v2_runner_on_ok(result("web", {"censored": "hidden", "changed": True}))
    callback.v2_playbook_on_stats(None)
    assert lines == []


def test_last_table_of_a_title_counts_and_comes_last() -> None:
    summaries = Summaries()
    summaries.add("web", [entry("Services", ["old"])])
    summaries.add("web", [entry("URLs", ["https://a"])])
    summaries.add("web", [entry("Services", ["new"])])
    assert [line.strip() for line in summaries.lines() if line] == [
        *("URLs", "Name", "---------", "https://a"),
        *("Services", "Name", "----", "new"),
    ]


def test_table_that_is_to_come_last_does() -> None:
    summaries = Summaries()
    summaries.add("web", [{**entry("Next", ["a"]), "last": True}])
    summaries.add("web", [entry("Services", ["b"])])
    assert [line for line in summaries.lines() if line and not line.startswith(" ")] == ["Services", "Next"]


def test_hosts_are_named_where_there_are_several() -> None:
    summaries = Summaries()
    summaries.add("one", [entry("Services", ["a"])])
    summaries.add("two", [entry("Services", ["b"])])
    assert [line for line in summaries.lines() if line.startswith("Services")] == ["Services (one)", "Services (two)"]


def test_table_without_rows_says_none() -> None:
    summaries = Summaries()
    summaries.add("web", [entry("Backups")])
    assert summaries.lines() == ["Backups", "", "  none", ""]


@pytest.mark.parametrize(
    "foreign", [None, "text", {"title": "x"}, [{"title": "x"}], [1]], ids=["none", "text", "mapping", "part", "number"]
)
def test_summary_of_another_shape_is_not_ours(foreign: object) -> None:
    summaries = Summaries()
    summaries.add("web", foreign)
    assert summaries.lines() == []


def test_heartbeat_is_due_after_each_interval_and_names_task_and_hosts() -> None:
    clock = Clock()
    heartbeat = Heartbeat(15, lambda line: None, clock)
    heartbeat.task_started("Deploy")
    heartbeat.host_started("web")
    clock.now = 14.9
    assert heartbeat.line() is None
    clock.now = 15
    assert heartbeat.line() == "… still running: Deploy on web (15 s)"
    assert heartbeat.line() is None
    clock.now = 30
    assert heartbeat.line() == "… still running: Deploy on web (30 s)"


def test_heartbeat_is_silent_when_every_host_has_ended() -> None:
    clock = Clock()
    heartbeat = Heartbeat(15, lambda line: None, clock)
    heartbeat.task_started("Deploy")
    heartbeat.host_started("web")
    heartbeat.host_ended("web")
    clock.now = 60
    assert heartbeat.line() is None


def test_heartbeat_names_three_hosts_at_most() -> None:
    clock = Clock()
    heartbeat = Heartbeat(15, lambda line: None, clock)
    heartbeat.task_started("Deploy")
    for host in ("a", "b", "c", "d"):
        heartbeat.host_started(host)
    clock.now = 15
    assert heartbeat.line() == "… still running: Deploy on a, b, c, … (15 s)"
