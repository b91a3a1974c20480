"""The bed's command line."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from docker.errors import DockerException
from requests.exceptions import RequestException

from testbed import acme, hosts, inventory, status, systems, teardown
from testbed.bases import RELEASES
from testbed.bed import Bed
from testbed.errors import BedError
from testbed.progress import Progress
from testbed.state import VARIABLE, State, StateDirectory, default_directory

DESCRIPTION = """\
The test bed: a bare Debian host with systemd, an image registry with the upstream-named images, an ACME server and an
S3 store, each a container on this Linux machine, reached by address; no port of the machine is published.

It uses the Docker engine of this machine when one answers, and labels everything it makes there; otherwise it installs
docker.io and mmdebstrap with apt and starts a private engine under its state directory. `down` removes exactly what
was made, installed packages excepted.
"""


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="bed",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"The state directory is .testbed/ in the repository; {VARIABLE} names another one.",
    )
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")

    up = commands.add_parser("up", help="bring the bed up, or whatever is missing of it; safe to repeat")
    up.add_argument("--host", action="append", default=[], metavar="NAME", help="a host to have, besides petcare1")
    _system_option(up)
    up.add_argument(
        "--engine", choices=("auto", "machine", "private"), default="auto", help="which engine a new bed uses"
    )
    up.add_argument(
        "--source",
        choices=("auto", "hub", "debian"),
        default="auto",
        help="where a new bed takes images from: Docker Hub, or Debian's packages (auto: the hub if it answers)",
    )
    commands.add_parser("down", help="remove exactly what the bed made")
    commands.add_parser("status", help="what there is and where; fails when something does not run")
    commands.add_parser("inventory", help="write the overlay inventories anew")

    host = commands.add_parser("host", help="add, remove, stop or start a host")
    actions = host.add_subparsers(dest="action", required=True, metavar="ACTION")
    add = actions.add_parser("add", help="boot another bare host")
    add.add_argument("name")
    add.add_argument("--release", choices=RELEASES, default=hosts.DEFAULT_RELEASE)
    _system_option(add)
    add.add_argument(
        "--alias",
        action="append",
        metavar="DNSNAME",
        help="a public name of the host, for itself and its ACME server (default: those of the system's sites)",
    )
    for action, text in (
        ("remove", "remove a host and its data"),
        ("stop", "shut a host down, as a reboot begins"),
        ("start", "boot a stopped host: same address, same data"),
    ):
        actions.add_parser(action, help=text).add_argument("name")
    return root


def _system_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--system",
        default=systems.DEFAULT,
        metavar="NAME",
        help="the system whose host it plays: a directory of inventories/ (default: %(default)s)",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    directory = StateDirectory(default_directory())
    progress = Progress()
    try:
        _on_linux()
        if options.command == "status":
            return _status(directory)
        if options.command != "up" and not directory.record.exists():
            return _no_bed(options.command, directory)
        with directory.locked():
            return _change(options, directory, progress)
    except BedError as error:
        print(f"error: {error}\nnext: {error.next_step}", file=sys.stderr)
        return 1
    except (DockerException, RequestException, OSError) as error:
        print(f"error: {error}\nnext: run the same command again; it takes up what is there", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; the same command again goes on from here, `down` removes what there is", file=sys.stderr)
        sys.stderr.flush()
        # Not by returning: the interpreter would wait for the threads that are still building.
        os._exit(130)


def _on_linux() -> None:
    if not sys.platform.startswith("linux"):
        raise BedError(
            "The bed reaches containers by their addresses, which needs Linux.", "Run it on a Linux machine."
        )


def _no_bed(command: str, directory: StateDirectory) -> int:
    if command == "down":
        print(f"there is no bed in {directory.path}: nothing to remove")
        return 0
    raise BedError(f"There is no bed in {directory.path}.", "Run `bed up` first.")


def _status(directory: StateDirectory) -> int:
    state = directory.load()
    if state is None:
        return _no_bed("status", directory)
    text, sound = status.report(directory, state)
    print(text)
    return 0 if sound else 1


def _change(options: argparse.Namespace, directory: StateDirectory, progress: Progress) -> int:
    bed = Bed(directory, progress)
    if options.command == "up":
        wanted = {hosts.DEFAULT_HOST: systems.DEFAULT, **dict.fromkeys(options.host, options.system)}
        bed.up(wanted, engine_choice=options.engine, source=options.source)
    elif options.command == "down":
        teardown.down(directory, progress)
    elif options.command == "inventory":
        state, _ = bed.opened()
        for folder in inventory.write(directory, state):
            print(f"{directory.path}/{folder}")
    elif options.action == "add":
        bed.add_host(options.name, options.release, options.alias or (), options.system)
    else:
        _change_host(options, bed, directory, progress)
    return 0


def _change_host(options: argparse.Namespace, bed: Bed, directory: StateDirectory, progress: Progress) -> None:
    state, client = bed.opened()
    name: str = options.name
    _known(state, name)
    if options.action == "stop":
        hosts.stop(client, state, name)
        progress.say(f"{name} is down")
    elif options.action == "start":
        acme.ensure(client, directory, state, name)
        progress.say(f"{name}: {hosts.ensure(client, directory, state, name, progress) or 'was running'}")
    else:
        hosts.remove(client, state, name)
        bed.forget(state, name)
        progress.say(f"{name} and its data are gone")


def _known(state: State, name: str) -> None:
    if name not in state.hosts:
        raise BedError(
            f"The bed has no host {name}.", f"It has {', '.join(sorted(state.hosts))}; `bed host add {name}` makes it."
        )
