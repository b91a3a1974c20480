"""`status`: what there is, where, and whether it runs."""

from __future__ import annotations

from collections.abc import Sequence

import docker

from testbed import acme, containers, database, engine, hosts, inventory, names, registry, store
from testbed.state import State, StateDirectory


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns."""
    widths = [max(len(row[index]) for row in (columns, *rows)) for index in range(len(columns))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (columns, *rows)
    ]
    return "\n".join(lines)


def report(directory: StateDirectory, state: State) -> tuple[str, bool]:
    """The report, and whether everything runs."""
    lines = [f"bed {state.id} in {directory.path}"]
    record = state.engine
    if record is None or state.network is None or not engine.answers(record.url):
        lines.append("engine: does not answer; `bed up` starts it")
        return "\n".join(lines), False
    kind = "private" if record.private else "the machine's own"
    lines.append(f"engine: {kind}, {record.url}; images from {state.source}; network {state.network.subnet}")
    lines.append(f"containers: docker -H {record.url} ps; each is called {names.container(state.id, 'NAME')}")
    rows = _rows(engine.connect(record.url), directory, state)
    lines += ["", table(("NAME", "STATE", "WHERE"), rows)]
    return "\n".join(lines), all(row[1] == "running" for row in rows)


def _rows(client: docker.DockerClient, directory: StateDirectory, state: State) -> list[tuple[str, str, str]]:
    places = {registry.NAME: registry.url(state), store.NAME: f"{store.endpoint(state)} bucket {store.BUCKET}"}
    for name in sorted(state.hosts):
        places[name] = f"{hosts.address(state, name)}  {ssh_command(directory, name)}  -i {inventory.folder(name)}"
        places[acme.container_name(name)] = acme.directory_url(state, name)
        if database.wanted_by(state, name):
            places[database.container_name(name)] = f"postgresql://{database.address(state, name)}:5432"
    rows = []
    for name, place in places.items():
        there = containers.find(client, state.id, name)
        rows.append((name, str(there.status) if there else "missing", place))
    return rows


def ssh_command(directory: StateDirectory, name: str) -> str:
    return f"ssh -F {directory.path}/ssh/config {name}"
