# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A Redis server over its socket: a few commands, and its data set as the stream that a replica would get.

The stream is the way that never blocks the server (SAVE does) and needs no room on its disk. The password goes
over the socket alone.
"""

from __future__ import annotations

import contextlib
import io
import socket
import time
from collections.abc import Generator, Iterator

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError

CHUNK = 256 * 1024
MARK = 40
"""The length of the random mark that ends a stream whose size the server did not know."""


class RedisError(ComposeOpsError):
    """The server said no, or nothing, or something else than Redis says."""


class RedisClient:
    """One connection. ``deadline`` is a reading of ``time.monotonic`` after which nothing is waited for."""

    def __init__(self, address: str, port: int, *, password: str, deadline: float) -> None:
        self._where = f"Redis at {address}:{port}"
        self._deadline = deadline
        try:
            self._socket = socket.create_connection((address, port), timeout=min(10.0, self._left()))
        except OSError as error:
            raise RedisError(f"{self._where} does not answer: {error}.", "Look at the service's logs.") from error
        self._stream: io.BufferedReader = self._socket.makefile("rb")
        if password:
            self.command("AUTH", password)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.close()
            self._socket.close()

    def command(self, *words: str) -> str:
        """Send one command and return its one answer as text; an array's elements are joined by line breaks."""
        with self._errors(words[0]):
            self._send(words)
            return self._answer(words[0])

    def info(self, section: str) -> dict[str, str]:
        """Return a section of INFO."""
        pairs = (line.partition(":") for line in self.command("INFO", section).splitlines() if ":" in line)
        return {name: value for name, _, value in pairs}

    def configuration(self, *names: str) -> dict[str, str]:
        """Return the values of configuration parameters; those that this version does not know are left out."""
        values = {}
        for name in names:
            answer = self.command("CONFIG", "GET", name).split("\n")
            if len(answer) == 2:  # noqa: PLR2004 (a name and its value)
                values[name] = answer[1]
        return values

    def dump(self) -> Generator[bytes]:
        """Yield the data set in Redis' dump format; raise when it ends before its end.

        ``rdb-only`` asks a server that knows it not to collect what is written meanwhile; ``eof`` lets it send
        straight from memory, so that a full disk cannot make it refuse writes.
        """
        with contextlib.suppress(RedisError):
            self.command("REPLCONF", "rdb-only", "1")
        self.command("REPLCONF", "capa", "eof")
        with self._errors("SYNC"):
            self._send(("SYNC",))
            header = self._line()
            while header == b"":
                # While it gets ready the server sends empty lines to say that it is still there.
                header = self._line()
        if header.startswith(b"$EOF:"):
            yield from self._until_mark(header[len(b"$EOF:") :])
        elif header.startswith(b"$"):
            yield from self._exactly(int(header[1:]))
        else:
            raise RedisError(
                f"{self._where} gave no copy of its data: {header.decode('utf-8', 'replace')}.", "Look at its logs."
            )

    def _until_mark(self, mark: bytes) -> Generator[bytes]:
        if len(mark) != MARK:
            raise RedisError(f"{self._where} announced its data in a form that is not known.", "Look at its version.")
        held = b""
        while True:
            chunk = self._chunk(CHUNK)
            if not chunk:
                raise RedisError(
                    f"{self._where} closed the connection in the middle of its data.",
                    "Its log says why; client-output-buffer-limit replica or repl-timeout may be too small.",
                )
            held += chunk
            if held.endswith(mark):
                yield held[:-MARK]
                return
            yield held[:-MARK]
            held = held[-MARK:]

    def _exactly(self, size: int) -> Generator[bytes]:
        left = size
        while left:
            chunk = self._chunk(min(CHUNK, left))
            if not chunk:
                raise RedisError(f"{self._where} closed the connection with {left} bytes to come.", "Look at its logs.")
            left -= len(chunk)
            yield chunk

    def _chunk(self, size: int) -> bytes:
        with self._errors("SYNC"):
            self._socket.settimeout(self._left())
            return self._stream.read1(size)

    def _send(self, words: tuple[str, ...]) -> None:
        encoded = [word.encode() for word in words]
        self._socket.settimeout(self._left())
        self._socket.sendall(b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in encoded))

    def _line(self) -> bytes:
        self._socket.settimeout(self._left())
        line = self._stream.readline()
        if not line.endswith(b"\n"):
            raise RedisError(f"{self._where} closed the connection.", "Look at its logs.")
        return line.rstrip(b"\r\n")

    def _answer(self, name: str) -> str:
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind in (b"+", b":"):
            return rest.decode("utf-8", "replace")
        if kind == b"-":
            # The answer to AUTH never repeats the password.
            raise RedisError(f"{self._where} refused {name}: {rest.decode('utf-8', 'replace')}.", _remedy(rest))
        if kind == b"$":
            size = int(rest)
            return "" if size < 0 else self._stream.read(size + 2)[:-2].decode("utf-8", "replace")
        if kind == b"*":
            return "\n".join(self._answer(name) for _ in range(int(rest)))
        raise RedisError(f"{self._where} does not speak like Redis.", "Check the source's service and port.")

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise RedisError(f"{self._where} took too long.", "Look at its logs, or raise the source's timeout.")
        return left

    @contextlib.contextmanager
    def _errors(self, name: str) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            raise RedisError(f"{self._where} did not answer {name}: {error}.", "Look at its logs.") from error


def _remedy(said: bytes) -> str:
    if said.startswith((b"NOAUTH", b"WRONGPASS", b"ERR AUTH", b"ERR Client sent AUTH")):
        return "Correct the source's password_secret, or deploy the stack so that Redis has the current password."
    return "Look at its logs."


@contextlib.contextmanager
def connected(address: str, port: int, *, password: str, deadline: float) -> Iterator[RedisClient]:
    """Give a connection for the block."""
    client = RedisClient(address, port, password=password, deadline=deadline)
    try:
        yield client
    finally:
        client.close()
