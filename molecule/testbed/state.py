"""What the bed remembers: its id, and what it made, in one directory."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from testbed.errors import BedError

REPOSITORY = Path(__file__).resolve().parents[2]
VARIABLE = "COMPOSEOPS_TESTBED_DIR"
FORMAT = 1


def default_directory() -> Path:
    """`.testbed/` in the repository, or where COMPOSEOPS_TESTBED_DIR says.

    Resolved, because the engine's processes are recognised by the paths in their arguments: two spellings of one
    directory must not become two engines in it.
    """
    return Path(os.environ.get(VARIABLE) or REPOSITORY / ".testbed").resolve()


@dataclass
class EngineRecord:
    """The engine in use; `private` ones are the bed's own processes."""

    private: bool
    url: str
    run_directory: str = ""
    forwarding_was_off: bool = False
    absent_before: list[str] = field(default_factory=list)


@dataclass
class NetworkRecord:
    """The bed's bridge network."""

    name: str
    bridge: str
    subnet: str
    mtu: int


@dataclass
class HostRecord:
    """A test host; `number` is its place in the subnet, `system` the inventory whose host it plays."""

    release: str
    aliases: list[str]
    number: int
    system: str = "petcare"


@dataclass
class State:
    """The content of state.json."""

    id: str
    format: int = FORMAT
    engine: EngineRecord | None = None
    source: str | None = None
    network: NetworkRecord | None = None
    privileged: bool | None = None
    hosts: dict[str, HostRecord] = field(default_factory=dict)
    pulled: list[str] = field(default_factory=list)
    layers: list[str] = field(default_factory=list)
    published: dict[str, str] = field(default_factory=dict)


class StateDirectory:
    """The directory and the record in it. Only its owner may look inside: keys and passwords lie here."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    @property
    def record(self) -> Path:
        return self.path / "state.json"

    def create(self) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.chmod(0o700)
        self.write(".gitignore", "*\n")

    def load(self) -> State | None:
        """The recorded state; None when there is no bed here."""
        try:
            text = self.record.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        try:
            return parse(text)
        except (ValueError, KeyError, TypeError) as error:
            raise BedError(
                f"{self.record} is not a record this version of the bed can read: {error}",
                "Run `down` with the version that made it; what it made carries the label composeops.testbed.",
            ) from error

    def load_or_create(self) -> State:
        state = self.load()
        if state is None:
            self.create()
            state = State(id=secrets.token_hex(4))
            self.save(state)
        return state

    def save(self, state: State) -> None:
        with self._lock:
            self.write("state.json", json.dumps(dataclasses.asdict(state), indent=2, sort_keys=True) + "\n")

    def write(self, name: str, text: str, *, mode: int = 0o600) -> Path:
        """Write a file whole or not at all; an equal file is left alone."""
        path = self.path / name
        if path.exists() and path.read_text(encoding="utf-8") == text and path.stat().st_mode & 0o777 == mode:
            return path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            os.fchmod(stream.fileno(), mode)
            stream.write(text)
        temporary.replace(path)
        return path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One command changes the bed at a time; the kernel drops the lock when its holder dies."""
        self.create()
        with (self.path / "lock").open("a+", encoding="utf-8") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print("Another bed command is running; waiting for it to end.", flush=True)
                fcntl.flock(stream, fcntl.LOCK_EX)
            yield


def parse(text: str) -> State:
    """The record from its JSON text."""
    data = json.loads(text)
    if data["format"] != FORMAT:
        raise ValueError(f"format {data['format']}, not {FORMAT}")
    engine = data.pop("engine")
    network = data.pop("network")
    hosts = data.pop("hosts")
    return State(
        engine=EngineRecord(**engine) if engine else None,
        network=NetworkRecord(**network) if network else None,
        hosts={name: HostRecord(**host) for name, host in hosts.items()},
        **data,
    )
