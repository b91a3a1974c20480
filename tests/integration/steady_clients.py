"""Clients that ask without a break, run on the host itself: what they lose is what a reload costs.

Usage: python3 steady_clients.py NAME STOP N, which ends when the file STOP is there. Four of them speak HTTP/1.1 and
keep their connections, N speak HTTP/2 (python3-h2). A request fails when its connection ends without an answer. One
that the server said it did not take (GOAWAY with a lower stream) is sent again, as every HTTP/2 client does, and is
counted apart.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import json
import os
import ssl
import sys
import time
from collections.abc import Awaitable, Callable

import h2.config
import h2.connection
import h2.events

HTTP_1_CLIENTS = 4
PAUSE = 0.01
ADDRESS = ("127.0.0.1", 443)
LONG_ENOUGH = 120.0
FRAME_HEADER = 9

STARTED = time.monotonic()

counts: collections.Counter[str] = collections.Counter()
causes: collections.Counter[str] = collections.Counter()


def goes_on() -> bool:
    return not os.path.exists(sys.argv[2]) and time.monotonic() - STARTED < LONG_ENOUGH


def tls(protocol: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols([protocol])
    return context


async def connect(name: str, protocol: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    counts[f"{protocol} connections"] += 1
    return await asyncio.open_connection(*ADDRESS, ssl=tls(protocol), server_hostname=name)


async def http_1(name: str) -> None:
    while goes_on():
        reader, writer = await connect(name, "http/1.1")
        with contextlib.closing(writer):
            kept = True
            while kept and goes_on():
                counts["sent"] += 1
                writer.write(f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
                head = await reader.readuntil(b"\r\n\r\n")
                status, fields = int(head.split()[1]), head.lower()
                length = int(fields.split(b"content-length: ")[1].split(b"\r\n")[0])
                await reader.readexactly(length)
                if status != 200:
                    raise OSError(f"status {status}")
                kept = b"connection: close" not in fields
                await asyncio.sleep(PAUSE)


async def http_2(name: str) -> None:
    while goes_on():
        reader, writer = await connect(name, "h2")
        with contextlib.closing(writer):
            connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
            connection.initiate_connection()
            kept = True
            while kept and goes_on():
                kept = await one_stream(name, connection, reader, writer)
                await asyncio.sleep(PAUSE)


async def one_stream(
    name: str,
    connection: h2.connection.H2Connection,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> bool:
    """Ask once; return whether the connection can be used for more."""
    stream = connection.get_next_available_stream_id()
    connection.send_headers(
        stream, [(":method", "GET"), (":authority", name), (":scheme", "https"), (":path", "/")], end_stream=True
    )
    counts["sent"] += 1
    writer.write(connection.data_to_send())
    last_taken, answered = None, False
    while not answered:
        try:
            frame = await reader.readexactly(FRAME_HEADER)
            frame += await reader.readexactly(int.from_bytes(frame[:3], "big"))
        except (asyncio.IncompleteReadError, ConnectionResetError):
            break
        for event in connection.receive_data(frame):
            if isinstance(event, h2.events.ResponseReceived) and dict(event.headers)[b":status"] != b"200":
                raise OSError(f"status {dict(event.headers)[b':status']!r}")
            if isinstance(event, h2.events.DataReceived):
                connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if isinstance(event, h2.events.ConnectionTerminated):
                last_taken = event.last_stream_id
                # The library takes a connection for dead here, and nginx goes on to answer what it has taken.
                connection.state_machine.state = h2.connection.ConnectionState.CLIENT_OPEN
            answered = answered or (isinstance(event, h2.events.StreamEnded) and event.stream_id == stream)
        with contextlib.suppress(h2.exceptions.ProtocolError):
            writer.write(connection.data_to_send())
        if last_taken is not None and stream > last_taken:
            break
    if not answered and (last_taken is None or stream <= last_taken):
        raise OSError("closed without an answer")
    counts["not taken, sent again"] += not answered
    return answered and last_taken is None


async def for_ever(client: Callable[[str], Awaitable[None]], name: str) -> None:
    while goes_on():
        try:
            await client(name)
        except (OSError, asyncio.IncompleteReadError, h2.exceptions.H2Error) as error:
            counts["failed"] += 1
            causes[f"{client.__name__}: {type(error).__name__} {error}"] += 1
            await asyncio.sleep(PAUSE)


async def main(name: str) -> None:
    clients = [*[http_1] * HTTP_1_CLIENTS, *[http_2] * int(sys.argv[3])]
    await asyncio.gather(*(for_ever(client, name) for client in clients))
    print(json.dumps({"failed": 0, **counts, "causes": causes}))


asyncio.run(main(sys.argv[1]))
