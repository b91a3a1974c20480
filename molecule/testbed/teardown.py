"""`down`: remove exactly what the bed made."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.errors import APIError, ImageNotFound, NotFound

from testbed import engine, firewall, names
from testbed.errors import BedError
from testbed.progress import Progress
from testbed.state import EngineRecord, State, StateDirectory

HOST_STOP_SECONDS = 30


@dataclass(frozen=True)
class Found:
    """An object in the engine."""

    kind: str
    id: str
    name: str
    labels: dict[str, str]
    image: str = ""


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
    found = [
        Found(
            "container",
            item["Id"],
            ", ".join(item["Names"] or [item["Id"][:12]]),
            item["Labels"] or {},
            item["ImageID"],
        )
        for item in client.api.containers(all=True)
    ]
    found += [
        Found("volume", item["Name"], item["Name"], item["Labels"] or {})
        for item in client.api.volumes()["Volumes"] or []
    ]
    found += [Found("network", item["Id"], item["Name"], item["Labels"] or {}) for item in client.api.networks()]
    found += [
        Found("image", item["Id"], ", ".join(item["RepoTags"] or [item["Id"][7:19]]), item["Labels"] or {})
        for item in client.api.images()
    ]
    return found


def down(directory: StateDirectory, progress: Progress) -> None:
    state = directory.load()
    if state is None:
        progress.say(f"there is no bed in {directory.path}: nothing to remove")
        return
    record = state.engine
    if record is not None:
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


def _empty(client: docker.DockerClient, state: State, record: EngineRecord, progress: Progress) -> None:
    found = survey(client)
    own_images = [
        item.id.removeprefix("sha256:")
        for item in found
        if item.labels.get(names.LABEL) == state.id and item.kind == "image"
    ]
    mine = ours(found, state.id, [*own_images, *state.layers])
    containers = [item for item in mine if item.kind == "container"]
    hosts = [item for item in containers if item.labels.get(names.ROLE_LABEL) == "host"]
    # A nested engine that is not shut down leaves control groups of its containers behind on this machine.
    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(lambda host: client.containers.get(host.id).stop(timeout=HOST_STOP_SECONDS), hosts))
    for item in containers:
        client.api.remove_container(item.id, force=True, v=True)
    for item in (item for item in mine if item.kind == "network"):
        client.api.remove_network(item.id)
    for item in (item for item in mine if item.kind == "volume"):
        client.api.remove_volume(item.id, force=True)
    counts = {kind: sum(item.kind == kind for item in mine) for kind in ("container", "volume", "network")}
    progress.say("removed: " + ", ".join(f"{count} {kind}s" for kind, count in counts.items()))
    if not record.private:
        progress.say(f"removed: {_remove_images(client, state, own_images)} images")


def _remove_images(client: docker.DockerClient, state: State, own_images: Sequence[str]) -> int:
    """Built images, then what was pulled for them, then layers of build stages; one that others use stays."""
    removed = 0
    for reference in [*own_images, *state.pulled, *state.layers]:
        removed += _remove_image(client, reference, force=reference in own_images)
    return removed


def _remove_image(client: docker.DockerClient, reference: str, *, force: bool) -> int:
    try:
        client.api.remove_image(reference, force=force)
    except (ImageNotFound, NotFound):
        return 0
    except APIError as error:
        if error.status_code == 409:
            return 0
        raise
    return 1


def _remove_engine(directory: StateDirectory, state: State, record: EngineRecord, progress: Progress) -> None:
    engine.stop_private(directory, record)
    if state.network is not None:
        firewall.remove(state.id, state.network)
        if Path(f"/sys/class/net/{state.network.bridge}").exists():
            subprocess.run(("ip", "link", "delete", state.network.bridge), check=True)
    if record.forwarding_was_off and firewall.disable_forwarding_unless_used():
        progress.say("IPv4 forwarding is off again")
    run_path = Path(record.run_directory)
    if run_path.exists():
        shutil.rmtree(run_path)
    progress.say("removed: the private engine")


def _remove_files(directory: StateDirectory) -> None:
    """The record goes last: a `down` that is killed can be run again."""
    last = {"state.json", "lock", ".gitignore"}
    for entry in sorted(directory.path.iterdir(), key=lambda entry: entry.name in last):
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name not in last:
            entry.unlink()
    for name in ("state.json", ".gitignore", "lock"):
        (directory / name).unlink(missing_ok=True)
    os.rmdir(directory.path)
