# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""supervisord over its XML-RPC interface, on a Unix socket or over HTTP.

http://supervisord.org/api.html
"""

from __future__ import annotations

import http.client
import os
import socket
import xmlrpc.client
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError

USUAL_URL = "unix:///run/supervisor.sock"
TIMEOUT = 120.0
"""Seconds for one call: a program that has to be killed takes its stopwaitsecs, one that starts its startsecs."""
ALREADY_STARTED = 60
NOT_RUNNING = 70
BAD_NAME = 10


class Supervisor:
    """A supervisord; without ``url`` the one that started this process, or the usual socket."""

    def __init__(self, url: str = "") -> None:
        self.url = url or os.environ.get("SUPERVISOR_SERVER_URL") or USUAL_URL

    def restart(self, program: str) -> None:
        """Stop a program, whatever it takes, and start it; one that does not run is started."""
        with self._connected() as server:
            self._call(program, server.supervisor.stopProcess, NOT_RUNNING)
            self._call(program, server.supervisor.startProcess, ALREADY_STARTED)

    def _connected(self) -> xmlrpc.client.ServerProxy:
        scheme, _, rest = self.url.partition("://")
        if scheme == "unix":
            return xmlrpc.client.ServerProxy("http://localhost/RPC2", transport=_Transport(rest))
        return xmlrpc.client.ServerProxy(f"{self.url.rstrip('/')}/RPC2", transport=_Transport())

    def _call(self, program: str, method: Any, tolerated: int) -> None:
        try:
            method(program, True)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode == tolerated:
                return
            hint = "Correct its name in the rule." if fault.faultCode == BAD_NAME else "Look at its log."
            raise ComposeOpsError(f"supervisord refused {program}: {fault.faultString}.", hint) from fault
        except xmlrpc.client.ProtocolError as error:
            raise ComposeOpsError(f"supervisord answered {error.errcode} {error.errmsg}.", "") from error
        except (OSError, http.client.HTTPException) as error:
            raise ComposeOpsError(
                f"supervisord cannot be reached at {self.url}: {error}.",
                "Give it a [unix_http_server] and an [rpcinterface:supervisor], and supervisor_url its address.",
            ) from error


class _Transport(xmlrpc.client.Transport):
    """Connects with a time-out, to a Unix socket where ``path`` is given."""

    def __init__(self, path: str = "") -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        if not self._path:
            return http.client.HTTPConnection(host, timeout=TIMEOUT)
        return _UnixConnection(self._path)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT)
        self.sock.connect(self._path)
