"""The bed's S3 store: SeaweedFS, HTTPS by the bed's authority, one bucket, and keys for hosts and for pruning."""

from __future__ import annotations

import json
import secrets

import docker
import urllib3

from testbed import containers, images, names, network, pki
from testbed.containers import Container
from testbed.state import State, StateDirectory
from testbed.steps import UNCHANGED
from testbed.waiting import wait_for

NAME = "s3"
PORT = 8333
BUCKET = "pet-care-backups"
DOMAIN = "s3.testbed"

IDENTITIES = "s3/s3.json"
HOSTS = "backup"
PRUNE = "prune"
HOST_STATEMENTS = [
    {
        "Effect": "Allow",
        "Action": ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
        "Resource": f"arn:aws:s3:::{BUCKET}/*",
    },
    {
        "Effect": "Allow",
        "Action": ["s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:GetBucketLocation"],
        "Resource": f"arn:aws:s3:::{BUCKET}",
    },
]
"""What docs/backups.md asks for: a host that is taken over deletes no backup."""


def endpoint(state: State) -> str:
    assert state.network is not None
    return f"https://{network.address(state.network, network.S3_NUMBER)}:{PORT}"


def keys(directory: StateDirectory) -> tuple[str, str]:
    """(access key, secret key) of the hosts, generated once per bed: they put, get and list, and delete nothing."""
    return _keys(directory, HOSTS)


def prune_keys(directory: StateDirectory) -> tuple[str, str]:
    """(access key, secret key) of who may delete as well, which no host gets."""
    return _keys(directory, PRUNE)


def _keys(directory: StateDirectory, name: str) -> tuple[str, str]:
    _write_identities(directory)
    credentials = _known_keys(directory)[name]
    return credentials["accessKey"], credentials["secretKey"]


def _write_identities(directory: StateDirectory) -> bool:
    """Write what the store reads when it starts; return whether it was not so already."""
    known = _known_keys(directory)
    for name in (HOSTS, PRUNE):
        known.setdefault(
            name, {"accessKey": f"TESTBED{secrets.token_hex(6).upper()}", "secretKey": secrets.token_urlsafe(30)}
        )
    identities = [
        {"name": HOSTS, "credentials": [known[HOSTS]], "actions": [], "policyNames": [HOSTS]},
        {"name": PRUNE, "credentials": [known[PRUNE]], "actions": ["Admin", "Read", "Write", "List", "Tagging"]},
    ]
    policies = [{"name": HOSTS, "content": json.dumps({"Version": "2012-10-17", "Statement": HOST_STATEMENTS})}]
    text = json.dumps({"identities": identities, "policies": policies}, indent=2) + "\n"
    path = directory / IDENTITIES
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    directory.write(IDENTITIES, text)
    return True


def _known_keys(directory: StateDirectory) -> dict[str, dict[str, str]]:
    path = directory / IDENTITIES
    document = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"identities": []}
    return {identity["name"]: identity["credentials"][0] for identity in document["identities"]}


def ensure(client: docker.DockerClient, directory: StateDirectory, state: State) -> str:
    assert state.network is not None
    address = network.address(state.network, network.S3_NUMBER)
    pki.ensure_ca(directory)
    pki.ensure_certificate(directory, "s3/tls", [DOMAIN, NAME], [address])
    renewed = _write_identities(directory)
    directory.write("s3-ca.pem", (directory / pki.CA_CERTIFICATE).read_text(encoding="utf-8"), mode=0o644)
    volume = names.volume(state.id, NAME, "data")
    wanted = Container(
        bed=state.id,
        name=NAME,
        role=NAME,
        image_id=images.identifier(client, names.image(state.id, NAME)),
        network=state.network,
        address=address,
        configuration={"Binds": [f"{volume}:/data", f"{directory / 's3'}:/run/testbed:ro"]},
        volumes=(volume,),
    )
    result = containers.ensure(client, wanted, replace=True)
    if renewed and result == UNCHANGED:
        # It reads them when it starts; a bed that an older version made has others.
        containers.must_run(client, state.id, NAME).restart()
    http = urllib3.PoolManager(ca_certs=str(directory / "s3-ca.pem"), timeout=urllib3.Timeout(2.0), retries=False)

    def answers() -> bool:
        containers.must_run(client, state.id, NAME)
        try:
            # Without a signature the store refuses, and that shows that it serves and wants keys.
            return http.request("GET", f"{endpoint(state)}/").status == 403
        except urllib3.exceptions.HTTPError:
            return False

    wait_for(
        answers, what="the S3 store answers", seconds=60, next_step="Read its log: `bed status` names the container."
    )
    if result:
        _make_bucket(client, state)
    return result


def _make_bucket(client: docker.DockerClient, state: State) -> None:
    """Through the administrator's shell inside the container, which the store has ready a moment after it answers."""

    def made() -> bool:
        if f"  {BUCKET}\t" in _shell(client, state, "s3.bucket.list"):
            return True
        _shell(client, state, f"s3.bucket.create -name {BUCKET}")
        return False

    wait_for(made, what=f"bucket {BUCKET} exists", seconds=60, next_step="Run `bed up` again.")


def _shell(client: docker.DockerClient, state: State, command: str) -> str:
    server = containers.must_run(client, state.id, NAME)
    script = f"echo '{command}' | weed shell -master=127.0.0.1:9333"
    return containers.execute(server, ("sh", "-c", script))[1]
