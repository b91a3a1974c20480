"""A backend that can be told to misbehave until it is restarted. Usage: backend.py PORT FAULT_FILE

The file's content is ``500`` or ``slow``; a start removes it, as a restart clears whatever went wrong in a process.
"""

from __future__ import annotations

import http.server
import sys
import time
from pathlib import Path

FAULT = Path(sys.argv[2])


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        fault = FAULT.read_text() if FAULT.exists() else ""
        if fault == "slow":
            time.sleep(20)
        self.send_response(500 if fault == "500" else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """The monitor's log is the one that matters."""


FAULT.unlink(missing_ok=True)
http.server.ThreadingHTTPServer.daemon_threads = True
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
