"""supervisord's XML-RPC interface: what is asked of it, and what its faults mean."""

from __future__ import annotations

import socketserver
import threading
import xmlrpc.client
from collections.abc import Iterator
from pathlib import Path
from xmlrpc.server import SimpleXMLRPCDispatcher, SimpleXMLRPCRequestHandler, SimpleXMLRPCServer

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.monitor.supervisor import USUAL_URL, Supervisor


class Recorded:
    """The two methods that a restart needs; ``faults`` are the codes they end with."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, bool]] = []
        self.faults: dict[str, int] = {}

    def _dispatch(self, method: str, parameters: tuple[str, bool]) -> bool:
        name = method.removeprefix("supervisor.")
        self.calls.append((name, *parameters))
        if name in self.faults:
            raise xmlrpc.client.Fault(self.faults[name], "BECAUSE")
        return True


class Handler(SimpleXMLRPCRequestHandler):
    # A Unix socket has no delays to switch off, and its peer has no address to log.
    disable_nagle_algorithm = False

    def log_message(self, format: str, *args: object) -> None:
        """Tests print nothing."""


class UnixServer(socketserver.UnixStreamServer, SimpleXMLRPCDispatcher):
    logRequests = False

    def __init__(self, path: str) -> None:
        SimpleXMLRPCDispatcher.__init__(self, allow_none=True, encoding=None)
        super().__init__(path, Handler)


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


@pytest.fixture(params=["unix", "http"])
def supervisor(request: pytest.FixtureRequest, recorded: Recorded, tmp_path: Path) -> Iterator[Supervisor]:
    server: UnixServer | SimpleXMLRPCServer
    if request.param == "unix":
        server, url = UnixServer(str(tmp_path / "s")), f"unix://{tmp_path}/s"
    else:
        server = SimpleXMLRPCServer(("127.0.0.1", 0), Handler, logRequests=False)
        url = f"http://127.0.0.1:{server.server_address[1]}"
    server.register_instance(recorded)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield Supervisor(url)
    server.shutdown()
    server.server_close()


def test_program_is_stopped_and_started_and_waited_for(supervisor: Supervisor, recorded: Recorded) -> None:
    supervisor.restart("backend")
    assert recorded.calls == [("stopProcess", "backend", True), ("startProcess", "backend", True)]


@pytest.mark.parametrize("faults", [{"stopProcess": 70}, {"startProcess": 60}], ids=["did-not-run", "runs-already"])
def test_program_that_does_not_run_is_started(
    faults: dict[str, int], supervisor: Supervisor, recorded: Recorded
) -> None:
    recorded.faults = faults
    supervisor.restart("backend")
    assert [name for name, *_ in recorded.calls] == ["stopProcess", "startProcess"]


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        ({"stopProcess": 10}, "supervisord refused backend: BECAUSE. Correct its name in the rule."),
        ({"startProcess": 50}, "supervisord refused backend: BECAUSE. Look at its log."),
    ],
    ids=["unknown", "does-not-start"],
)
def test_fault_is_an_error(faults: dict[str, int], words: str, supervisor: Supervisor, recorded: Recorded) -> None:
    recorded.faults = faults
    with pytest.raises(ComposeOpsError) as caught:
        supervisor.restart("backend")
    assert str(caught.value) == words


@pytest.mark.parametrize("url", ["unix:///nowhere/s", "http://127.0.0.1:1"])
def test_supervisord_that_is_not_there_is_an_error(url: str) -> None:
    with pytest.raises(ComposeOpsError, match="supervisord cannot be reached at"):
        Supervisor(url).restart("backend")


def test_address_is_the_one_of_who_started_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUPERVISOR_SERVER_URL", raising=False)
    assert Supervisor().url == USUAL_URL
    monkeypatch.setenv("SUPERVISOR_SERVER_URL", "unix:///tmp/s")
    assert Supervisor().url == "unix:///tmp/s"
    assert Supervisor("http://127.0.0.1:9001").url == "http://127.0.0.1:9001"
