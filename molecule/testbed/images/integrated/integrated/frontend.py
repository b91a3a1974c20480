"""nginx, and an orderly end: it takes no new requests, open WebSockets are closed with 1012, the others are finished.

nginx alone would wait for WebSockets that nobody closes, and then cut them.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import signal

NGINX = ("nginx", "-e", "/dev/stdout", "-c", "/etc/nginx/nginx.conf", "-g", "daemon off;")
BACKEND_PORT = 8000
AGAIN = 1.0


def serve() -> int:
    return asyncio.run(_serve())


async def _serve() -> int:
    # Should this process be killed, nginx goes with it and leaves its port to the next one.
    nginx = await asyncio.create_subprocess_exec("setpriv", "--pdeathsig", "QUIT", *NGINX)
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    ended = asyncio.create_task(nginx.wait())
    told = asyncio.create_task(stopping.wait())
    await asyncio.wait({ended, told}, return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    if not ended.done():
        nginx.send_signal(signal.SIGQUIT)
    while not ended.done():
        # Again and again, for one that was just being opened.
        await asyncio.to_thread(close_sockets)
        await asyncio.wait({ended}, timeout=AGAIN)
    return ended.result()


def close_sockets() -> None:
    """Ask the backend; one that does not answer has no WebSockets."""
    connection = http.client.HTTPConnection("127.0.0.1", BACKEND_PORT, timeout=5)
    with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
        connection.request("POST", "/sockets/close")
        connection.getresponse().read()
