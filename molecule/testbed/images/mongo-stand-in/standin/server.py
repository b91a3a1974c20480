"""mongod: the wire protocol, one connection a thread, one command at a time."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socketserver
import struct
import sys
import threading
from types import FrameType
from typing import Any

import bson

from standin import scram
from standin.commands import Session
from standin.store import Store

HEADER = struct.Struct("<iiii")
OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013
MORE_TO_COME = 2
LARGEST = 48_000_000


class Connection(socketserver.StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        # A client that is gone is no fault of ours.
        with contextlib.suppress(ConnectionError):
            self._serve()

    def _serve(self) -> None:
        session = Session(self.server.store)
        while header := self.rfile.read(HEADER.size):
            size, number, _, code = HEADER.unpack(header)
            if not HEADER.size < size <= LARGEST or code not in (OP_QUERY, OP_MSG):
                return
            body = self.rfile.read(size - HEADER.size)
            command, silent = query(body) if code == OP_QUERY else message(body)
            with self.server.one_at_a_time:
                answer = bson.encode(session.answer(command))
            if silent:
                continue
            if code == OP_QUERY:
                kind, before = OP_REPLY, struct.pack("<iqii", 8, 0, 0, 1)
            else:
                kind, before = OP_MSG, struct.pack("<IB", 0, 0)
            whole = HEADER.size + len(before) + len(answer)
            self.wfile.write(HEADER.pack(whole, 0, number, kind) + before + answer)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], store: Store) -> None:
        self.store = store
        self.one_at_a_time = threading.Lock()
        super().__init__(address, Connection)


def query(body: bytes) -> tuple[dict[str, Any], bool]:
    """The old form, in which drivers still say hello."""
    name_end = body.index(b"\0", 4)
    start = name_end + 9
    (size,) = struct.unpack_from("<i", body, start)
    command = bson.decode(body[start : start + size])
    return {**command, "$db": body[4:name_end].decode().partition(".")[0]}, False


def message(body: bytes) -> tuple[dict[str, Any], bool]:
    (flags,) = struct.unpack_from("<I", body)
    end = len(body) - (4 if flags & 1 else 0)
    command: dict[str, Any] = {}
    position = 4
    while position < end:
        kind = body[position]
        (size,) = struct.unpack_from("<i", body, position + 1)
        section = body[position + 1 : position + 1 + size]
        if kind == 0:
            command = {**bson.decode(section), **command}
        else:
            name_end = section.index(b"\0", 4)
            command[section[4:name_end].decode()] = bson.decode_all(section[name_end + 1 :])
        position += 1 + size
    # The command's own name comes first whatever the order of the sections was.
    name = next(name for name in command if name not in ("documents", "updates", "deletes"))
    return {name: command.pop(name), **command}, bool(flags & MORE_TO_COME)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="mongod", description="A stand-in for MongoDB; it is not MongoDB.")
    parser.add_argument("--dbpath", default="/data/db")
    parser.add_argument("--bind_ip", default="0.0.0.0")  # noqa: S104 (a container's network is its boundary)
    parser.add_argument("--bind_ip_all", action="store_true")
    parser.add_argument("--port", type=int, default=27017)
    parser.add_argument("--auth", action="store_true")
    parser.add_argument("--wiredTigerCacheSizeGB", help="taken and of no effect: nothing is cached")
    parsed = parser.parse_args(arguments)
    # One connection for all threads: they take turns.
    store = Store(os.path.join(parsed.dbpath, "stand-in.sqlite"))
    user, password = os.environ.get("MONGO_INITDB_ROOT_USERNAME"), os.environ.get("MONGO_INITDB_ROOT_PASSWORD")
    if user and password and not store.has_users():
        scram.add_user(store, user, password)
    if parsed.auth and not store.has_users():
        print("mongod (stand-in): --auth, and there is no user", file=sys.stderr)
        return 1
    with Server((parsed.bind_ip, parsed.port), store) as server:

        def stop(_number: int, _frame: FrameType | None) -> None:
            threading.Thread(target=server.shutdown).start()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        print(f"mongod (stand-in, not MongoDB): waiting for connections on port {parsed.port}", flush=True)
        server.serve_forever(poll_interval=0.2)
        with server.one_at_a_time:
            store.close()
    print("mongod (stand-in): stopped", flush=True)
    return 0
