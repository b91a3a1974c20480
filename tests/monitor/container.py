"""What a single container of INT runs: a real supervisord with a backend and the monitor, from the on-host program."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import xmlrpc.client
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils import version
from ansible_collections.composeops.stack.plugins.module_utils.monitor.supervisor import Supervisor
from ansible_collections.composeops.stack.plugins.module_utils.program import archive
from ansible_collections.composeops.stack.tests.unit.support.servers import free_port

CHECK_TIMEOUT = 1.0
BACKEND = Path(__file__).with_name("backend.py")
SUPERVISORD = Path(sys.executable).with_name("supervisord")


class Container:
    """A supervisord of its own, below ``directory``."""

    def __init__(self, directory: Path, webhooks: list[dict[str, str]], **options: Any) -> None:
        self.directory = directory
        self.port = free_port()
        self.fault = directory / "fault"
        self.program = directory / "composeops.pyz"
        self.program.write_bytes(archive.build(archive.collect(str(Path(version.__file__).parent))))
        self.socket = directory / "supervisor.sock"
        self.config = directory / "monitor.json"
        self.log = directory / "monitor.log"
        self.metrics = directory / "metrics" / "monitor.prom"
        self.configure(webhooks, **options)
        (directory / "supervisord.conf").write_text(self._configuration())
        self._process: subprocess.Popen[bytes] | None = None

    def configure(self, webhooks: list[dict[str, str]], *, status: int = 200, **options: Any) -> None:
        """Write the monitor's configuration; ``status`` is what the backend should answer."""
        health = {
            "name": "backend",
            "type": "http",
            "url": f"http://127.0.0.1:{self.port}/health",
            "timeout": CHECK_TIMEOUT,
        }
        content = {
            "host": "integrated",
            "checks": [{**health, "expect": {"status": [status]}}],
            "rules": [{"check": "backend", "restart": "supervisor", "program": "backend"}],
            "webhooks": webhooks,
            "thresholds": {"cpu": 0, "memory": 0, "disk": 0},
            "state_directory": str(self.directory / "state"),
            "metrics_file": str(self.metrics),
            "interval": 0.5,
            "start_delay": 0.5,
            "grace": 1,
            "backoff": 0.5,
            "restarts_per_hour": 10,
            **options,
        }
        self.config.write_text(json.dumps(content))
        self.config.chmod(0o600)

    def start(self) -> None:
        argv = [str(SUPERVISORD), "--nodaemon", "--configuration", str(self.directory / "supervisord.conf")]
        with (self.directory / "supervisord.log").open("wb") as log:
            self._process = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.wait_until(lambda: self.socket.exists() and self.backend() > 0, "supervisord to run its programs")
        self.wait_until(self.serves, "the backend to answer")

    def stop(self) -> None:
        if self._process is not None:
            if self.socket.exists() and self.backend():
                os.kill(self.backend(), signal.SIGCONT)
            self._process.terminate()
            self._process.wait(timeout=30)

    def information(self, program: str) -> dict[str, Any]:
        with Supervisor(f"unix://{self.socket}")._connected() as server:
            found: Any = server.supervisor.getProcessInfo(program)
            return dict(found)

    def backend(self) -> int:
        """Return the process of the backend; 0 where there is none."""
        try:
            return int(self.information("backend")["pid"])
        except (OSError, http.client.HTTPException, xmlrpc.client.Error):
            return 0

    def serves(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=0.5)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def break_by(self, fault: str) -> None:
        """Kill or freeze the backend, or have it answer 500 or slowly."""
        signals = {"killed": signal.SIGKILL, "frozen": signal.SIGSTOP}
        if fault in signals:
            os.kill(self.backend(), signals[fault])
        else:
            self.fault.write_text(fault)

    def wait_until(self, condition: Callable[[], bool], what: str, timeout: float = 30) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {timeout:g} s for {what}; the monitor says:\n{self.said()}")
            time.sleep(0.05)

    def said(self) -> str:
        """Return the monitor's log."""
        return self.log.read_text() if self.log.exists() else ""

    def state(self) -> dict[str, Any]:
        """Return what the monitor remembers."""
        path = self.directory / "state" / "state.json"
        return dict(json.loads(path.read_text())) if path.exists() else {}

    def _configuration(self) -> str:
        return textwrap.dedent(
            f"""\
            [supervisord]
            logfile={self.directory}/supervisor.log
            pidfile={self.directory}/supervisord.pid
            [unix_http_server]
            file={self.socket}
            chmod=0700
            [rpcinterface:supervisor]
            supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
            [program:backend]
            command={sys.executable} {BACKEND} {self.port} {self.fault}
            priority=100
            ; Left to the monitor, or this would show nothing of it.
            autorestart=false
            startsecs=0
            stopwaitsecs=1
            [program:healthmonitor]
            command={sys.executable} {self.program} monitor --config {self.config}
            priority=300
            autorestart=true
            startsecs=0
            stdout_logfile={self.log}
            redirect_stderr=true
            """
        )
