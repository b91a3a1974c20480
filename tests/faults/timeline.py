"""What was done to the system while the load ran, and what the clients saw of each part of it. Pure."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.load.observations import CLOSED_BY_US, Request, Session
from tests.load.report import Report

SERVICE_RESTART = 1012
"""The code with which a WebSocket is closed when its service is stopped: the client is to come back."""
BEFORE = "before the first"
Tolerated = Callable[[Request], bool]


def nothing(_request: Request) -> bool:
    """Tolerate no failed request."""
    return False


@dataclass
class Window:
    """One thing that was done, from its begin to its end."""

    name: str
    began: datetime
    closes: str
    """The version whose WebSockets are closed meanwhile, because its containers are stopped; empty when none is."""
    tolerated: Tolerated
    ended: datetime | None = None


@dataclass
class Timeline:
    """Everything that was done in one run of the load, in its order."""

    windows: list[Window] = field(default_factory=list)

    @contextlib.contextmanager
    def window(self, name: str, *, closes: str = "", tolerated: Tolerated = nothing) -> Iterator[Window]:
        """Note what is done in the block."""
        window = Window(name, datetime.now(UTC), closes, tolerated)
        self.windows.append(window)
        try:
            yield window
        finally:
            window.ended = datetime.now(UTC)

    def problems(self, report: Report) -> list[str]:
        """Return what the clients must not have seen, a sentence each."""
        started = datetime.fromisoformat(report.run.started_at)
        found: list[str] = []
        failed: dict[str, Counter[str]] = {}
        for request in report.run.requests:
            window = self._at(started, request.scheduled)
            if not request.ok and not (window and window.tolerated(request)):
                what = f"{request.kind.value} to {request.service}: {request.error}"
                failed.setdefault(window.name if window else BEFORE, Counter())[what] += 1
        for session in report.run.sessions:
            window = self._at(started, session.ended)
            found += _wrong_close(session, window)
            if session.error:
                failed.setdefault(window.name if window else BEFORE, Counter())[f"WebSocket: {session.error}"] += 1
        for name, counts in failed.items():
            causes = ", ".join(f"{count}x {what}" for what, count in counts.most_common())
            found.append(f"{name}: {sum(counts.values())} requests failed ({causes})")
        if not report.writes.ok:
            found += [reason for reason in report.reasons if "acknowledged" in reason]
        return found

    def _at(self, started: datetime, seconds: float) -> Window | None:
        """Return the last thing that had begun at a time of the load; what comes after its end still counts for it."""
        begun = [window for window in self.windows if (window.began - started).total_seconds() <= seconds]
        return begun[-1] if begun else None

    def __str__(self) -> str:
        return "\n".join(
            f"  {window.began:%H:%M:%S} {((window.ended or window.began) - window.began).total_seconds():6.1f} s  "
            f"{window.name}"
            for window in self.windows
        )


def _wrong_close(session: Session, window: Window | None) -> list[str]:
    if session.close_code in (None, CLOSED_BY_US):
        return []
    closes = window.closes if window else ""
    if session.close_code == SERVICE_RESTART and closes and session.version == closes:
        return []
    when = window.name if window else BEFORE
    return [
        f"{when}: a WebSocket to {session.version} was closed with {session.close_code},"
        f" expected: {f'{SERVICE_RESTART} to {closes}' if closes else 'none'}"
    ]
