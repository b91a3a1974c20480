"""What a run saw, request by request, and its form as JSON. Pure: what it means is judged in report.py."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.load.mix import Kind

# Classes of errors; an answer of another status than 2xx is "status 502" and so on.
KEEP_ALIVE_RACE = "keep-alive race"
"""The server closed a kept connection while the request was on its way: not a byte of an answer came."""
NOT_CONNECTED = "not connected"
CLOSED_BEFORE_ANSWER = "closed before the answer"
CUT_OFF = "answer cut off"
TIMED_OUT = "timed out"
MALFORMED = "malformed answer"
NOT_ACKNOWLEDGED = "no id in the answer"
NO_ECHO = "no echo"

CLOSED_BY_US = 0
"""In place of a close code: the run was over."""


@dataclass(frozen=True)
class Request:
    """One request; times are seconds since the start of the run."""

    kind: Kind
    service: str
    scheduled: float
    sent: float
    """When the client began with it; for a fresh connection, to connect."""
    ended: float
    status: int | None
    version: str
    error: str
    """Empty when the answer was right."""

    @property
    def ok(self) -> bool:
        return not self.error


@dataclass(frozen=True)
class Session:
    """One WebSocket, from the attempt to open it to its end."""

    client: int
    asked: float
    opened: float | None
    ended: float
    version: str
    echoes: int
    close_code: int | None
    """What the server closed it with; 1006 when it just went away; None when it was never open."""
    close_reason: str
    error: str
    """Why it could not be opened, or that an echo did not come while it was open."""


@dataclass(frozen=True)
class Writes:
    """What was acknowledged to us, against what the database has."""

    acknowledged: int = 0
    unanswered: int = 0
    """Sent, failed: they may be stored or not."""
    stored: int = 0
    missing: tuple[str, ...] = ()
    """Acknowledged and not stored, by request_id."""
    repeated: tuple[str, ...] = ()
    """Stored more than once."""
    renumbered: tuple[str, ...] = ()
    """Stored under another id than the one that was acknowledged."""
    unread: str = ""
    """Why the database could not be compared."""

    @property
    def ok(self) -> bool:
        return not (self.missing or self.repeated or self.renumbered or self.unread)


@dataclass(frozen=True)
class Run:
    """Everything a run saw."""

    started_at: str
    """UTC, to set the run beside the log of what was done meanwhile."""
    address: str
    seconds: float
    """From the first request scheduled to the last."""
    rate: float
    round_trip: float
    requests: tuple[Request, ...] = ()
    sessions: tuple[Session, ...] = ()
    websockets: int = 0
    writes: Writes = field(default_factory=Writes)


def to_document(run: Run) -> dict[str, Any]:
    """Return the run for JSON: requests and sessions as rows below their column names, because there are many."""
    document: dict[str, Any] = {
        item.name: getattr(run, item.name)
        for item in dataclasses.fields(Run)
        if item.name not in {"requests", "sessions", "writes"}
    }
    document["writes"] = dataclasses.asdict(run.writes)
    document["requests"] = {
        "columns": _names(Request),
        "rows": [[_plain(getattr(request, name)) for name in _names(Request)] for request in run.requests],
    }
    document["sessions"] = {
        "columns": _names(Session),
        "rows": [[_plain(getattr(session, name)) for name in _names(Session)] for session in run.sessions],
    }
    return document


def from_document(document: Mapping[str, Any]) -> Run:
    """Return the run that ``to_document`` wrote."""
    requests = (dict(zip(document["requests"]["columns"], row, strict=True)) for row in document["requests"]["rows"])
    sessions = (dict(zip(document["sessions"]["columns"], row, strict=True)) for row in document["sessions"]["rows"])
    writes: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in document["writes"].items()
    }
    return Run(
        **{
            **document,
            "requests": tuple(Request(**{**request, "kind": Kind(request["kind"])}) for request in requests),
            "sessions": tuple(Session(**session) for session in sessions),
            "writes": Writes(**writes),
        }
    )


def _names(shape: type[Request] | type[Session]) -> list[str]:
    return [item.name for item in dataclasses.fields(shape)]


def _plain(value: object) -> object:
    if isinstance(value, Kind):
        return value.value
    return round(value, 5) if isinstance(value, float) else value
