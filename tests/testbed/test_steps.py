"""Steps run in the order of their needs, and the first failure ends the run."""

from __future__ import annotations

import io
import threading

import pytest
from testbed import steps
from testbed.errors import BedError
from testbed.progress import Progress
from testbed.steps import UNCHANGED, Step


def run(wanted: list[Step], workers: int = 3) -> tuple[int, str]:
    stream = io.StringIO()
    return steps.run(wanted, Progress(stream), workers=workers), stream.getvalue()


def test_needs_come_first_whatever_the_order_of_the_list() -> None:
    order: list[str] = []

    def step(name: str, *needs: str) -> Step:
        def action() -> str:
            order.append(name)
            return "done"

        return Step(name, action, needs)

    run([step("host", "image", "network"), step("image", "base"), step("network"), step("base")], workers=1)
    assert order.index("base") < order.index("image") < order.index("host")
    assert order.index("network") < order.index("host")


def test_only_changes_are_counted_and_said() -> None:
    changed, output = run([Step("a", lambda: "built"), Step("b", lambda: UNCHANGED)])
    assert changed == 1
    assert "a: built" in output
    assert "b" not in output.replace("built", "")


def test_nothing_starts_after_a_failure() -> None:
    def fail() -> str:
        raise BedError("broken", "mend it")

    ran: list[str] = []

    def after() -> str:
        ran.append("after")
        return "done"

    with pytest.raises(BedError, match="broken"):
        run([Step("a", fail), Step("b", after, ("a",))])
    assert ran == []


def test_an_unknown_need_is_named() -> None:
    with pytest.raises(BedError, match="'image', which nothing makes"):
        run([Step("host", lambda: "done", ("image",))])


def test_a_circle_is_an_error_not_a_hang() -> None:
    with pytest.raises(BedError, match="circle"):
        run([Step("a", lambda: "", ("b",)), Step("b", lambda: "", ("a",))])


def test_a_long_step_is_named_while_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "QUIET_SECONDS", 0.01)
    news = threading.Event()
    stream = io.StringIO()

    class Watch(Progress):
        def say(self, text: str) -> None:
            super().say(text)
            news.set()

    def long() -> str:
        assert news.wait(10)
        return "built"

    steps.run([Step("image trixie", long)], Watch(stream))
    assert "... image trixie\n" in stream.getvalue()
