# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tells people of a unit that failed: one that runs now and then, and that no check of the monitor looks at."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner
from ansible_collections.composeops.stack.plugins.module_utils.monitor.model import Alert, Settings, Webhook
from ansible_collections.composeops.stack.plugins.module_utils.monitor.queue import Outcome

LINES = 8
ATTEMPTS = 3
SPACING = 5.0


@dataclass(frozen=True)
class Told:
    """Which webhooks took the alert, and why others did not."""

    webhooks: tuple[str, ...]
    problems: tuple[str, ...]


def alert(host: str, unit: str, said: str, at: float) -> Alert:
    """Return the alert about ``unit``, whose log ends with ``said``."""
    text = f"Its journal ends with:\n{said}" if said else "Its journal says nothing."
    return Alert(
        "unit_failed", unit, f"{unit} failed", f"{text}\nLook at `journalctl -u {unit}` on the host.", at, host
    )


def tell(
    settings: Settings,
    unit: str,
    runner: Runner,
    post: Callable[[Webhook, Alert], Outcome],
    sleep: Callable[[float], None] = time.sleep,
) -> Told:
    """Post the alert to every webhook, which gets a few attempts: this runs once, and nobody does it again."""
    argv = ["journalctl", "--no-pager", "--quiet", "--output=cat", f"--lines={LINES}", f"--unit={unit}"]
    message = alert(settings.host, unit, runner.run(argv, check=False).stdout.strip(), time.time())
    told, problems = [], []
    for webhook in settings.webhooks:
        outcome = post(webhook, message)
        for _ in range(ATTEMPTS - 1):
            if outcome.ok or outcome.permanent:
                break
            sleep(SPACING)
            outcome = post(webhook, message)
        if outcome.ok:
            told.append(webhook.name)
        else:
            problems.append(f"{webhook.name} did not take the alert about {unit}: {outcome.reason}.")
    return Told(tuple(told), tuple(problems))
