# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Results of checks as people and programs read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.checks.model import HttpCheck, Result
from ansible_collections.composeops.stack.plugins.module_utils.checks.observation import Answered

COLUMNS = ("check", "type", "target", "result", "seen", "time")


def rows(results: Sequence[Result]) -> list[list[str]]:
    """Return a row for each result."""
    return [
        [
            result.check.name,
            result.check.type,
            result.check.target,
            _word(result),
            result.verdict.observed if result.ok else result.verdict.reason.rstrip("."),
            f"{result.seconds:.1f} s",
        ]
        for result in results
    ]


def urls(results: Sequence[Result]) -> list[list[str]]:
    """Return a row for each web address that was asked for: its status, and until when its certificate is good."""
    found = []
    for result in results:
        if isinstance(result.check, HttpCheck):
            seen = result.observation if isinstance(result.observation, Answered) else None
            certificate = seen.response.certificate if seen else None
            until = f"{certificate.not_after:%Y-%m-%d}, by {certificate.issuer}" if certificate else "-"
            found.append([result.check.url, str(seen.response.status) if seen else "no answer", until])
    return found


def tables(title: str, results: Sequence[Result], next_steps: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    """Return the tables for the end of a play; what to try next only after a good end."""
    shown: list[dict[str, Any]] = [{"title": title, "columns": list(COLUMNS), "rows": rows(results)}]
    if urls(results):
        shown.append({"title": "Web addresses", "columns": ["url", "status", "certificate"], "rows": urls(results)})
    if next_steps and all(result.ok for result in results):
        steps = [[step["purpose"], step["command"]] for step in next_steps]
        shown.append({"title": "What to try next", "columns": ["to", "run"], "rows": steps, "last": True})
    return shown


def records(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Return the results as plain data."""
    return [
        {
            "name": result.check.name,
            "type": result.check.type,
            "target": result.check.target,
            "ok": result.ok,
            "observed": result.verdict.observed,
            "reason": result.verdict.reason,
            "remedy": result.verdict.remedy,
            "seconds": round(result.seconds, 3),
            "attempts": result.attempts,
        }
        for result in results
    ]


def failure(results: Sequence[Result]) -> str:
    """Return a message that names each failed check with its reason and the next step; empty when all passed."""
    failed = [result for result in results if not result.ok]
    if not failed:
        return ""
    lines = [f"{len(failed)} of {len(results)} checks failed."]
    for result in failed:
        tries = f" (after {result.attempts} attempts)" if result.attempts > 1 else ""
        said = f"{result.check.name} ({result.check.type} {result.check.target}): {result.verdict.reason}{tries}"
        lines.append(f"- {said} {result.verdict.remedy}".rstrip())
    return "\n".join(lines)


def _word(result: Result) -> str:
    if not result.ok:
        return "FAILED"
    return "ok" if result.attempts == 1 else f"ok, attempt {result.attempts}"
