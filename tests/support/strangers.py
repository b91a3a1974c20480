"""Machines that are neither the controller nor a host: containers of the test bed's network, each with its address."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from docker.errors import APIError
from testbed import engine, names, network
from testbed.state import StateDirectory, default_directory

NUMBERS = range(240, 255)
"""Places in the bed's network that it gives to nothing; another test may have some of them."""
TRIES = "ssh -i /root/key -o BatchMode=yes -o StrictHostKeyChecking=no -o ConnectTimeout=2 -o NumberOfPasswordPrompts=0"
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=2)"
REQUEST = """\
import base64, sys, urllib.error, urllib.request
head = {"Authorization": "Basic " + base64.b64encode(b"guess:wrong").decode()}
for _ in range(int(sys.argv[2])):
    try:
        urllib.request.urlopen(urllib.request.Request(sys.argv[1], headers=head), timeout=2).close()
    except urllib.error.HTTPError as error:
        print(error.code)
    except OSError:
        print("none")
"""


@dataclass(frozen=True)
class Stranger:
    """Somebody else in the network, with an ssh client and Python."""

    container: Any

    @property
    def address(self) -> str:
        networks = self.container.attrs["NetworkSettings"]["Networks"]
        return str(next(iter(networks.values()))["IPAddress"])

    def reaches(self, host: str, port: int) -> bool:
        """Whether a connection is accepted."""
        return self._run(["python3", "-c", CONNECT, host, str(port)])[0] == 0

    def guesses(self, host: str, *users: str) -> None:
        """Try to log in by ssh as each of these, with a key that nobody knows."""
        for user in users:
            status, said = self._run(["sh", "-c", f"{TRIES} {user}@{host} true"])
            assert status != 0, f"{user} logged in with an unknown key: {said}"

    def asks(self, url: str, times: int) -> list[str]:
        """Send so many requests with a wrong password, and return the status of each, or "none"."""
        return self._run(["python3", "-c", REQUEST, url, str(times)])[1].split()

    def _run(self, argv: Sequence[str]) -> tuple[int, str]:
        status, output = self.container.exec_run(list(argv))
        return int(status), output.decode()


@contextmanager
def strangers(count: int) -> Iterator[list[Stranger]]:
    """So many machines, gone afterwards."""
    state = StateDirectory(default_directory()).load()
    assert state is not None and state.engine is not None and state.network is not None, "no bed is up: `make bed`"
    client = engine.connect(state.engine.url)
    made: list[Any] = []
    try:
        numbers = iter(NUMBERS)
        while len(made) < count:
            address = network.address(state.network, next(numbers))
            container = client.containers.create(
                names.image(state.id, "host-trixie"),
                ["sleep", "infinity"],
                init=True,
                network=state.network.name,
                networking_config={state.network.name: client.api.create_endpoint_config(ipv4_address=address)},
                labels=names.labels(state.id, role="test"),
            )
            try:
                container.start()
            except APIError as error:
                container.remove(force=True, v=True)
                if "in use" not in str(error):
                    raise
                continue
            made.append(container)
            container.reload()
            container.exec_run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/root/key"])
        yield [Stranger(container) for container in made]
    finally:
        for container in made:
            container.remove(force=True, v=True)
