"""A TCP proxy that makes a near host a distant one: each direction arrives late, neither is made narrower.

Usage: python -m benchmarks.converge.delay_proxy --to ADDRESS:PORT --one-way SECONDS
It listens on a free port of 127.0.0.1, prints that port as its first line and serves until it is terminated.

The kernel's netem would do the same and is not everywhere. What is left out: window growth and loss of a real path.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import time

READ_AT_ONCE = 256 * 1024
"""Bytes; large, because a chunk is only the unit of delay."""

Chunk = tuple[float, bytes]


async def receive(reader: asyncio.StreamReader, chunks: asyncio.Queue[Chunk], one_way: float) -> None:
    """Read until the end and stamp each chunk with the time at which the other side shall see it.

    The queue is unbounded: a bounded one would hold back the sender and so limit throughput to its size per delay.
    """
    while True:
        try:
            data = await reader.read(READ_AT_ONCE)
        except ConnectionError:
            data = b""
        chunks.put_nowait((time.monotonic() + one_way, data))
        if not data:
            return


async def deliver(chunks: asyncio.Queue[Chunk], writer: asyncio.StreamWriter) -> None:
    """Write each chunk when it is due; an empty one is the end of this direction."""
    while True:
        due, data = await chunks.get()
        await asyncio.sleep(due - time.monotonic())
        try:
            if not data:
                writer.write_eof()
                return
            writer.write(data)
            await writer.drain()
        except (ConnectionError, OSError):
            return


async def relay(
    client_reader: asyncio.StreamReader, client_writer: asyncio.StreamWriter, address: str, port: int, one_way: float
) -> None:
    """Serve one connection.

    The client's ``connect`` ended at once, while over the distance it would have taken a round trip, and the server
    would have seen the connection half a round trip after that: both are waited for here.
    """
    upward: asyncio.Queue[Chunk] = asyncio.Queue()
    downward: asyncio.Queue[Chunk] = asyncio.Queue()
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(client_writer.close)
        await asyncio.sleep(2 * one_way)
        tasks = [asyncio.create_task(receive(client_reader, upward, one_way))]
        await asyncio.sleep(one_way)
        server_reader, server_writer = await asyncio.open_connection(address, port)
        stack.callback(server_writer.close)
        tasks += [
            asyncio.create_task(receive(server_reader, downward, one_way)),
            asyncio.create_task(deliver(upward, server_writer)),
            asyncio.create_task(deliver(downward, client_writer)),
        ]
        await asyncio.gather(*tasks)


async def serve(address: str, port: int, one_way: float) -> None:
    """Listen, say where, and relay until cancelled."""

    async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await relay(reader, writer, address, port, one_way)

    server = await asyncio.start_server(on_connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", required=True, metavar="ADDRESS:PORT")
    parser.add_argument("--one-way", required=True, type=float, metavar="SECONDS", help="half the round trip")
    arguments = parser.parse_args()
    address, _, port = arguments.to.rpartition(":")
    asyncio.run(serve(address, int(port), arguments.one_way))


if __name__ == "__main__":
    main()
