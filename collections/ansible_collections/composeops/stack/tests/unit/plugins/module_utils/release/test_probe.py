# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.release import probe
from ansible_collections.composeops.stack.plugins.module_utils.release.model import Routed
from ansible_collections.composeops.stack.plugins.module_utils.release.state import Endpoint
from ansible_collections.composeops.stack.tests.unit.support.fake_engine import FakeClock

PLAIN = Routed("web", 80)
STRICT = Routed("web", 80, path="/health", status=200, version_header="X-App-Version", version="2")
AT = Endpoint("web", 80, "127.0.0.1", 21000, "green")

ANSWERS: dict[str, tuple[Routed, int, dict[str, str], str]] = {
    "well": (PLAIN, 200, {}, ""),
    "not found, and it does answer": (PLAIN, 404, {}, ""),
    "an error": (PLAIN, 502, {}, "it answers / with status 502"),
    "another status than asked for": (STRICT, 404, {}, "it answers /health with status 404, not 200"),
    "no version": (STRICT, 200, {}, "its answer to /health has no header X-App-Version"),
    "the old version": (STRICT, 200, {"x-app-version": "1"}, "it says that it is version 1, not 2"),
    "the new version": (STRICT, 200, {"x-app-version": "2"}, ""),
}


@pytest.mark.parametrize(("route", "status", "headers", "problem"), ANSWERS.values(), ids=ANSWERS.keys())
def test_answers_are_judged(route: Routed, status: int, headers: dict[str, str], problem: str) -> None:
    assert probe.judge(route, status, headers) == problem


def test_two_good_answers_in_a_row_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["", "starting", "", ""])
    monkeypatch.setattr(probe, "ask", lambda route, endpoint: next(answers))
    assert probe.gate([PLAIN], [AT], FakeClock(), 60) == {}
    assert list(answers) == []


def test_what_never_answers_well_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    began = clock.elapsed()
    monkeypatch.setattr(probe, "ask", lambda route, endpoint: "status 502")
    assert probe.gate([PLAIN], [AT], clock, 5) == {"web": "status 502"}
    assert clock.elapsed() - began == pytest.approx(5, abs=1)


def test_a_port_where_nothing_listens_is_a_problem() -> None:
    assert "Nothing listens on 127.0.0.1:1" in probe.ask(PLAIN, Endpoint("web", 80, "127.0.0.1", 1))
