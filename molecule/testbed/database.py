"""A PostgreSQL that somebody else runs for a system: outside of its host, in TLS, under the inventory's name for it.

Each host that plays such a system has one of its own, which goes with it.
"""

from __future__ import annotations

import secrets

import docker

from testbed import containers, images, names, network, pki
from testbed.containers import Container
from testbed.state import State, StateDirectory
from testbed.waiting import wait_for

PUBLIC_NAMES = {"reflexapp": "pgvctor.jackcwf.com"}
"""What each system calls it."""
USER = DATABASE = "working"
OFFSET = 190
"""Above the ACME servers of the hosts."""
# PostgreSQL takes a key that is its own alone; those of the bed are root's.
START = f"""
install -o postgres -m 0600 /run/testbed/tls/key.pem /run/testbed/tls/cert.pem /var/lib/postgresql
export POSTGRES_USER={USER} POSTGRES_DB={DATABASE} POSTGRES_PASSWORD_FILE=/run/password
install -o postgres -m 0600 /run/testbed/password /run/password
exec docker-entrypoint.sh postgres -c ssl=on \\
    -c ssl_cert_file=/var/lib/postgresql/cert.pem -c ssl_key_file=/var/lib/postgresql/key.pem
"""


def wanted_by(state: State, host: str) -> bool:
    return state.hosts[host].system in PUBLIC_NAMES


def container_name(host: str) -> str:
    return f"database-{host}"


def address(state: State, host: str) -> str:
    assert state.network is not None
    return network.address(state.network, state.hosts[host].number + OFFSET)


def public_names(state: State, host: str) -> dict[str, str]:
    """The name that leads to it, where the host's system has one."""
    return {PUBLIC_NAMES[state.hosts[host].system]: address(state, host)} if wanted_by(state, host) else {}


def password(directory: StateDirectory, host: str) -> str:
    """Generated once for each host."""
    path = directory / f"database/{host}/password"
    if not path.exists():
        directory.write(f"database/{host}/password", secrets.token_urlsafe(24))
    return path.read_text(encoding="utf-8")


def variables(directory: StateDirectory, state: State, host: str) -> dict[str, str]:
    """What the system's inventory takes from its environment."""
    system = state.hosts[host].system
    return {f"{system}_database_password": password(directory, host)} if wanted_by(state, host) else {}


def ensure(client: docker.DockerClient, directory: StateDirectory, state: State, host: str) -> str:
    assert state.network is not None
    own = address(state, host)
    folder = f"database/{host}"
    password(directory, host)
    pki.ensure_certificate(directory, f"{folder}/tls", [PUBLIC_NAMES[state.hosts[host].system]], [own])
    wanted = Container(
        bed=state.id,
        name=container_name(host),
        role="database",
        image_id=images.identifier(client, names.image(state.id, "postgres")),
        network=state.network,
        address=own,
        configuration={"Binds": [f"{directory / folder}:/run/testbed:ro"]},
        command=("sh", "-euc", START),
    )
    result = containers.ensure(client, wanted, replace=False)

    def answers() -> bool:
        server = containers.must_run(client, state.id, container_name(host))
        return containers.execute(server, ("pg_isready", "--quiet", "--host=127.0.0.1"))[0] == 0

    wait_for(answers, what=f"the database of {host} answers", seconds=60, next_step="Read its log: `bed status`.")
    return result
