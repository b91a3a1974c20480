# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The monitor at work: asks, lets the plans decide, and does what they say. Every check has its own rhythm.

Everything that is remembered changes in the event loop alone; what blocks runs in threads beside it.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.checks.judge import judge
from ansible_collections.composeops.stack.plugins.module_utils.checks.model import Check
from ansible_collections.composeops.stack.plugins.module_utils.checks.observation import Observation
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import files
from ansible_collections.composeops.stack.plugins.module_utils.monitor import memory, metrics, plan, queue, resources
from ansible_collections.composeops.stack.plugins.module_utils.monitor.metrics import LastRun
from ansible_collections.composeops.stack.plugins.module_utils.monitor.model import (
    Alert,
    CheckState,
    Failed,
    Rule,
    Settings,
    State,
    Target,
    Webhook,
)
from ansible_collections.composeops.stack.plugins.module_utils.monitor.plan import Decision, Seen
from ansible_collections.composeops.stack.plugins.module_utils.monitor.queue import Outcome
from ansible_collections.composeops.stack.plugins.module_utils.monitor.restart import Prevented
from ansible_collections.composeops.stack.plugins.module_utils.monitor.threads import in_thread

SPARE = 5.0
"""Seconds beyond its own time-out after which a check counts as failed, whatever it is still waiting for."""
HEARTBEAT = 10.0
SPACING = 1.0
"""Seconds between two messages to one webhook; both Slack and Discord slow down who sends more."""
RESTART_PATIENCE = 90.0
"""Seconds that a restart under way gets to end when the monitor is stopped."""


@dataclass(frozen=True)
class Tools:
    """What the monitor acts through; tests hand in their own."""

    probe: Callable[[Check], Observation]
    obstacle: Callable[[Target], str]
    restart: Callable[[Target, str], None]
    post: Callable[[Webhook, Alert], Outcome]
    sample: Callable[[], Mapping[str, float]]
    notify: Callable[[str], None]
    say: Callable[[str], None]


class Monitor:
    """Watches what the settings say; ``program`` is the file it was started from."""

    def __init__(self, settings: Settings, state: State, tools: Tools, program: str = "") -> None:
        self._settings = settings
        self._tools = tools
        self.state = _of_settings(state, settings)
        self.runs: dict[str, LastRun] = {}
        self.reasons: dict[str, str] = {}
        """Why each check that fails does."""
        self._sample: Mapping[str, float] = {}
        self._asking: dict[str, asyncio.Future[tuple[bool, str, str]]] = {}
        self._restarting: dict[str, asyncio.Task[None]] = {}
        self._news: dict[str, asyncio.Event] = {}
        self._unsaved = ""
        self.replaced = False
        """It ended because its program was replaced."""
        self._program = program
        self._version = _identity(program)

    async def watch(self, stop: asyncio.Event) -> None:
        """Watch until ``stop`` is set, or until the program was replaced and has to begin anew."""
        self._news = {webhook.name: asyncio.Event() for webhook in self._settings.webhooks}
        self._tools.notify("READY=1")
        rules = list(self._settings.rules.values())
        work: list[Coroutine[Any, Any, None]] = [
            # Spread over the interval, so that they do not all ask at once.
            *(self._check(rule, self._settings.interval * place / len(rules)) for place, rule in enumerate(rules)),
            *(self._deliver(webhook) for webhook in self._settings.webhooks),
            self._resources(),
            self._heart(stop),
        ]
        tasks = [asyncio.create_task(one) for one in work]
        waiter = asyncio.create_task(stop.wait())
        try:
            ended, _ = await asyncio.wait([waiter, *tasks], return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not self.replaced:
                # For systemd a replaced program goes on: whoever says that it stops has to end soon, or is killed.
                self._tools.notify("STOPPING=1")
            for task in (waiter, *tasks):
                task.cancel()
        await self._let_restarts_end()
        for task in ended:
            if task is not waiter and not task.cancelled():
                task.result()  # a fault of the monitor itself ends it, and its manager starts it anew

    async def once(self) -> None:
        """Carry out every check once, with everything that follows from it."""
        await asyncio.gather(*(self._ask(rule) for rule in self._settings.rules.values()), self._measure())
        await self._let_restarts_end()
        for webhook in self._settings.webhooks:
            while (delivery := queue.first(self.state, webhook.name)) and await self._post(webhook):
                if queue.first(self.state, webhook.name) is delivery:
                    break
        self._write_metrics()

    async def _check(self, rule: Rule, offset: float) -> None:
        await asyncio.sleep(self._settings.start_delay + offset)
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            ok = await self._ask(rule)
            await asyncio.sleep(max(0.0, began + (rule.interval if ok else rule.retry_interval) - loop.time()))

    async def _ask(self, rule: Rule) -> bool:
        """Carry out a check and do what follows."""
        began = time.time()
        future = self._asking.get(rule.name)
        if future is None:
            future = self._asking[rule.name] = in_thread(lambda: self._probed(rule))
        done, _ = await asyncio.wait({future}, timeout=rule.check.timeout + SPARE)
        if done:
            del self._asking[rule.name]
            ok, reason, hold = future.result()
        else:
            ok, reason, hold = False, f"it did not end within {rule.check.timeout + SPARE:g} s.", ""
        if rule.target and rule.target.name in self._restarting:
            if ok:
                # The last word of what is being stopped, such as a frozen process that was let go, is no recovery.
                return False
            hold = "its restart is under way"
        now = time.time()
        self.runs[rule.name] = LastRun(ok, now, max(0.0, now - began))
        before = self.state.checks.get(rule.name, CheckState())
        self._take(plan.decide(self._settings, self.state, Seen(rule.name, ok, now, reason, hold)), rule.name, reason)
        if ok != (before.failures == 0):
            # What changed is not kept until the next heartbeat.
            self._write_metrics()
        if ok:
            self.reasons.pop(rule.name, None)
            if before.failures and not before.alerted:
                self._tools.say(f"{rule.name} passes again")
        else:
            self.reasons[rule.name] = reason
            if before.failures + 1 < rule.failures:
                self._tools.say(f"{rule.name} failed ({before.failures + 1} of {rule.failures}): {reason}")
        return ok

    def _probed(self, rule: Rule) -> tuple[bool, str, str]:
        """Return whether a check passes, why not, and what stands against a restart; in a thread."""
        try:
            verdict = judge(rule.check, self._tools.probe(rule.check))
            if verdict.ok:
                return True, "", ""
            return False, verdict.reason, self._tools.obstacle(rule.target) if rule.target else ""
        except Exception as error:
            # Whatever a probe raises is a failed check, which is told; the watch over the others goes on.
            return False, f"it could not be carried out: {type(error).__name__}: {error}", "nothing is known of it"

    def _take(self, decision: Decision, check: str = "", reason: str = "") -> None:
        """Remember, tell and restart what was decided; remembered first, so that a killed monitor repeats nothing."""
        alerts = [replace(alert, host=self._settings.host) for alert in decision.alerts]
        self._remember(queue.enqueue(decision.state, self._settings.webhooks, alerts))
        for alert in alerts:
            self._tools.say(f"{alert.title}: {alert.text}")
        if alerts:
            for event in self._news.values():
                event.set()
        if decision.restart:
            target = decision.restart
            self._restarting[target.name] = asyncio.create_task(self._restart(target, check, reason))

    async def _restart(self, target: Target, check: str, reason: str) -> None:
        began = time.time()
        try:
            await in_thread(lambda: self._tools.restart(target, reason))
        except Prevented as error:
            failed = Failed(target, check, error.message, time.time())
            self._take(plan.restart_prevented(self._settings, self.state, failed))
        except Exception as error:
            # A restart that failed is an alert, whatever it failed of.
            failed = Failed(target, check, _said(error), time.time())
            self._take(plan.restart_failed(self._settings, self.state, failed))
        else:
            self._tools.say(f"{target.name} was restarted in {time.time() - began:.1f} s")
            self._remember(plan.restart_ended(self._settings, self.state, target, time.time()))
        finally:
            del self._restarting[target.name]

    async def _let_restarts_end(self) -> None:
        if self._restarting:
            await asyncio.wait(list(self._restarting.values()), timeout=RESTART_PATIENCE)

    async def _deliver(self, webhook: Webhook) -> None:
        while True:
            delivery = queue.first(self.state, webhook.name)
            if delivery is None:
                self._news[webhook.name].clear()
                await self._news[webhook.name].wait()
                continue
            await asyncio.sleep(queue.wait(delivery, time.time()))
            await self._post(webhook)
            if queue.first(self.state, webhook.name):
                await asyncio.sleep(SPACING)

    async def _post(self, webhook: Webhook) -> bool:
        """Try to send the next alert to a webhook; return whether it took it."""
        delivery = queue.first(self.state, webhook.name)
        if delivery is None:
            return False
        result = await in_thread(lambda: self._tools.post(webhook, delivery.alert))
        now = time.time()
        if not result.ok:
            end = "it is given up" if queue.hopeless(delivery, result, now) else "it is tried again"
            self._tools.say(f"webhook {webhook.name} did not take {delivery.alert.title!r}: {result.reason}; {end}")
        self._remember(queue.sent(self.state, delivery, result, now))
        return result.ok

    async def _resources(self) -> None:
        while self._settings.thresholds.any:
            await asyncio.sleep(self._settings.interval)
            await self._measure()
        await asyncio.Event().wait()

    async def _measure(self) -> None:
        try:
            self._sample = await in_thread(self._tools.sample)
        except Exception as error:
            # Said at every interval; the checks go on without the figures.
            self._tools.say(f"CPU, memory and disks could not be measured: {type(error).__name__}: {error}")
            return
        self._take(resources.judge(self._settings.thresholds, self.state, self._sample, time.time()))

    async def _heart(self, stop: asyncio.Event) -> None:
        """Show that the monitor is alive, and end it when its program was replaced."""
        while True:
            self._tools.notify("WATCHDOG=1")
            self._write_metrics()
            if _identity(self._program) != self._version:
                self._tools.say("the program was replaced; it begins anew")
                self.replaced = True
                stop.set()
            await asyncio.sleep(min(HEARTBEAT, self._settings.interval))

    def _remember(self, state: State) -> None:
        if state == self.state and not self._unsaved:
            return
        self.state = state
        try:
            memory.write(self._settings.state_directory, state)
        except ComposeOpsError as error:
            # A full disk is something to report, and not a reason to stop.
            if not self._unsaved:
                self._tools.say(f"what is remembered is not on disk: {error}")
            self._unsaved = error.message
        else:
            self._unsaved = ""

    def _write_metrics(self) -> None:
        path = self._settings.metrics_file
        if not path:
            return
        text = metrics.render(self._settings, self.state, self.runs, self._sample, time.time())
        try:
            os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
            files.write_atomically(path, text.encode(), mode=0o644, uid=os.geteuid(), gid=os.getegid())
        except (ComposeOpsError, OSError):
            # Their age tells it: composeops_monitor_timestamp_seconds stands still.
            return


def _of_settings(state: State, settings: Settings) -> State:
    """Return the state without what is not watched any more."""
    targets = {rule.target.name for rule in settings.rules.values() if rule.target}
    webhooks = {webhook.name for webhook in settings.webhooks}
    return replace(
        queue.forget_unknown(state, settings.webhooks),
        checks={name: kept for name, kept in state.checks.items() if name in settings.rules},
        targets={name: kept for name, kept in state.targets.items() if name in targets},
        webhooks={name: kept for name, kept in state.webhooks.items() if name in webhooks},
        resources={
            name: kept for name, kept in state.resources.items() if resources.watched(settings.thresholds, name)
        },
    )


def _identity(path: str) -> tuple[int, int, int] | None:
    """Return what changes when a file is replaced."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _said(error: Exception) -> str:
    return error.message if isinstance(error, ComposeOpsError) else f"{type(error).__name__}: {error}"
