# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.monitor import commands, settings, unit_alert
from ansible_collections.composeops.stack.plugins.module_utils.monitor.model import Alert, Webhook
from ansible_collections.composeops.stack.plugins.module_utils.monitor.queue import Outcome
from ansible_collections.composeops.stack.tests.unit.support.recorded import RecordedRunner

UNIT = "composeops-backup@database.service"
CONTENT = {
    "host": "petcare1",
    "checks": [{"name": "a", "type": "container", "stack": "petcare"}],
    "webhooks": [{"name": name, "format": "json", "url": f"https://{name}.example/secret"} for name in ("one", "two")],
}


class Hooks:
    """Webhooks whose answers are a list for each."""

    def __init__(self, **answers: list[Outcome]) -> None:
        self.answers = answers
        self.taken: list[tuple[str, Alert]] = []

    def post(self, webhook: Webhook, alert: Alert) -> Outcome:
        self.taken.append((webhook.name, alert))
        return self.answers[webhook.name].pop(0)


DOWN, GONE, TAKEN = Outcome(False, "it answered 503"), Outcome(False, "it answered 404", True), Outcome(True)


@pytest.mark.parametrize(
    ("one", "asked", "told"),
    [
        ([TAKEN], 1, ("one", "two")),
        ([DOWN, DOWN, TAKEN], 3, ("one", "two")),
        ([DOWN, DOWN, DOWN], 3, ("two",)),
        ([GONE], 1, ("two",)),
    ],
    ids=["at once", "at the third attempt", "down", "gone for good"],
)
def test_every_webhook_gets_a_few_attempts(one: list[Outcome], asked: int, told: tuple[str, ...]) -> None:
    hooks, runner = Hooks(one=list(one), two=[TAKEN]), RecordedRunner(lambda argv: (0, "Redis is down.\n", ""))
    slept: list[float] = []
    found = unit_alert.tell(settings.parse(CONTENT), UNIT, runner, hooks.post, slept.append)
    assert found.webhooks == told
    assert [name for name, _ in hooks.taken] == ["one"] * asked + ["two"]
    assert len(slept) == asked - 1
    assert len(found.problems) == 2 - len(told)
    assert "secret" not in "".join(found.problems)
    alert = hooks.taken[0][1]
    assert (alert.kind, alert.good, alert.subject, alert.host) == ("unit_failed", False, UNIT, "petcare1")
    assert "Redis is down." in alert.text


def test_a_host_without_a_monitor_has_nobody_to_tell(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = type("Arguments", (), {"config": f"{tmp_path}/monitor.json", "unit": UNIT})()
    assert commands.alert(arguments) == 0
    assert "nobody is told" in capsys.readouterr().out
