"""A report for people. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.load.observations import Writes
from tests.load.report import KindReport, Report


def text(report: Report) -> str:
    """Return the whole report; the verdict comes last, where it is seen."""
    run = report.run
    parts = [
        f"Load on {run.address}: {run.seconds:.1f} s from {run.started_at}, {run.rate:.0f} requests/s scheduled, "
        f"seen from {run.round_trip * 1000:g} ms away; sent {_ms(report.lag_p99)} late at most in 99 % "
        f"({_ms(report.lag_longest)} in all)",
        _requests(report),
        table(
            ["service", "version", "first answer", "last answer", "answers", "longest gap"],
            [
                [
                    version.service,
                    version.version,
                    f"{version.first:.2f} s",
                    f"{version.last:.2f} s",
                    str(version.answers),
                    next((_ms(gap.seconds) for gap in report.gaps if gap.service == version.service), "-"),
                ]
                for version in report.versions
            ],
        ),
        _sockets(report),
        _writes(report.writes),
    ]
    if report.failing:
        parts.append(f"Requests failed that were due between {report.failing[0]:.2f} s and {report.failing[1]:.2f} s")
    parts.append("\n".join([report.verdict.value.upper(), *(f"  {reason}" for reason in report.reasons)]))
    return "\n\n".join(parts)


def _requests(report: Report) -> str:
    rows = [_request_row(kind.value, figures) for kind, figures in report.kinds.items()]
    rows.append(["all", str(report.sent), str(report.failed), "", "", "", ""])
    rows.append(["keep-alive races (among the failed)", "", str(report.keep_alive_races), "", "", "", ""])
    return table(["requests", "sent", "failed", "median", "99 %", "longest", "errors"], rows)


def _request_row(name: str, figures: KindReport) -> list[str]:
    return [
        name,
        str(figures.sent),
        str(figures.failed),
        _ms(figures.median),
        _ms(figures.p99),
        _ms(figures.longest),
        counted(figures.errors),
    ]


def _sockets(report: Report) -> str:
    sockets = report.sockets
    closes = counted(sockets.closes) or "none"
    return (
        f"WebSockets: {sockets.clients} clients opened {sockets.opened}, {sockets.echoes} echoes; closed by the "
        f"server, by code: {closes}; a client was at most {_ms(sockets.longest_without)} without one"
    )


def _writes(writes: Writes) -> str:
    if writes.unread:
        return f"Writes: {writes.acknowledged} acknowledged, not compared: {writes.unread}"
    return (
        f"Writes: {writes.acknowledged} acknowledged, {writes.unanswered} without an answer, {writes.stored} stored; "
        f"of the acknowledged {len(writes.missing)} missing, {len(writes.repeated)} repeated, "
        f"{len(writes.renumbered)} under another id"
    )


def counted(counts: Mapping[object, int] | Mapping[str, int] | Mapping[int, int]) -> str:
    """Return ``3x status 502, 1x timed out``."""
    return ", ".join(f"{count}x {what}" for what, count in counts.items())


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return aligned columns."""
    lines = [header, ["-" * len(title) for title in header], *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    lines[1] = ["-" * width for width in widths]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
