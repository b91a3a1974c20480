"""`down`: remove exactly what the bed made."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.errors import APIError, ImageNotFound, NotFound

from testbed import engine, firewall, hosts, names, traces, trees
from testbed.containers import CONFLICT
from testbed.containers import remove as remove_container
from testbed.errors import BedError
from testbed.progress import Progress
from testbed.state import EngineRecord, State, StateDirectory

HOST_STOP_SECONDS = 30


@dataclass(frozen=True)
class Found:
    """An object in the engine."""

    kind: str
    id: str
    labels: dict[str, str]
    image: str = ""
    tags: tuple[str, ...] = ()


def ours(objects: Iterable[Found], bed: str, own_images: Sequence[str]) -> list[Found]:
    """The bed's objects: labelled with its id, or a container that a killed build left on an image the bed made."""
    return [
        found
        for found in objects
        if found.labels.get(names.LABEL) == bed
        or (
            found.kind == "container" and any(found.image.removeprefix("sha256:").startswith(own) for own in own_images)
        )
    ]


def survey(client: docker.DockerClient) -> list[Found]:
    """Everything in the engine, ours or not."""
    api = client.api
    return [
        *(Found("container", item["Id"], item["Labels"] or {}, item["ImageID"]) for item in api.containers(all=True)),
        *(Found("volume", item["Name"], item["Labels"] or {}) for item in api.volumes()["Volumes"] or []),
        *(Found("network", item["Id"], item["Labels"] or {}) for item in api.networks()),
        *(
            Found("image", item["Id"], item["Labels"] or {}, tags=tuple(item["RepoTags"] or ()))
            for item in api.images()
        ),
    ]


def down(directory: StateDirectory, progress: Progress) -> None:
    state = directory.load()
    if state is None:
        progress.say(f"there is no bed in {directory.path}: nothing to remove")
        return
    record = state.engine
    if record is not None:
        if record.private and not engine.answers(record.url):
            _revive(directory, state, progress)
        if engine.answers(record.url):
            _empty(engine.connect(record.url), state, record, progress)
        elif not record.private:
            raise BedError(
                f"The engine at {record.url} does not answer, so what the bed made in it cannot be removed.",
                "Start it and run `down` again.",
            )
        if record.private:
            _remove_engine(directory, state, record, progress)
    _remove_files(directory)
    progress.say(f"removed: the state in {directory.path}")


def _revive(directory: StateDirectory, state: State, progress: Progress) -> None:
    """An engine that died may have left containers running; it ends them when it starts again."""
    try:
        engine.ensure(directory, state, "private", progress)
    except BedError as error:
        progress.say(f"note: the private engine does not start any more, removing its files only: {error}")


def _empty(client: docker.DockerClient, state: State, record: EngineRecord, progress: Progress) -> None:
    found = survey(client)
    labelled = [item for item in found if item.kind == "image" and item.labels.get(names.LABEL) == state.id]
    mine = ours(found, state.id, [*(item.id.removeprefix("sha256:") for item in labelled), *state.layers])
    containers = [item for item in mine if item.kind == "container"]
    running = [item for item in containers if item.labels.get(names.ROLE_LABEL) == "host"]
    # A nested engine that is not shut down leaves control groups of its containers behind on this machine.
    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(lambda host: client.containers.get(host.id).stop(timeout=HOST_STOP_SECONDS), running))
    for item in containers:
        remove_container(client, item.id)
    for item in (item for item in mine if item.kind == "network"):
        client.api.remove_network(item.id)
    for item in (item for item in mine if item.kind == "volume"):
        hosts.remove_volume(client.volumes.get(item.id))
    counts = {kind: sum(item.kind == kind for item in mine) for kind in ("container", "volume", "network")}
    progress.say("removed: " + ", ".join(f"{count} {kind}s" for kind, count in counts.items()))
    if not record.private:
        removed = sum(_remove_image(client, reference) for reference in image_references(found, state))
        progress.say(f"removed: {removed} image names and layers")


def image_references(found: Iterable[Found], state: State) -> list[str]:
    """What to remove, in this order: the bed's names, what it built and lost the name of, what it pulled, its layers.

    An image goes with its last name, so one that someone else has named stays.
    """
    images = [item for item in found if item.kind == "image"]
    own_names = [tag for item in images for tag in item.tags if names.is_image(state.id, tag)]
    nameless = [
        item.id
        for item in images
        if item.labels.get(names.LABEL) == state.id and all("<none>" in tag for tag in item.tags)
    ]
    return [*own_names, *nameless, *state.pulled, *state.layers]


def _remove_image(client: docker.DockerClient, reference: str) -> bool:
    try:
        client.api.remove_image(reference)
    except (ImageNotFound, NotFound):
        return False
    except APIError as error:
        if error.status_code == CONFLICT:
            # Something that is not the bed's uses it.
            return False
        raise
    return True


def _remove_engine(directory: StateDirectory, state: State, record: EngineRecord, progress: Progress) -> None:
    engine.stop_private(directory, record)
    if state.network is not None:
        firewall.remove(state.id, state.network)
        if Path(f"/sys/class/net/{state.network.bridge}").exists():
            subprocess.run(("ip", "link", "delete", state.network.bridge), check=True)
    if record.forwarding_was_off and firewall.disable_forwarding_unless_used():
        progress.say("IPv4 forwarding is off again")
    trees.remove(Path(record.run_directory))
    traces.remove(record.absent_before)
    progress.say("removed: the private engine")


def _remove_files(directory: StateDirectory) -> None:
    """The record goes last: a `down` that is killed can be run again."""
    last = {"state.json", "lock", ".gitignore"}
    for entry in sorted(directory.path.iterdir(), key=lambda entry: entry.name in last):
        if entry.is_dir() and not entry.is_symlink():
            trees.remove(entry)
        elif entry.name not in last:
            entry.unlink()
    for name in ("state.json", ".gitignore", "lock"):
        (directory / name).unlink(missing_ok=True)
    os.rmdir(directory.path)
