"""The Docker engine: the machine's own when it has a working one, else a private one that touches nothing known."""

from __future__ import annotations

import os
from pathlib import Path

import docker
from docker.errors import DockerException

from testbed import capabilities, firewall, packages, traces, trees
from testbed.daemons import Daemon
from testbed.errors import BedError
from testbed.progress import Progress
from testbed.state import EngineRecord, State, StateDirectory
from testbed.waiting import wait_for

DEFAULT_URL = "unix:///var/run/docker.sock"
LOGIN_SECONDS = 5

# Hosts outlive a restart of the engine. The file is named so that the machine's /etc/docker/daemon.json is not read.
DAEMON_CONFIGURATION = '{"live-restore": true}\n'

# A unix socket's path has at most 107 bytes, and the engine hangs longer names below its run directory.
LONGEST_RUN_DIRECTORY = 60


def connect(url: str, *, timeout: int = 600) -> docker.DockerClient:
    return docker.DockerClient(base_url=url, version="auto", timeout=timeout)


def answers(url: str) -> bool:
    """Whether a usable engine is there."""
    try:
        client = docker.DockerClient(base_url=url, version="auto", timeout=LOGIN_SECONDS)
        client.ping()
        client.close()
    except (DockerException, OSError):
        return False
    return True


def machine_url(environment: dict[str, str]) -> str:
    """The engine the operator's own `docker` would talk to."""
    url = environment.get("DOCKER_HOST") or DEFAULT_URL
    if not url.startswith("unix://"):
        raise BedError(
            f"DOCKER_HOST is {url}: the bed reaches its containers by address, so the engine must be on this machine.",
            "Unset DOCKER_HOST, or set it to a unix:// socket of an engine on this machine.",
        )
    return url


def run_directory(directory: Path, bed: str) -> Path:
    """Where sockets and pid files live: in the state directory unless its path is too long for a socket."""
    inside = directory / "engine" / "run"
    if len(str(inside)) <= LONGEST_RUN_DIRECTORY:
        return inside
    return Path(f"/run/composeops-testbed-{bed}")


def containerd(directory: Path, run_path: Path) -> Daemon:
    engine = directory / "engine"
    return Daemon(
        argv=("containerd", "--config", str(engine / "containerd.toml")),
        pidfile=run_path / "containerd.pid",
        log=engine / "containerd.log",
    )


def dockerd(directory: Path, run_path: Path) -> Daemon:
    engine = directory / "engine"
    return Daemon(
        argv=(
            "dockerd",
            *("--config-file", str(engine / "daemon.json")),
            *("--data-root", str(engine / "data")),
            *("--exec-root", str(run_path / "exec")),
            *("--host", f"unix://{run_path}/docker.sock"),
            *("--pidfile", str(run_path / "dockerd-own.pid")),
            *("--containerd", str(run_path / "containerd.sock")),
            *("--bridge", "none"),
            "--iptables=false",
            "--ip6tables=false",
            "--ip-forward=false",
            "--ip-masq=false",
            *("--log-level", "warn"),
        ),
        pidfile=run_path / "dockerd.pid",
        log=engine / "dockerd.log",
    )


def containerd_configuration(directory: Path, run_path: Path) -> str:
    """A containerd of the bed's own, so that one on the machine is never used by accident."""
    return (
        "version = 2\n"
        f'root = "{directory}/engine/containerd"\n'
        f'state = "{run_path}/containerd"\n'
        # `opt` would make /opt/containerd.
        'disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]\n'
        "[grpc]\n"
        f'  address = "{run_path}/containerd.sock"\n'
    )


def ensure(directory: StateDirectory, state: State, choice: str, progress: Progress) -> docker.DockerClient:
    """A client of the bed's engine, which is started or chosen first where necessary."""
    if state.engine is None:
        state.engine = _choose(directory, state, choice, progress)
        directory.save(state)
    if state.engine.private:
        _start_private(directory, state, state.engine, progress)
    elif not answers(state.engine.url):
        raise BedError(
            f"The engine this bed was made in does not answer at {state.engine.url}.",
            "Start it (`systemctl start docker`), or remove the state directory if the engine is gone for good.",
        )
    return connect(state.engine.url)


def _choose(directory: StateDirectory, state: State, choice: str, progress: Progress) -> EngineRecord:
    if choice in {"auto", "machine"}:
        url = machine_url(dict(os.environ))
        if answers(url):
            progress.say(
                f"engine: using the one at {url}; everything made in it is labelled composeops.testbed={state.id}"
            )
            return EngineRecord(private=False, url=url)
        if choice == "machine":
            raise BedError(
                f"No Docker engine answers at {url}.", "Start it, or let the bed bring its own: --engine private"
            )
    packages.install(packages.ENGINE, "a private Docker engine for the test bed", progress)
    run_path = run_directory(directory.path, state.id)
    return EngineRecord(
        private=True,
        url=f"unix://{run_path}/docker.sock",
        run_directory=str(run_path),
        absent_before=traces.absent(traces.candidates(capabilities.machine_hierarchies())),
    )


def _start_private(directory: StateDirectory, state: State, record: EngineRecord, progress: Progress) -> None:
    packages.install(packages.ENGINE, "a private Docker engine for the test bed", progress)
    if os.geteuid() != 0:
        raise BedError(
            "A private Docker engine needs root.",
            "Run this command as root, or start a Docker engine that this user may use (group docker).",
        )
    if not firewall.forwarding():
        record.forwarding_was_off = True
        directory.save(state)
        progress.say("engine: switching IPv4 forwarding on (it was off; `down` switches it off again)")
        firewall.enable_forwarding()
    run_path = Path(record.run_directory)
    below, engine = containerd(directory.path, run_path), dockerd(directory.path, run_path)
    if answers(record.url):
        return
    progress.say(f"engine: starting a private dockerd under {directory.path}/engine")
    run_path.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.write("engine/containerd.toml", containerd_configuration(directory.path, run_path))
    directory.write("engine/daemon.json", DAEMON_CONFIGURATION)
    for daemon in (below, engine):
        if daemon.pid() is None:
            daemon.start()

    def up() -> bool:
        if engine.pid() is None or below.pid() is None:
            raise BedError(
                f"The private engine ended while starting:\n{_tail(engine.log)}", f"Read {engine.log} and mend it."
            )
        return answers(record.url)

    wait_for(up, what="the private engine answers", seconds=60, next_step=f"Read {engine.log}.")
    info = connect(record.url).info()
    progress.say(f"engine: ready, dockerd {info['ServerVersion']}")
    if info["Driver"] == "vfs":
        progress.say(f"note: the file system of {directory.path} forces copying of whole images; ext4 or xfs is faster")


def stop_private(directory: StateDirectory, record: EngineRecord) -> None:
    """End the engine's processes and let go of what they mounted; the caller removes the files."""
    run_path = Path(record.run_directory)
    dockerd(directory.path, run_path).stop(seconds=60)
    containerd(directory.path, run_path).stop(seconds=20)
    trees.unmount([directory.path / "engine", run_path])


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-8:])
