# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Turns a compose file, as compose itself understands it, into what runs on this host; pure.

Nothing of the file is changed except what the promises ask for: ports are published on loopback for the edge or
deliberately, never by accident; secrets stay references; nothing is built here. Every such line is noted.
"""

from __future__ import annotations

import copy
import hashlib
import json
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io.docker import DECLARED_SERVICE_LABEL
from ansible_collections.composeops.stack.plugins.module_utils.release import coloured as divide
from ansible_collections.composeops.stack.plugins.module_utils.release import refusals
from ansible_collections.composeops.stack.plugins.module_utils.release.coloured import Volume, port, port_binding
from ansible_collections.composeops.stack.plugins.module_utils.release.colours import BLUE, COLOURS
from ansible_collections.composeops.stack.plugins.module_utils.release.containers import REVISION_LABEL
from ansible_collections.composeops.stack.plugins.module_utils.release.definitions import (
    attached,
    files_below,
    is_relative,
    mount_targets,
    mounts,
    relative_mounts,
    replicas_of,
    restart_policy,
)
from ansible_collections.composeops.stack.plugins.module_utils.release.lines import line_of, line_of_word, place
from ansible_collections.composeops.stack.plugins.module_utils.release.model import (
    SECRET_MARK,
    Published,
    Service,
    StackRequest,
)
from ansible_collections.composeops.stack.plugins.module_utils.release.passwords import default_password, spelled_out
from ansible_collections.composeops.stack.plugins.module_utils.release.placement import IN_PLACE, Placement
from ansible_collections.composeops.stack.plugins.module_utils.release.remarks import finish, remarks
from ansible_collections.composeops.stack.plugins.module_utils.release.state import Endpoint

# Compose interpolates before anybody else sees the text, so a secret goes in as a mark that cannot be mistaken for
# something an author wrote, and comes out as a reference.
_MARK = "composeops-secret:{name}:terces-spoesopmoc"
_MARKED = re.compile(_MARK.format(name="([A-Za-z_][A-Za-z0-9_]*)"))

# They order or count containers and do not change one: no reason to recreate it.
_NOT_PART_OF_A_CONTAINER = ("build", "depends_on", "profiles", "pull_policy", "scale")
_EVERY_ADDRESS = ("", "0.0.0.0", "::")  # noqa: S104 (compared with, not bound to)


@dataclass(frozen=True)
class Rendering:
    """A stack as it runs on this host."""

    compose: Mapping[str, Any]
    """The compose file of the base project."""
    services: tuple[Service, ...]
    """What runs in the base project."""
    endpoints: tuple[Endpoint, ...]
    secrets: tuple[str, ...]
    """Names of the secrets that the compose file refers to."""
    notes: tuple[str, ...] = ()
    """Where it differs from what `docker compose up` would have run, and what else an operator should know."""
    coloured: tuple[Service, ...] = ()
    """What runs in a colour."""
    colours: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The compose file of each colour."""
    volumes: tuple[Volume, ...] = ()
    """Volumes that no compose project makes."""

    @property
    def text(self) -> str:
        """The rendered compose file of the base project."""
        return as_text(self.compose)


def as_text(compose: Mapping[str, Any]) -> str:
    """Return a compose file as it is written."""
    return json.dumps(compose, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def marks(secrets: Iterable[str]) -> dict[str, str]:
    """Return what stands for each secret while compose interpolates."""
    return {name: _MARK.format(name=name) for name in secrets}


def replicas(canonical: Mapping[str, Any]) -> dict[str, int]:
    """Return how many containers each service of a canonical compose file has."""
    return {name: replicas_of(definition) for name, definition in canonical.get("services", {}).items()}


def render(
    canonical: Mapping[str, Any],
    request: StackRequest,
    endpoints: Sequence[Endpoint],
    fingerprint: Callable[[str], str],
    *,
    placement: Placement = IN_PLACE,
    directory: str = "",
    architecture: str = "amd64",
) -> Rendering:
    """Return the stack as it runs here.

    ``canonical`` is `docker compose config` with ``marks`` for the secrets; ``fingerprint`` tells of a secret, by its
    name, whether its value is the same as before. ``directory`` is where the stack lies on the host, ``architecture``
    what images call that of its processor.
    """
    compose = _with_references(copy.deepcopy(dict(canonical)))
    definitions = compose.get("services") or {}
    if not definitions:
        raise InvalidInput(f"{request.source} declares no services.", "Declare at least one, without a profile.")
    _check_names(request, definitions)
    refusals.check(request, compose, architecture)
    notes = remarks(request, compose)
    for name, definition in definitions.items():
        notes += _leave_out_build(request, name, definition)
        notes += _replace_ports(request, name, definition, endpoints)
        notes += _check_mounts(request, name, definition)
        notes += _exposed_secrets(request, name, definition)
    notes += _check_passwords(request, definitions)
    _check_sources(request, compose)
    for name, definition in definitions.items():
        labels = {**(definition.get("labels") or {}), REVISION_LABEL: _revision(request, compose, name, fingerprint)}
        definition["labels"] = labels
    for definition in definitions.values():
        finish(definition, definitions)
    notes += _unused(request, canonical)
    used = sorted({secret for name in definitions for secret in _secrets_of(request, compose, name)})
    coloured = placement.coloured
    own_files = {file.path for file in request.files}
    of_colours = {
        colour: divide.colour(
            compose,
            request.name,
            colour,
            coloured=coloured,
            endpoints=endpoints,
            directory=directory,
            own_files=own_files,
        )
        for colour in (COLOURS if coloured else ())
    }
    base = divide.base(compose, coloured)
    return Rendering(
        compose=base,
        services=services_of(base),
        endpoints=tuple(endpoints),
        secrets=tuple(used),
        notes=(*placement.sentences(), *notes, *divide.notes(compose, coloured)),
        coloured=services_of(of_colours[BLUE]) if coloured else (),
        colours=of_colours,
        volumes=divide.own_volumes(compose, request.name, coloured, directory),
    )


def services_of(compose: Mapping[str, Any]) -> tuple[Service, ...]:
    """Return the services of a rendered compose file, under the names that they were declared with."""
    return tuple(_service(compose, name) for name in sorted(compose["services"]))


def _declared_name(compose: Mapping[str, Any], key: str) -> str:
    labels = compose["services"].get(key, {}).get("labels") or {}
    return str(labels.get(DECLARED_SERVICE_LABEL, key))


def environment_file(values: Mapping[str, str]) -> str:
    """Return the file that compose reads its variables from, quoted so that every value comes back as it was."""
    lines = ["# Written by composeops; read by docker compose --env-file. Contains secrets."]
    lines += [f'{name}="{_quoted(value)}"' for name, value in sorted(values.items())]
    return "\n".join(lines) + "\n"


def _quoted(value: str) -> str:
    for character, escaped in (("\\", "\\\\"), ('"', '\\"'), ("$", "\\$"), ("\n", "\\n"), ("\r", "\\r")):
        value = value.replace(character, escaped)
    return value


def _with_references(value: Any) -> Any:
    if isinstance(value, str):
        return _MARKED.sub(r"${\1}", value)
    if isinstance(value, dict):
        return {key: _with_references(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_with_references(entry) for entry in value]
    return value


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for entry in value.values():
            yield from _strings(entry)
    elif isinstance(value, Sequence):
        for entry in value:
            yield from _strings(entry)


def _references(request: StackRequest, value: Any) -> set[str]:
    """Return the secrets that ``value`` refers to; an author's own `$${NAME}` is not a reference."""
    found = {name for text in _strings(value) for name in SECRET_MARK.findall(text.replace("$$", ""))}
    return found & set(request.secrets)


def _check_names(request: StackRequest, definitions: Mapping[str, Any]) -> None:
    def inactive(service: str) -> str:
        written = line_of(request.compose, "services", service) != line_of(request.compose, "services")
        return f" {service} is in a profile; COMPOSE_PROFILES in the stack's environment activates it." * written

    for option, service in [
        *(("routed", route.service) for route in request.routed),
        *(("published", published.service) for published in request.published),
    ]:
        if service not in definitions:
            raise InvalidInput(
                f"Stack {request.name}: {option} names {service!r}, and {request.source} declares no such service.",
                f"It declares {', '.join(sorted(definitions))}.{inactive(service)}",
            )


def _leave_out_build(request: StackRequest, name: str, definition: dict[str, Any]) -> list[str]:
    if "build" not in definition:
        return []
    if not definition.get("image"):
        raise InvalidInput(
            f"{_at(request, 'services', name, 'build')}: service {name} has `build:` and no `image:`. Nothing is built"
            " on a production host.",
            "Build and push the image where its sources are, and name it under `image:`.",
        )
    del definition["build"]
    return [f"{name}: nothing is built here; {definition['image']} is pulled"]


def _replace_ports(
    request: StackRequest, name: str, definition: dict[str, Any], endpoints: Sequence[Endpoint]
) -> list[str]:
    wanted = [published for published in request.published if published.service == name]
    own = [endpoint for endpoint in endpoints if endpoint.service == name]
    declared = definition.pop("ports", None) or []
    if definition.get("network_mode") == "host":
        return [f"{name}: it is in the host's network, so every port it opens is open on the host"]
    ports = [
        port(published.address, published.port, str(published.host_port), published.protocol) for published in wanted
    ]
    # In a colour a service has other ports than in the other one; they are not part of what it is.
    ports += port_binding([endpoint for endpoint in own if not endpoint.colour])
    if ports:
        definition["ports"] = ports
    return list(_port_notes(name, declared, wanted, own))


def _port_notes(
    name: str, declared: Sequence[Mapping[str, Any]], wanted: Sequence[Published], own: Sequence[Endpoint]
) -> Iterator[str]:
    """Yield what becomes of the ports of a service; a range is said once."""
    left_out = [entry for entry in declared if not _is_published(entry, wanted)]
    for first, last in _ranges(left_out):
        target, protocol = int(first["target"]), first.get("protocol", "tcp")
        address = first.get("host_ip", "")
        where = "to the world" if address in _EVERY_ADDRESS else f"on {address}"
        port_there = first.get("published") or f"{target} on any port"
        until = f"-{last['published']}" if last is not first else ""
        kind = "" if protocol == "tcp" else f"/{protocol}"
        said = f"{name} publishes {port_there}{until}{kind} {where}: not published"
        routed = [endpoint for endpoint in own if endpoint.port == target and protocol == "tcp"]
        if routed:
            places = " and ".join(f"{entry.address}:{entry.host_port}" for entry in _first_of_each_colour(routed))
            yield f"{said}; the edge reaches it on {places}"
        else:
            yield f"{said}; list it under published to keep it"


def _is_published(entry: Mapping[str, Any], wanted: Sequence[Published]) -> bool:
    there = (int(entry["target"]), entry.get("protocol", "tcp"))
    return any((published.port, published.protocol) == there for published in wanted)


def _ranges(entries: Sequence[Mapping[str, Any]]) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Return first and last of the ports that follow each other on both sides; compose lists each by itself."""
    result: list[tuple[Mapping[str, Any], Mapping[str, Any]]] = []
    for entry in entries:
        before = result[-1][1] if result else {}
        follows = (
            before
            and str(entry.get("published") or "").isdigit()
            and str(before.get("published") or "").isdigit()
            and int(entry["published"]) == int(before["published"]) + 1
            and int(entry["target"]) == int(before["target"]) + 1
            and all(entry.get(key) == before.get(key) for key in ("protocol", "host_ip"))
        )
        result[-1:] = [(result[-1][0], entry)] if follows else [*result[-1:], (entry, entry)]
    return result


def _first_of_each_colour(endpoints: Sequence[Endpoint]) -> list[Endpoint]:
    return list({endpoint.colour: endpoint for endpoint in reversed(endpoints)}.values())[::-1]


def _check_mounts(request: StackRequest, name: str, definition: Mapping[str, Any]) -> list[str]:
    notes = []
    for source in relative_mounts(definition):
        if list(files_below(request.files, source)):
            continue
        if "." in posixpath.basename(source):
            raise InvalidInput(
                f"{_at(request, 'services', name, 'volumes')}: service {name} mounts ./{source}, which is not among the"
                " files of the stack.",
                "Put it into files_directory; the engine would make an empty directory of that name.",
            )
        notes.append(f"{name}: ./{source} is not among the files of the stack; the engine makes an empty directory")
    return notes


def _check_sources(request: StackRequest, compose: Mapping[str, Any]) -> None:
    """Check where top-level secrets and configs come from: compose itself finds out in the middle of a start."""
    known = {*request.secrets, *request.environment}
    for kind in ("secrets", "configs"):
        for name, definition in (compose.get(kind) or {}).items():
            variable = definition.get("environment")
            if variable and variable not in known:
                raise InvalidInput(
                    f"{_at(request, kind, name)}: {kind}.{name} takes its value from {variable}, which is not defined.",
                    f"List {variable} under the stack's secrets, or under environment when anyone may read it.",
                )
            path = definition.get("file")
            if path and is_relative(path) and not list(files_below(request.files, posixpath.normpath(path))):
                raise InvalidInput(
                    f"{_at(request, kind, name)}: {kind}.{name} is the file {path}, which is not among the files of the"
                    " stack.",
                    "Put it into files_directory.",
                )


def _check_passwords(request: StackRequest, definitions: Mapping[str, Any]) -> list[str]:
    found = [
        (service, where, default_password(password))
        for service, definition in definitions.items()
        for where, password in spelled_out(definition)
    ]
    weak = [f"{_said_where(request, service, where)}: {reason}" for service, where, reason in found if reason]
    if weak:
        raise InvalidInput(
            f"{request.source} has passwords that are none: {'; '.join(weak)}.",
            "Write ${NAME} there without a default and list NAME under the stack's secrets, which generates a value;"
            " better, use a compose secret with `environment: NAME`.",
        )
    return [
        f"{_said_where(request, service, where)} is spelled out in the compose file or the stack's environment; write"
        " ${NAME} there and list NAME under secrets"
        for service, where, _ in found
    ]


def _said_where(request: StackRequest, service: str, where: str) -> str:
    """Return where a password is, with its line where the compose file itself has it."""
    # It says what it is, with the variable or the key last: "the address in DB_URL", "--password of its command".
    line = line_of_word(request.compose, where.rpartition(" ")[2], service)
    return f"{service}: {where}" + (f" (line {line})" if line else "")


def _at(request: StackRequest, *keys: str) -> str:
    return place(request.source, line_of(request.compose, *keys))


def _exposed_secrets(request: StackRequest, name: str, definition: Mapping[str, Any]) -> list[str]:
    notes = []
    environment = _references(request, definition.get("environment") or {})
    elsewhere = _references(request, {key: value for key, value in definition.items() if key != "environment"})
    for secret in sorted(environment):
        notes.append(
            f"{name}: {secret} is in its environment, where `docker inspect` shows it;"
            f" a compose secret with `environment: {secret}` and {secret}_FILE keeps it a file"
        )
    for secret in sorted(elsewhere):
        notes.append(
            f"{name}: {secret} is in its definition, where `docker inspect` and process lists show it;"
            f" read it from a compose secret with `environment: {secret}`"
        )
    return notes


def _unused(request: StackRequest, canonical: Mapping[str, Any]) -> list[str]:
    """Return a note for each value that nothing refers to: most often its name is misspelt."""
    texts = [request.compose, *(file.content.decode("utf-8", "replace") for file in request.files)]
    texts.append(json.dumps(canonical.get("secrets") or {}))
    return [
        f"{name} is given and {request.source} never uses it"
        for name in [*request.environment, *request.secrets]
        if not any(re.search(rf"\b{re.escape(name)}\b", text) for text in texts)
    ]


def _secrets_of(request: StackRequest, compose: Mapping[str, Any], name: str) -> set[str]:
    sources = attached(compose, name)
    variables = {str(source.get("environment")) for source in sources}
    return _references(request, [compose["services"][name], sources]) | (variables & set(request.secrets))


def _revision(request: StackRequest, compose: Mapping[str, Any], name: str, fingerprint: Callable[[str], str]) -> str:
    """Return a text that changes when a container of the service has to be another one.

    It must stay the same for the same input over versions of this collection: another one recreates every container of
    every stack, databases included, at the next deployment.
    """
    definition = {key: value for key, value in compose["services"][name].items() if key not in _NOT_PART_OF_A_CONTAINER}
    deploy = {key: value for key, value in definition.pop("deploy", {}).items() if key != "replicas" and value}
    if deploy:
        definition["deploy"] = deploy
    sources = attached(compose, name)
    variables = [source["environment"] for source in sources if source.get("environment")]
    material = {
        "definition": definition,
        "attached": sources,
        "files": {
            file.path: [hashlib.sha256(file.content).hexdigest(), file.executable]
            for path in mounts(compose, name)
            for file in files_below(request.files, path)
        },
        "values": {variable: request.environment.get(variable) for variable in variables},
        "secrets": {secret: fingerprint(secret) for secret in _secrets_of(request, compose, name)},
    }
    return hashlib.sha256(json.dumps(material, sort_keys=True).encode()).hexdigest()[:16]


def _service(compose: Mapping[str, Any], name: str) -> Service:
    definition = compose["services"][name]
    health = definition.get("healthcheck") or {}
    test = health.get("test") or []
    return Service(
        name=_declared_name(compose, name),
        image=definition["image"],
        revision=(definition.get("labels") or {}).get(REVISION_LABEL, ""),
        replicas=replicas_of(definition),
        checked=bool(test) and not health.get("disable") and test[0] != "NONE",
        restarts=restart_policy(definition)[0] in ("always", "unless-stopped"),
        waits_for={
            _declared_name(compose, other): dependency["condition"]
            for other, dependency in (definition.get("depends_on") or {}).items()
            if dependency.get("required", True) or other in compose["services"]
        },
        mounts=tuple(mounts(compose, name)),
        mounted_at=tuple(posixpath.normpath(target) for _, target in mount_targets(definition)),
        shares_with=tuple(_shares_with(definition)),
        restarts_with=tuple(
            _declared_name(compose, other)
            for other, dependency in (definition.get("depends_on") or {}).items()
            if dependency.get("restart")
        ),
    )


def _shares_with(definition: Mapping[str, Any]) -> Iterator[str]:
    for key in ("network_mode", "ipc", "pid"):
        mode = str(definition.get(key) or "")
        if mode.startswith("service:"):
            yield mode.removeprefix("service:")
    for entry in definition.get("volumes_from") or []:
        if not entry.startswith("container:"):
            yield entry.split(":")[0]
