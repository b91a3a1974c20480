"""Which images the bed has, and building one when what it is made of has changed."""

from __future__ import annotations

import hashlib
import io
import os
import re
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
from docker.errors import ImageNotFound

from testbed import names
from testbed.errors import BedError
from testbed.state import State, StateDirectory
from testbed.steps import UNCHANGED

FOLDER = Path(__file__).resolve().parent / "images"
IGNORED = {"__pycache__", ".mypy_cache", ".ruff_cache"}
PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")

_LAYER = re.compile(r"---> ([0-9a-f]{12})")

Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Image:
    """One image. `base` and `after` name other images; `publish` are the references it gets in the bed's registry."""

    name: str
    folder: str
    base: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    publish: tuple[str, ...] = ()
    upstream: str = ""
    extra: Callable[[], Files] = dict
    after: str = ""

    @property
    def step(self) -> str:
        return f"image {self.name}"


def context_files(folder: Path) -> dict[str, bytes]:
    """A build context: every file below the folder, by its path in it."""
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not IGNORED.intersection(file.relative_to(folder).parts)
    }


def digest(files: Files, arguments: Mapping[str, str], base_id: str) -> str:
    """Changes whenever the image would: content, arguments, base."""
    summary = hashlib.sha256(base_id.encode())
    for key, value in sorted(arguments.items()):
        summary.update(f"\0{key}={value}".encode())
    for name, content in sorted(files.items()):
        summary.update(f"\0{name}\0{len(content)}\0".encode() + content)
    return summary.hexdigest()


def archive(files: Files) -> io.BytesIO:
    """The context as the engine wants it: a tar with stable times, owners and modes, so that its build cache works."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            member.mode = 0o755 if content.startswith((b"#!", b"\x7fELF")) else 0o644
            tar.addfile(member, io.BytesIO(content))
    stream.seek(0)
    return stream


def current(client: docker.DockerClient, tag: str) -> Any | None:
    try:
        return client.images.get(tag)
    except ImageNotFound:
        return None


def identifier(client: docker.DockerClient, tag: str) -> str:
    """The id of an image that an earlier step made."""
    return str(client.images.get(tag).id)


def layers(output: str) -> list[str]:
    """The intermediate images a classic build made, from its output: all but those that FROM names."""
    found = []
    instruction = ""
    for line in output.splitlines():
        if line.startswith("Step "):
            instruction = line.partition(" : ")[2].split(" ")[0]
        made = _LAYER.fullmatch(line.strip())
        if made and instruction != "FROM":
            found.append(made.group(1))
    return found


def ensure(client: docker.DockerClient, directory: StateDirectory, state: State, image: Image) -> str:
    """Build the image unless one of the same content is there."""
    bed = state.id
    tag = names.image(bed, image.name)
    base_tag = names.image(bed, image.base)
    base = current(client, base_tag)
    if base is None:
        raise BedError(f"{image.name} is built on {base_tag}, which is missing.", "Run `bed up` again.")
    files = {**context_files(FOLDER / image.folder), **image.extra()}
    content = digest(files, image.arguments, base.id)
    there = current(client, tag)
    if there is not None and there.labels.get(names.CONTENT_LABEL) == content:
        return UNCHANGED
    output = build(
        client,
        archive(files),
        tag=tag,
        arguments={"BASE": base_tag, **image.arguments},
        labels=names.labels(bed, content=content),
        log=directory / "logs" / f"image-{image.name}.log",
    )
    state.layers = sorted({*state.layers, *layers(output)})
    directory.save(state)
    return "built" if there is None else "built anew"


def build(
    client: docker.DockerClient,
    context: io.BytesIO,
    *,
    tag: str,
    arguments: Mapping[str, str],
    labels: Mapping[str, str],
    log: Path,
) -> str:
    """One classic build; its whole output is returned and goes to the log, its end into the error."""
    proxies = {name: os.environ[name] for name in PROXY_VARIABLES if os.environ.get(name)}
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    failure = ""
    with log.open("w", encoding="utf-8") as output:
        for message in client.api.build(
            fileobj=context,
            custom_context=True,
            tag=tag,
            buildargs={**proxies, **arguments},
            labels=dict(labels),
            network_mode="host",
            rm=True,
            forcerm=True,
            decode=True,
        ):
            output.write(message.get("stream") or "")
            failure = message.get("error") or failure
    said = log.read_text(encoding="utf-8")
    if failure:
        last_lines = "\n".join(said.splitlines()[-12:])
        raise BedError(f"Building {tag} failed: {failure}\n{last_lines}", f"Read {log}.")
    return said
