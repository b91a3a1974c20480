"""The bed's registry: started, and filled with images under their upstream names."""

from __future__ import annotations

import docker
import urllib3

from testbed import containers, images, names, network
from testbed.containers import Container
from testbed.errors import BedError
from testbed.images import Image
from testbed.state import State, StateDirectory
from testbed.steps import UNCHANGED
from testbed.waiting import wait_for

NAME = "registry"
PORT = 5000
MANIFESTS = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"

_http = urllib3.PoolManager(timeout=urllib3.Timeout(connect=2, read=10), retries=False)


def url(state: State) -> str:
    assert state.network is not None
    return f"http://{network.address(state.network, network.REGISTRY_NUMBER)}:{PORT}"


def ensure(client: docker.DockerClient, directory: StateDirectory, state: State) -> str:
    assert state.network is not None
    volume = names.volume(state.id, NAME, "data")
    (directory / "transfer").mkdir(mode=0o700, exist_ok=True)
    wanted = Container(
        bed=state.id,
        name=NAME,
        role=NAME,
        image_id=images.identifier(client, names.image(state.id, NAME)),
        network=state.network,
        address=network.address(state.network, network.REGISTRY_NUMBER),
        configuration={"Binds": [f"{volume}:/var/lib/docker-registry", f"{directory / 'transfer'}:/transfer:ro"]},
        volumes=(volume,),
    )
    result = containers.ensure(client, wanted, replace=True)

    def answers() -> bool:
        containers.must_run(client, state.id, NAME)
        return _status("GET", f"{url(state)}/v2/") == 200

    wait_for(
        answers, what="the registry answers", seconds=30, next_step="Read its log: `bed status` names the container."
    )
    return result


def publish(client: docker.DockerClient, directory: StateDirectory, state: State, image: Image) -> str:
    """Copy an image into the registry under its public names, unless exactly it is there already.

    The engine saves it and skopeo, inside the registry's container, takes it in: no engine needs to be told to trust
    a registry without TLS.
    """
    local = client.images.get(names.image(state.id, image.name))
    local_id = str(local.id)
    absent = [
        reference
        for reference in image.publish
        if state.published.get(reference) != local_id or not _exists(state, reference)
    ]
    if not absent:
        return UNCHANGED
    archive = directory / "transfer" / f"{image.name}.tar"
    try:
        with archive.open("wb") as stream:
            for chunk in local.save(chunk_size=1 << 20):
                stream.write(chunk)
        registry = containers.must_run(client, state.id, NAME)
        for reference in absent:
            _copy(registry, archive.name, reference)
            state.published[reference] = local_id
    finally:
        archive.unlink(missing_ok=True)
    directory.save(state)
    return f"in the registry as {', '.join(absent)}"


def _copy(registry: object, archive: str, reference: str) -> None:
    status, output = containers.execute(
        registry,
        (
            *("skopeo", "--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false"),
            f"docker-archive:/transfer/{archive}",
            f"docker://127.0.0.1:{PORT}/{reference}",
        ),
    )
    if status != 0:
        raise BedError(f"{reference} did not get into the registry:\n{output.strip()}", "Run `bed up` again.")


def _exists(state: State, reference: str) -> bool:
    name, _, tag = reference.rpartition(":")
    return _status("HEAD", f"{url(state)}/v2/{name}/manifests/{tag}") == 200


def _status(method: str, address: str) -> int:
    try:
        return _http.request(method, address, headers={"Accept": MANIFESTS}).status
    except urllib3.exceptions.HTTPError:
        return 0
