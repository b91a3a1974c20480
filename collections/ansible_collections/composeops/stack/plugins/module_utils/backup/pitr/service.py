# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Sends the write-ahead log of one server to the store as it is written, until it is stopped.

It can be killed at any moment. The server keeps what was not received whole, the spool what was not sent, and both
are taken up where they are.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from datetime import datetime

from ansible_collections.composeops.stack.plugins.module_utils.backup import catalogue, metrics, records, report
from ansible_collections.composeops.stack.plugins.module_utils.backup.encoding import programs
from ansible_collections.composeops.stack.plugins.module_utils.backup.encoding.encode import Encoded
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Settings, Source
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr import (
    archive,
    identities,
    measure,
    options,
    server,
    spool,
    sql,
)
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.receiver import Receiver
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.server import Observed
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.spool import Spool, Waiting
from ansible_collections.composeops.stack.plugins.module_utils.backup.producer import Stream
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import postgres_place
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner

TURN_SECONDS = 1.0
RETRY_SECONDS = 5.0
MEASURE_SECONDS = 60.0
BASE_SECONDS = 300.0
"""How long after asking for a base backup it may be asked for again for the same reason."""
SEND_SECONDS = 300.0
"""How long encoding one segment may take."""


class Service:
    """One source's log on its way to the store. ``say`` is told what an operator wants to know, once."""

    def __init__(
        self,
        settings: Settings,
        source: Source,
        runner: Runner,
        *,
        say: Callable[[str], None],
        directory: str = records.DIRECTORY,
        spooling: str = spool.DIRECTORY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._source = source
        self._runner = runner
        self._say = say
        self._directory = directory
        self._clock = clock
        self._spool = Spool(source.name, spooling)
        self._bucket = catalogue.open_bucket(settings.store)
        self._receiver = Receiver(source, runner)
        self._said: dict[str, str] = {}
        self._asked_for = ""
        self._gave_up: datetime | None = None
        """When it was seen that the server gave up a part of the log, until there is a base backup after that."""
        self._due = {"receive": 0.0, "mark": 0.0, "send": 0.0, "measure": 0.0, "base": 0.0}

    def run(self) -> None:
        """Work until the process is stopped."""
        try:
            while True:
                self.turn()
                time.sleep(TURN_SECONDS)
        finally:
            self._receiver.stop()

    def turn(self) -> None:
        """Do what is due; one thing that fails keeps no other from being done, and is tried again."""
        for name, task in (
            ("receive", self._receive),
            ("mark", self._mark),
            ("send", self._send),
            ("measure", self._measure),
        ):
            if self._clock() < self._due[name]:
                continue
            try:
                task()
            except (ComposeOpsError, OSError) as error:
                self._tell(name, str(error))
                self._due[name] = self._clock() + RETRY_SECONDS
            else:
                self._tell(name, "")

    def _receive(self) -> None:
        """See that the log is received, unless what waits fills what it may."""
        held, limit = self._spool.bytes(), options.spool_limit(self._source.point_in_time)
        if held >= limit:
            if self._receiver.running:
                self._receiver.stop()
            raise ComposeOpsError(
                f"{report.size(held)} of the log wait on this host; no more is received, and the database keeps it.",
                "Look at the store, before the database's disk is full.",
            )
        if self._receiver.running:
            return
        if self._receiver.place is not None:
            self._tell("receiver", f"Receiving ended: {self._receiver.why()}")
            # Whatever ended it is not asked again in the same moment.
            self._receiver.place = None
            self._due["receive"] = self._clock() + RETRY_SECONDS
            return
        place = postgres_place.of(self._source, self._runner)
        observed = server.observe(self._runner, place)
        name = sql.slot(self._source.name)
        if observed.slots.get(name) == server.LOST:
            self._say("The server gave up keeping the log that was not received: a part of it is lost.")
            server.ask(self._runner, place, sql.drop_slot(name))
            self._gave_up = catalogue.now().replace(microsecond=0)
        server.ask(self._runner, place, sql.make_slot(name))
        self._receiver.start(place, self._spool.receiving(observed.system, observed.segment.timeline))
        if not self._said.get("receiver"):
            self._say(f"Receiving the log of {self._source.name} from segment {observed.segment.name} on.")
        # After a restore there is a new timeline, which needs a base of its own at once.
        self._due["measure"] = 0.0

    def _mark(self) -> None:
        """End the segment that is written, if something was written that could be lost."""
        if not self._receiver.running or self._receiver.place is None:
            return
        self._tell("receiver", "")
        self._due["mark"] = self._clock() + options.lag(self._source.point_in_time).total_seconds()
        place = self._receiver.place
        observed = server.observe(self._runner, place)
        newest = next(reversed(self._spool.marks()), None)
        if newest is None or (newest.system, newest.snapshot) != (observed.system, observed.snapshot):
            self._spool.add(server.mark(self._runner, place, observed.system))

    def _send(self) -> None:
        for one in self._spool.waiting():
            self._send_one(one)
            self._spool.sent(one)

    def _send_one(self, one: Waiting) -> None:
        recipients = self._recipients()
        encoding = programs.steps(recipients)
        stream = Stream(one.name, 0, lambda: _content(one.path))
        encoded = b"".join(Encoded(stream, encoding, recipients, time.monotonic() + SEND_SECONDS).chunks())
        key = archive.key(
            self._source.name,
            self._settings.host,
            one.system,
            one.name,
            encoding=encoding,
            complete_until=one.complete_until,
        )
        self._bucket.write(key, encoded)
        stored = self._bucket.size(key)
        if stored != len(encoded):
            raise ComposeOpsError(f"The store holds {stored} bytes of {key}, {len(encoded)} were sent.", "Look at it.")

    def _recipients(self) -> tuple[str, ...]:
        recipients = self._settings.recipients
        if not recipients:
            return ()
        return (*recipients, identities.current(self._source.name, self._runner, self._directory).recipient)

    def _measure(self) -> None:
        """Say when a restore could not go up to now, and have a new base backup taken where that mends it."""
        if not self._receiver.running or self._receiver.place is None:
            return
        self._due["measure"] = self._clock() + MEASURE_SECONDS
        observed: Observed = server.observe(self._runner, self._receiver.place)
        lag = measure.of(self._bucket, self._settings.host, observed, self._spool, catalogue.now())
        if lag.mended_by_base and self._gap():
            # Before the bucket shows the gap, and as its reason once it does.
            lag = replace(lag, seconds=None, problem=measure.GAVE_UP)
        metrics.wal_lag(
            self._settings,
            self._source,
            # What nobody knows is no small number.
            seconds=math.inf if lag.problem or lag.seconds is None else lag.seconds,
            count=lag.bytes,
            directory=self._directory,
        )
        self._tell("lag", f"No restore could go up to now: {lag.problem}." if lag.problem else "")
        if not lag.problem:
            return
        self._due["measure"] = self._clock() + RETRY_SECONDS
        if lag.mended_by_base and (lag.problem != self._asked_for or self._clock() >= self._due["base"]):
            self._asked_for, self._due["base"] = lag.problem, self._clock() + BASE_SECONDS
            unit = f"composeops-backup@{self._source.name}.service"
            self._say(f"Starting {unit} for a new base backup.")
            self._runner.run(["systemctl", "start", "--no-block", unit])

    def _gap(self) -> bool:
        """Whether the log has a gap since the newest base. The bucket shows it only when a later segment is there."""
        if self._gave_up is not None:
            newest = catalogue.newest(self._bucket, self._source.name, self._settings.host)
            if newest is not None and newest.created >= self._gave_up:
                self._gave_up = None
        return self._gave_up is not None

    def _tell(self, about: str, text: str) -> None:
        """Say what has changed: an error that lasts is one line, and its end another."""
        before = self._said.get(about, "")
        if text == before:
            return
        self._said[about] = text
        self._say(text or f"Well again: {before.splitlines()[0][:100]}")


def _content(path: str) -> Generator[bytes]:
    with open(path, "rb") as stream:
        while chunk := stream.read(1 << 20):
            yield chunk
