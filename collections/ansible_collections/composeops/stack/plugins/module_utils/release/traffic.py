# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the edge writes down of each request while a canary runs, read as it grows, and summed up for each colour."""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.release.colours import COLOURS

DIRECTORY = "/var/log/nginx"
"""Debian's rule for the logs of nginx rotates all that end with .log in it."""
TRAEFIK_LOG = "/var/log/traefik/access.log"
"""Traefik has one log, for everything, as JSON."""
SWITCHING_PROTOCOLS = 101
SERVER_ERROR = 500


@dataclass(frozen=True)
class Sample:
    """Requests that a colour answered."""

    requests: int = 0
    failed: int = 0
    """Those that the client got a status from 500 for, be it the service's or, where it did not answer, nginx's."""
    times: Mapping[int, int] = field(default_factory=dict)
    """Milliseconds to the number of answers that took so long; WebSockets are none of them."""

    def __add__(self, more: Sample) -> Sample:
        times = Counter(self.times)
        times.update(more.times)
        return Sample(self.requests + more.requests, self.failed + more.failed, times)

    @property
    def failure_rate(self) -> float:
        return self.failed / self.requests if self.requests else 0.0

    @property
    def timed(self) -> int:
        """How many answers have a time."""
        return sum(self.times.values())

    @property
    def p95(self) -> float:
        """Seconds within which 95 of 100 answers came; 0 without any."""
        wanted, seen = math.ceil(0.95 * self.timed), 0
        for milliseconds in sorted(self.times):
            seen += self.times[milliseconds]
            if seen >= wanted:
                return milliseconds / 1000
        return 0.0

    def slower_than(self, seconds: float) -> int:
        """Return how many answers took longer."""
        return sum(number for milliseconds, number in self.times.items() if milliseconds > seconds * 1000)


Figures = dict[str, Sample]
"""Colour to what it answered."""


def path(stack: str, directory: str = DIRECTORY) -> str:
    """Return the log of a stack; nginx makes it when it loads a configuration that leads to the stack in colours."""
    return os.path.join(directory, f"composeops-{stack}.log")


def nginx_format(colour: str) -> str:
    """Return the line that nginx writes for a request; ``colour`` is its variable with the colour.

    The service's time and not that of the whole request: slow clients are no fault of a release.
    """
    return f"{colour};$status;$upstream_response_time"


def parse(lines: Iterable[str]) -> Figures:
    """Sum up lines of the log; what is not one of ours is left out."""
    requests: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    times: dict[str, Counter[int]] = {colour: Counter() for colour in COLOURS}
    for line in lines:
        colour, _, rest = line.strip().partition(";")
        status, _, seconds = rest.partition(";")
        if colour not in times or not status.isdigit():
            continue
        requests[colour] += 1
        failed[colour] += int(status) >= SERVER_ERROR
        milliseconds = _milliseconds(seconds)
        # A WebSocket takes as long as it stays open.
        if milliseconds is not None and int(status) != SWITCHING_PROTOCOLS:
            times[colour][milliseconds] += 1
    return {colour: Sample(requests[colour], failed[colour], times[colour]) for colour in COLOURS}


def traefik_parser(stack: str) -> Callable[[Iterable[str]], Figures]:
    """Return what sums up the lines of Traefik's log that are about a stack."""

    def lines_of_stack(lines: Iterable[str]) -> Iterator[str]:
        for line in lines:
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            service = str(entry.get("ServiceName", "")).partition("@")[0]
            colour = service.rpartition("-")[2]
            if service.startswith(f"{stack}-") and colour in COLOURS:
                seconds = float(entry.get("OriginDuration") or entry.get("Duration") or 0) / 1e9
                yield f"{colour};{entry.get('DownstreamStatus', '')};{seconds:.6f}"

    return lambda lines: parse(lines_of_stack(lines))


def add(first: Figures, second: Figures) -> Figures:
    """Return the sum of both."""
    return {colour: first.get(colour, Sample()) + second.get(colour, Sample()) for colour in COLOURS}


def _milliseconds(text: str) -> int | None:
    """Return the time of an answer; where nginx asked several replicas, it has a number for each."""
    numbers = [part for part in text.replace(":", ",").split(",") if part.strip() not in ("", "-")]
    try:
        return round(sum(map(float, numbers)) * 1000) if numbers else None
    except ValueError:
        return None


class Traffic:
    """The log of one stack from now on; one that is ``shared`` with others is left as it is."""

    def __init__(self, log: str, parse: Callable[[Iterable[str]], Figures] = parse, *, shared: bool = False) -> None:
        self._log = log
        self._parse = parse
        self._shared = shared
        try:
            self._current = _Follower(log, at_end=True)
        except OSError as error:
            raise ComposeOpsError(
                f"A canary cannot be measured: {log} cannot be read ({error.strerror}). The edge makes it when a"
                " site leads to the stack.",
                "Route the stack in edge_sites and run the role edge; until then, deploy it without canary.steps.",
            ) from error
        self._rotated: _Follower | None = None

    def read(self) -> Figures:
        """Return what was written since the last time."""
        self._notice_rotation()
        found = self._parse(self._current.lines())
        # Workers of nginx write to the file from before until they are told to open the new one.
        return add(self._parse(self._rotated.lines()), found) if self._rotated else found

    def close(self) -> None:
        """Empty the log: all that is in it was read, or will not be."""
        for follower in (self._current, self._rotated):
            if follower:
                follower.close()
        if not self._shared:
            with contextlib.suppress(FileNotFoundError):
                os.truncate(self._log, 0)

    def _notice_rotation(self) -> None:
        try:
            if self._current.is_at(self._log):
                return
            follower = _Follower(self._log, at_end=False)
        except FileNotFoundError:
            # It was moved away, and the new one is not there yet.
            return
        if self._rotated:
            self._rotated.close()
        self._rotated, self._current = self._current, follower


class _Follower:
    """Whole lines of one file, each once."""

    def __init__(self, path: str, *, at_end: bool) -> None:
        self._stream: IO[bytes] = os.fdopen(os.open(path, os.O_RDONLY), "rb")
        self._begun = b""
        if at_end:
            self._stream.seek(0, os.SEEK_END)

    def is_at(self, path: str) -> bool:
        return os.path.samestat(os.fstat(self._stream.fileno()), os.stat(path))

    def lines(self) -> list[str]:
        if os.fstat(self._stream.fileno()).st_size < self._stream.tell():
            # Someone emptied it.
            self._stream.seek(0)
            self._begun = b""
        *whole, self._begun = (self._begun + self._stream.read()).split(b"\n")
        return [line.decode("utf-8", "replace") for line in whole]

    def close(self) -> None:
        self._stream.close()
