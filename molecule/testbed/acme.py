"""What the internet is to one host: the names that lead to it, and the ACME server that checks them.

Each host has its own, so that several hosts can claim the same names side by side.
"""

from __future__ import annotations

from collections.abc import Mapping

import docker
import urllib3

from testbed import containers, database, images, machine, names, network, pki
from testbed.containers import Container
from testbed.state import HostRecord, State, StateDirectory
from testbed.waiting import wait_for

DIRECTORY_PORT = 14000
MANAGEMENT_PORT = 15000
HTTPS_CA = "acme-https-ca.pem"


def container_name(host: str) -> str:
    return f"acme-{host}"


def address(state: State, host: str) -> str:
    assert state.network is not None
    return network.address(state.network, state.hosts[host].number + network.ACME_OFFSET)


def directory_url(state: State, host: str) -> str:
    return f"https://{address(state, host)}:{DIRECTORY_PORT}/dir"


def root_file(host: str) -> str:
    """The first host's root has the plain name that documentation uses."""
    return f"acme-root-{host}.pem"


def names_file(
    record: HostRecord, host: str, host_address: str, others: dict[str, str], elsewhere: Mapping[str, str] | None = None
) -> str:
    """Names and addresses as in /etc/hosts; `others` are the bed's, `elsewhere` has names of the system's own."""
    lines = [f"{host_address} {host} {host}.testbed {' '.join(record.aliases)}".rstrip()]
    lines += [f"{other} {name}.testbed" for name, other in sorted(others.items())]
    lines += [f"{other} {name}" for name, other in sorted((elsewhere or {}).items())]
    return "\n".join(lines) + "\n"


def ensure(client: docker.DockerClient, directory: StateDirectory, state: State, host: str) -> str:
    assert state.network is not None
    record = state.hosts[host]
    own = address(state, host)
    folder = f"acme/{host}"
    pki.ensure_ca(directory)
    pki.ensure_certificate(directory, f"{folder}/tls", ["acme.testbed", "acme"], [own])
    directory.write(HTTPS_CA, (directory / pki.CA_CERTIFICATE).read_text(encoding="utf-8"), mode=0o644)
    others = {
        "registry": network.address(state.network, network.REGISTRY_NUMBER),
        "s3": network.address(state.network, network.S3_NUMBER),
        "acme": own,
    }
    host_address = network.address(state.network, record.number)
    text = names_file(record, host, host_address, others, database.public_names(state, host))
    directory.write(f"{folder}/names/hosts", text, mode=0o644)
    wanted = Container(
        bed=state.id,
        name=container_name(host),
        role="acme",
        image_id=images.identifier(client, names.image(state.id, "acme")),
        network=state.network,
        address=own,
        configuration={"Binds": [f"{directory / folder}:/run/testbed:ro"]},
    )
    result = containers.ensure(client, wanted, replace=True)
    http = urllib3.PoolManager(ca_certs=str(directory / HTTPS_CA), timeout=urllib3.Timeout(2.0), retries=False)

    def root() -> str | None:
        containers.must_run(client, state.id, container_name(host))
        try:
            answer = http.request("GET", f"https://{own}:{MANAGEMENT_PORT}/roots/0")
        except urllib3.exceptions.HTTPError:
            return None
        return answer.data.decode() if answer.status == 200 else None

    pem = wait_for(root, what=f"the ACME server of {host} answers", seconds=30, next_step="Read its log: `bed status`.")
    _remember_root(directory, host, pem)
    return result


def _remember_root(directory: StateDirectory, host: str, pem: str) -> None:
    """Pebble makes a new root whenever it starts; older ones are kept, so that what they issued can be verified."""
    path = directory / root_file(host)
    known = machine.certificates(path.read_text(encoding="utf-8")) if path.exists() else {}
    known.update(machine.certificates(pem))
    directory.write(root_file(host), "".join(known.values()), mode=0o644)
