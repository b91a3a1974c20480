# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where the edge of this host reads which release answers: nginx looks for files, Traefik watches one.

Whoever releases does not know which of them it is.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Protocol

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import files
from ansible_collections.composeops.stack.plugins.module_utils.io.traefik import NotRunning, Traefik
from ansible_collections.composeops.stack.plugins.module_utils.release import active, traefik_file, traffic
from ansible_collections.composeops.stack.plugins.module_utils.release.clock import Clock
from ansible_collections.composeops.stack.plugins.module_utils.release.model import Sticky
from ansible_collections.composeops.stack.plugins.module_utils.release.traefik_file import Choice
from ansible_collections.composeops.stack.plugins.module_utils.release.traffic import Traffic

TRAEFIK_TIMEOUT = 30.0
"""Seconds until Traefik has taken a file; usually it is a fifth of one, on a host that has nothing left some more."""
POLL = 0.02


class Switch(Protocol):
    """The choice of one stack. What it changes has taken effect when it returns."""

    def serving(self) -> str:
        """Return the colour that new requests go to, but for the share of a canary."""
        ...

    def switch(self, colour: str) -> None:
        """Send all new requests to ``colour``; raise where they go as before."""
        ...

    def weigh(self, colour: str, percent: int, sticky: Sticky) -> None:
        """Send so many of a hundred new requests to ``colour``, and the others where they went."""
        ...

    def weights(self) -> dict[str, int]:
        """Return the percentage that a canary gets, by its colour; empty while none runs."""
        ...

    def clear_weights(self) -> None:
        """Send all new requests where the switch says."""
        ...

    def traffic(self) -> Traffic:
        """Return what the edge writes down of requests from now on."""
        ...


class NginxSwitch:
    """Files that nginx looks for."""

    def __init__(
        self, stack: str, clock: Clock, directory: str = active.DIRECTORY, logs: str = traffic.DIRECTORY
    ) -> None:
        self._stack = stack
        self._clock = clock
        self._directory = directory
        self._log = traffic.path(stack, logs)

    def serving(self) -> str:
        return active.serving(self._stack, self._directory)

    def switch(self, colour: str) -> None:
        active.switch(self._stack, colour, self._directory)
        self._wait()

    def weigh(self, colour: str, percent: int, sticky: Sticky) -> None:
        active.weigh(self._stack, colour, percent, self._directory, sticky)
        self._wait()

    def weights(self) -> dict[str, int]:
        return active.weights(self._stack, self._directory)

    def clear_weights(self) -> None:
        ran = bool(self.weights())
        active.clear_weights(self._stack, self._directory)
        if ran:
            self._wait()

    def traffic(self) -> Traffic:
        return Traffic(self._log)

    def _wait(self) -> None:
        self._clock.sleep(active.seen_after(self._clock.now()))


class TraefikSwitch:
    """The file of a stack in the directory that Traefik watches."""

    def __init__(
        self,
        stack: str,
        clock: Clock,
        traefik: Traefik,
        *,
        directory: str = traefik_file.DIRECTORY,
        log: str = traffic.TRAEFIK_LOG,
        lock: str = traefik_file.LOCK,
    ) -> None:
        self._stack = stack
        self._clock = clock
        self._traefik = traefik
        self._path = traefik_file.path(stack, directory)
        self._log = log
        self._lock = lock

    def serving(self) -> str:
        return self._read()[0].colour

    def switch(self, colour: str) -> None:
        self._publish(lambda _choice: Choice(colour))

    def weigh(self, colour: str, percent: int, sticky: Sticky) -> None:
        self._publish(lambda choice: traefik_file.canary_choice(self._stack, choice, colour, percent, sticky))

    def weights(self) -> dict[str, int]:
        choice, _ = self._read()
        return {choice.canary: choice.percent} if choice.canary else {}

    def clear_weights(self) -> None:
        choice, _ = self._read()
        if choice.canary:
            self._publish(lambda choice: Choice(choice.colour))

    def traffic(self) -> Traffic:
        return Traffic(self._log, parse=traffic.traefik_parser(self._stack), shared=True)

    def _read(self) -> tuple[Choice, dict[str, object]]:
        return traefik_file.parse(files.read_text(self._path))

    def _publish(self, change: Callable[[Choice], Choice]) -> None:
        with files.exclusive(self._lock, f"the release of stack {self._stack}", wait=traefik_file.LOCK_WAIT):
            before = files.read_text(self._path)
            choice, http = traefik_file.parse(before)
            text = traefik_file.render(self._stack, change(choice), http)
            self._write(text)
            try:
                self._wait(text)
            except ComposeOpsError:
                if before is not None:
                    self._write(before)
                raise

    def _write(self, text: str) -> None:
        files.write_atomically(self._path, text.encode(), mode=0o644, uid=os.geteuid(), gid=os.getegid())

    def _wait(self, text: str) -> None:
        """Wait until Traefik serves by this file: what is done next relies on it."""
        marker, began = traefik_file.marker(text), self._clock.elapsed()
        while not self._has_taken(marker):
            if self._clock.elapsed() - began > TRAEFIK_TIMEOUT:
                raise ComposeOpsError(
                    f"Stack {self._stack}: Traefik did not take {self._path} within {TRAEFIK_TIMEOUT:g} s."
                    " Requests go where they went before.",
                    "`journalctl -u traefik` says what it has against a file of that directory.",
                )
            self._clock.sleep(POLL)

    def _has_taken(self, marker: str) -> bool:
        try:
            return self._traefik.has_taken(marker)
        except NotRunning:
            # It serves nobody, and reads the file when it starts.
            return True
        except ComposeOpsError:
            # It is too busy to say so.
            return False


def of_host(
    stack: str, clock: Clock, *, directory: str = active.DIRECTORY, traefik: str = traefik_file.DIRECTORY
) -> Switch:
    """Return the switch of a stack: Traefik's where the role edge made Traefik the edge of this host."""
    if os.path.isdir(traefik):
        return TraefikSwitch(stack, clock, Traefik(), directory=traefik)
    return NginxSwitch(stack, clock, directory)
