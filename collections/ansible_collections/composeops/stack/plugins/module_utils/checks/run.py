# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Carries out checks at the same time, each as often as it says until it passes."""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import Callable, Sequence

from ansible_collections.composeops.stack.plugins.module_utils.checks.judge import judge
from ansible_collections.composeops.stack.plugins.module_utils.checks.model import Check, Result
from ansible_collections.composeops.stack.plugins.module_utils.checks.observation import Observation

AT_ONCE = 16


def run_checks(
    checks: Sequence[Check], probe: Callable[[Check], Observation], pause: Callable[[float], None] = time.sleep
) -> list[Result]:
    """Return a result for each check, in their order; as many as ``AT_ONCE`` run at a time."""
    if not checks:
        return []
    with concurrent.futures.ThreadPoolExecutor(min(AT_ONCE, len(checks))) as pool:
        return list(pool.map(lambda check: run_check(check, probe, pause), checks))


def run_check(check: Check, probe: Callable[[Check], Observation], pause: Callable[[float], None]) -> Result:
    """Try a check until it passes or its attempts are used up; the last verdict counts."""
    began = time.monotonic()
    attempt = 1
    while True:
        observation = probe(check)
        verdict = judge(check, observation)
        if verdict.ok or attempt >= check.attempts:
            return Result(check, verdict, observation, time.monotonic() - began, attempt)
        pause(check.interval)
        attempt += 1
