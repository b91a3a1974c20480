"""The overlay inventory: given after a system's own, as a second `-i`, it points the system at the bed."""

from __future__ import annotations

import json
import secrets
from typing import Any

import yaml

from testbed import acme, age, database, hosts, registry, store, systems
from testbed.state import REPOSITORY, State, StateDirectory

HEADER = "# Written by the test bed (`bed inventory`); changes are lost.\n---\n"

BASELINE_DEFAULTS = REPOSITORY / "roles" / "baseline" / "defaults" / "main.yml"

# Accounts at other companies (inventories/*/group_vars/all/external.yml); the name of each begins with its system's.
# Nothing calls them here, so that any value of the right shape does; {} becomes a random one.
EXTERNAL = {
    "petcare_wechat_app_id": "wx{}",
    "petcare_wechat_app_secret": "{}",
    "petcare_google_client_id": "{}.apps.googleusercontent.com",
    "petcare_smtp_user": "{}@petcare.com",
    "petcare_smtp_pass": "{}",
    "petcare_aws_access_key_id": "AKIA{}",
    "petcare_aws_secret_access_key": "{}",
    "petcare_sentry_dsn": "https://{}@sentry.invalid/1",
    "integrated_alert_webhook": "https://hooks.invalid/{}",
    "sagacity_alert_webhook": "https://hooks.invalid/{}",
}

# What plays a server that no registry here carries, and which versions do; the name of each begins with its system's.
STAND_INS = {
    "zviewer_gateway": "nginx",
    "zviewer_consul_image": "consul:1.8",
}


def folder(host: str) -> str:
    return "inventory" if host == hosts.DEFAULT_HOST else f"inventory-{host}"


def hosts_document(directory: StateDirectory, state: State, host: str) -> dict[str, Any]:
    connection = {
        "ansible_host": hosts.address(state, host),
        "ansible_user": hosts.USER,
        "ansible_ssh_private_key_file": str(hosts.key_path(directory)),
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={hosts.known_hosts_path(directory)} "
        "-o StrictHostKeyChecking=yes -o IdentitiesOnly=yes",
        "ansible_python_interpreter": "/usr/bin/python3",
    }
    return {"all": {"children": {"composeops": {"hosts": {systems.host_name(state.hosts[host].system): connection}}}}}


def variables(directory: StateDirectory, state: State, host: str, external: dict[str, str]) -> dict[str, Any]:
    """What differs between the bed and production: addresses, authorities, keys."""
    assert state.network is not None
    bucket = {
        "endpoint": store.endpoint(state),
        "region": "us-east-1",
        "bucket": store.BUCKET,
        "ca": (directory / "s3-ca.pem").read_text(encoding="utf-8"),
        "path_style": True,
    }
    root = (directory / acme.root_file(host)).read_text(encoding="utf-8")
    return {
        "docker_engine_registry_mirrors": [registry.url(state)],
        "docker_engine_mtu": state.network.mtu,
        "baseline_sysctl": own_kernel_settings(BASELINE_DEFAULTS.read_text(encoding="utf-8")),
        "edge_acme_directory": acme.directory_url(state, host),
        "edge_acme_ca": (directory / acme.HTTPS_CA).read_text(encoding="utf-8"),
        "verify_ca": root,
        "backup_store": {**bucket, **_credentials(store.keys(directory))},
        "backup_prune_store": {**bucket, **_credentials(store.prune_keys(directory))},
        **age.variables(directory),
        **external,
        **database.variables(directory, state, host),
    }


def _credentials(keys: tuple[str, str]) -> dict[str, str]:
    return {"access_key": keys[0], "secret_key": keys[1]}


def own_kernel_settings(role_defaults: str) -> dict[str, Any]:
    """The baseline role's sysctl settings without those that a container shares with the whole machine.

    Only the network's settings belong to the host itself; kernel.*, vm.* and fs.* would be set on the machine.
    """
    defaults = yaml.safe_load(role_defaults)["baseline_sysctl"]
    return {key: value for key, value in defaults.items() if key.startswith("net.")}


def external_credentials(directory: StateDirectory) -> dict[str, str]:
    """Random values that stay the same for the life of the bed."""
    path = directory / "external.json"
    known: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    values = {name: known.get(name) or shape.format(secrets.token_hex(20)) for name, shape in EXTERNAL.items()}
    directory.write("external.json", json.dumps(values, indent=2) + "\n")
    return values


def write(directory: StateDirectory, state: State) -> list[str]:
    """Write one overlay for each host; the folders written."""
    external = external_credentials(directory)
    written = []
    for host in sorted(state.hosts):
        if not (directory / acme.root_file(host)).exists():
            continue
        place = folder(host)
        directory.write(f"{place}/hosts.yml", _yaml(hosts_document(directory, state, host)))
        differing = {**external, **STAND_INS}
        own = {name: value for name, value in differing.items() if name.startswith(f"{state.hosts[host].system}_")}
        directory.write(f"{place}/group_vars/all.yml", _yaml(variables(directory, state, host, own)))
        written.append(place)
    if hosts.DEFAULT_HOST in state.hosts:
        root = directory / acme.root_file(hosts.DEFAULT_HOST)
        if root.exists():
            directory.write("acme-root.pem", root.read_text(encoding="utf-8"), mode=0o644)
    return written


class _Dumper(yaml.SafeDumper):
    """Certificates as readable blocks."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def _yaml(document: dict[str, Any]) -> str:
    return HEADER + yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=1000)
