"""Base images: Debian's own from Docker Hub where it answers, else made from Debian's packages."""

from __future__ import annotations

import hashlib
import multiprocessing
import secrets

import docker
from docker.errors import APIError, ImageNotFound

from testbed import images, machine, names, packages, trees
from testbed.errors import BedError
from testbed.progress import Progress
from testbed.runner import run
from testbed.state import State, StateDirectory
from testbed.steps import UNCHANGED

RELEASES = ("trixie", "bookworm")
HUB_PROBE = "debian:trixie-slim"
HUB_SECONDS = 20

# Debian's slim images leave the same things out.
LEFT_OUT = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*")


def choose_source(
    client: docker.DockerClient, directory: StateDirectory, state: State, wanted: str, progress: Progress
) -> str:
    """`hub` or `debian`, decided once per bed by a pull that has to succeed quickly."""
    if state.source is None:
        if wanted == "auto":
            wanted = "hub" if _hub_answers(client, state) else "debian"
            finding = "answers" if wanted == "hub" else "does not answer; building from Debian packages"
            progress.say(f"images: Docker Hub {finding}")
        state.source = wanted
        directory.save(state)
    elif wanted not in ("auto", state.source):
        raise BedError(
            f"This bed takes its images from {state.source}, not from {wanted}.",
            "Run `bed down` first, or leave --source out.",
        )
    return state.source


def _pull_probe(url: str, seconds: int) -> None:
    docker.DockerClient(base_url=url, version="auto", timeout=seconds).images.pull(HUB_PROBE)


def _hub_answers(client: docker.DockerClient, state: State) -> bool:
    """A pull in a process of its own: the engine alone may hang on a registry for minutes."""
    if images.current(client, HUB_PROBE) is not None:
        return True
    assert state.engine is not None
    process = multiprocessing.get_context("spawn").Process(target=_quiet_probe, args=(state.engine.url, HUB_SECONDS))
    process.start()
    process.join(HUB_SECONDS)
    if process.is_alive():
        process.kill()
        process.join()
    answered = images.current(client, HUB_PROBE) is not None
    if answered:
        state.pulled.append(HUB_PROBE)
    return answered


def _quiet_probe(url: str, seconds: int) -> None:
    """No answer is an answer here: whether the image arrived is asked of the engine afterwards."""
    try:
        _pull_probe(url, seconds)
    except (APIError, ImageNotFound, OSError):
        return


def ensure(client: docker.DockerClient, directory: StateDirectory, state: State, release: str) -> str:
    if state.source == "hub":
        return _from_hub(client, directory, state, release)
    return _from_debian(client, directory, state, release)


def apt_configuration() -> str:
    return "".join(f"{line}\n" for line in machine.read_apt_settings())


def _from_hub(client: docker.DockerClient, directory: StateDirectory, state: State, release: str) -> str:
    upstream = f"debian:{release}-slim"
    pull(client, directory, state, upstream)
    tag = names.image(state.id, release)
    files = {**images.context_files(images.FOLDER / "base"), "apt.conf": apt_configuration().encode()}
    content = images.digest(files, {}, images.identifier(client, upstream))
    there = images.current(client, tag)
    if there is not None and there.labels.get(names.CONTENT_LABEL) == content:
        return UNCHANGED
    images.build(
        client,
        images.archive(files),
        tag=tag,
        arguments={"BASE": upstream},
        labels=names.labels(state.id, content=content),
        log=directory / "logs" / f"image-{release}.log",
    )
    return f"made from {upstream}"


def pull(client: docker.DockerClient, directory: StateDirectory, state: State, reference: str) -> bool:
    """Pull an upstream image that is not there yet, remembering that it was the bed that brought it."""
    if images.current(client, reference) is not None:
        return False
    # Remembered first: a run that is killed after the pull must not forget it.
    state.pulled.append(reference)
    directory.save(state)
    try:
        client.images.pull(reference)
    except (APIError, OSError) as error:
        raise BedError(
            f"{reference} cannot be pulled: {error}",
            "Check the network and Docker Hub's rate limit, or run `bed down` and `bed up --source debian`.",
        ) from error
    return True


def ensure_upstream(client: docker.DockerClient, directory: StateDirectory, state: State, image: images.Image) -> str:
    """The upstream image itself, under the bed's name."""
    pulled = pull(client, directory, state, image.upstream)
    upstream = client.images.get(image.upstream)
    tag = names.image(state.id, image.name)
    there = images.current(client, tag)
    if there is not None and there.id == upstream.id:
        return UNCHANGED
    repository, _, version = tag.rpartition(":")
    upstream.tag(repository, version)
    return f"{'pulled' if pulled else 'taken'} from Docker Hub"


def mmdebstrap_command(release: str, output: str, settings: list[str], mirrors: tuple[str, str]) -> tuple[str, ...]:
    debian, security = mirrors
    return (
        "mmdebstrap",
        "--variant=minbase",
        "--include=ca-certificates",
        *(f"--aptopt={line}" for line in settings),
        *(f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT),
        "--dpkgopt=path-include=/usr/share/doc/*/copyright",
        "--dpkgopt=force-unsafe-io",
        release,
        output,
        f"deb {debian} {release} main",
        f"deb {debian} {release}-updates main",
        f"deb {security} {release}-security main",
    )


def _from_debian(client: docker.DockerClient, directory: StateDirectory, state: State, release: str) -> str:
    tag = names.image(state.id, release)
    settings, mirrors = machine.read_apt_settings(), machine.read_mirrors()
    content = hashlib.sha256("\0".join(mmdebstrap_command(release, "", settings, mirrors)).encode()).hexdigest()
    there = images.current(client, tag)
    if there is not None and there.labels.get(names.CONTENT_LABEL) == content:
        return UNCHANGED
    build = directory / "build"
    # What a run that was killed left behind.
    for leftover in build.glob(f"mmdebstrap-{release}-*"):
        trees.remove(leftover)
    # Never the same place twice: an mmdebstrap that outlived its run may still be writing.
    work = build / f"mmdebstrap-{release}-{secrets.token_hex(4)}"
    work.mkdir(mode=0o700, parents=True)
    output = work / "root.tar"
    try:
        run(
            mmdebstrap_command(release, str(output), settings, mirrors),
            log=directory / "logs" / f"mmdebstrap-{release}.log",
            environment={"TMPDIR": str(work)},
            next_step=f"Read {directory / 'logs'}/mmdebstrap-{release}.log; most often the mirror was not reachable.",
        )
        labels = " ".join(f'{key}="{value}"' for key, value in names.labels(state.id, content=content).items())
        repository, _, version = tag.rpartition(":")
        client.api.import_image_from_file(
            str(output), repository=repository, tag=version, changes=[f"LABEL {labels}", 'CMD ["/bin/bash"]']
        )
    finally:
        trees.remove(work)
    return "made with mmdebstrap"


def prepare(source: str, progress: Progress) -> None:
    """What this machine needs to make base images."""
    if source == "debian":
        packages.install(packages.BOOTSTRAP, "making Debian base images", progress)
