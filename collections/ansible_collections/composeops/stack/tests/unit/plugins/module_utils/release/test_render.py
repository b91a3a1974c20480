# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.release.containers import REVISION_LABEL
from ansible_collections.composeops.stack.plugins.module_utils.release.model import (
    Published,
    Routed,
    StackFile,
    StackRequest,
)
from ansible_collections.composeops.stack.plugins.module_utils.release.render import (
    Rendering,
    environment_file,
    marks,
    render,
    replicas,
    services_of,
)
from ansible_collections.composeops.stack.plugins.module_utils.release.state import Endpoint

MARK = marks(["DB_PASSWORD"])["DB_PASSWORD"]

# What `docker compose config --format json --no-path-resolution` (2.26) makes of a compose file like the PET seed's.
CANONICAL: dict[str, Any] = {
    "name": "shop",
    "networks": {"net": {"name": "shop_net", "driver": "bridge", "ipam": {}}},
    "secrets": {"db_password": {"name": "shop_db_password", "environment": "DB_PASSWORD"}},
    "services": {
        "backend": {
            "command": None,
            "depends_on": {
                "postgres": {"condition": "service_healthy", "required": True},
                "tracing": {"condition": "service_started", "required": False},
            },
            "entrypoint": None,
            "environment": {"DB_HOST": "postgres"},
            "healthcheck": {"test": ["CMD", "healthcheck"], "interval": "10s"},
            "image": "shop/backend:1",
            "networks": {"net": None},
            "ports": [{"mode": "ingress", "target": 3000, "published": "3000", "protocol": "tcp"}],
            "restart": "unless-stopped",
        },
        "postgres": {
            "command": None,
            "entrypoint": None,
            "environment": {"POSTGRES_PASSWORD_FILE": "/run/secrets/db_password"},
            "image": "postgres:15-alpine",
            "networks": {"net": None},
            "ports": [
                {"mode": "ingress", "target": 5432, "published": "5432", "protocol": "tcp"},
                {"mode": "ingress", "host_ip": "127.0.0.1", "target": 9187, "published": "9187", "protocol": "tcp"},
            ],
            "secrets": [{"source": "db_password", "target": "/run/secrets/db_password"}],
            "volumes": [
                {
                    "type": "bind",
                    "source": "./files/init.sql",
                    "target": "/init.sql",
                    "bind": {"create_host_path": True},
                },
                {"type": "volume", "source": "data", "target": "/var/lib/postgresql/data", "volume": {}},
                {"type": "bind", "source": "/etc/localtime", "target": "/etc/localtime"},
            ],
        },
    },
    "volumes": {"data": {"name": "shop_data"}},
}
INIT = StackFile("files/init.sql", b"SELECT 1;")
ENDPOINT = Endpoint("backend", 3000, "127.0.0.1", 21000)


def request(**changes: Any) -> StackRequest:
    options: dict[str, Any] = {
        "name": "shop",
        "compose": "services: ${DB_PASSWORD}",
        "files": (INIT,),
        "secrets": ("DB_PASSWORD",),
        "routed": (Routed("backend", 3000),),
    }
    return StackRequest(**{**options, **changes})


def rendered(
    change: Callable[[dict[str, Any]], Any] | None = None,
    endpoints: tuple[Endpoint, ...] = (ENDPOINT,),
    fingerprint: str = "f",
    **options: Any,
) -> Rendering:
    canonical = copy.deepcopy(CANONICAL)
    if change:
        change(canonical["services"])
    return render(canonical, request(**options), endpoints, lambda name: f"{fingerprint}-{name}")


def revisions(rendering: Rendering) -> dict[str, str]:
    return {service.name: service.revision for service in rendering.services}


def test_pet_11_only_the_routed_port_is_published_and_on_loopback() -> None:
    services = rendered().compose["services"]
    assert services["backend"]["ports"] == [
        {"mode": "ingress", "host_ip": "127.0.0.1", "target": 3000, "published": "21000", "protocol": "tcp"}
    ]
    assert "ports" not in services["postgres"]


def published(*entries: str) -> list[dict[str, Any]]:
    """Return the ports that compose makes of `address:published:target/protocol`, each by itself."""
    result = []
    for entry in entries:
        ports, _, protocol = entry.partition("/")
        address, outside, target = ports.split(":")
        found = {"mode": "ingress", "target": int(target), "protocol": protocol or "tcp"}
        found.update({"host_ip": address} if address else {}, **({"published": outside} if outside else {}))
        result.append(found)
    return result


PORTS: dict[str, tuple[list[str], list[str]]] = {
    "a range is said once": (
        [":9000:9000", ":9001:9001", ":9002:9002"],
        ["postgres publishes 9000-9002 to the world: not published; list it under published to keep it"],
    ),
    "two ranges are two": (
        [":9000:9000", ":9001:9001", ":9001:9001/udp"],
        [
            "postgres publishes 9000-9001 to the world: not published; list it under published to keep it",
            "postgres publishes 9001/udp to the world: not published; list it under published to keep it",
        ],
    ),
    "an address": (
        ["10.0.0.1:5432:5432"],
        ["postgres publishes 5432 on 10.0.0.1: not published; list it under published to keep it"],
    ),
    "a port that the engine chooses": (
        ["::5432"],
        ["postgres publishes 5432 on any port to the world: not published; list it under published to keep it"],
    ),
}


@pytest.mark.parametrize(("ports", "notes"), PORTS.values(), ids=PORTS.keys())
def test_what_becomes_of_ports_is_said(ports: list[str], notes: list[str]) -> None:
    result = rendered(lambda services: services["postgres"].update(ports=published(*ports)))
    assert "ports" not in result.compose["services"]["postgres"]
    assert [note for note in result.notes if note.startswith("postgres publishes")] == notes


def test_a_routed_port_is_not_reached_by_another_protocol() -> None:
    result = rendered(lambda services: services["backend"].update(ports=published(":3000:3000/udp")))
    assert "backend publishes 3000/udp to the world: not published; list it under published to keep it" in result.notes


def test_every_port_that_is_left_out_is_noted() -> None:
    assert rendered().notes == (
        "backend publishes 3000 to the world: not published; the edge reaches it on 127.0.0.1:21000",
        "postgres publishes 5432 to the world: not published; list it under published to keep it",
        "postgres publishes 9187 on 127.0.0.1: not published; list it under published to keep it",
    )


def test_a_deliberately_published_port_is_kept_without_a_note() -> None:
    result = rendered(published=(Published("postgres", 5432, 5432, "10.0.0.1"),))
    assert result.compose["services"]["postgres"]["ports"] == [
        {"mode": "ingress", "host_ip": "10.0.0.1", "target": 5432, "published": "5432", "protocol": "tcp"}
    ]
    assert not [note for note in result.notes if "5432" in note]


def test_replicas_are_published_on_a_range() -> None:
    endpoints = (ENDPOINT, Endpoint("backend", 3000, "127.0.0.1", 21001))
    result = rendered(lambda services: services["backend"].update(deploy={"replicas": 2}), endpoints)
    assert result.compose["services"]["backend"]["ports"][0]["published"] == "21000-21001"
    assert replicas(result.compose) == {"backend": 2, "postgres": 1}


def test_a_service_in_the_hosts_network_is_noted_and_gets_no_ports() -> None:
    result = rendered(lambda services: services["backend"].update(network_mode="host"), (), routed=())
    assert "ports" not in result.compose["services"]["backend"]
    assert "backend: it is in the host's network, so every port it opens is open on the host" in result.notes


def test_no_secret_and_no_mark_is_in_the_rendered_file() -> None:
    def use(services: dict[str, Any]) -> None:
        services["backend"]["environment"]["URL"] = f"postgres://u:{MARK}@postgres/shop"

    result = rendered(use)
    assert result.compose["services"]["backend"]["environment"]["URL"] == "postgres://u:${DB_PASSWORD}@postgres/shop"
    assert MARK not in result.text
    assert "spoesopmoc" not in result.text


def test_an_authors_own_escaped_dollar_is_not_a_secret() -> None:
    def use(services: dict[str, Any]) -> None:
        services["backend"]["command"] = ["sh", "-c", "echo $${DB_PASSWORD}"]

    result = rendered(use)
    assert result.compose["services"]["backend"]["command"] == ["sh", "-c", "echo $${DB_PASSWORD}"]
    assert not [note for note in result.notes if "DB_PASSWORD" in note]


def test_a_secret_that_docker_inspect_would_show_is_noted() -> None:
    def use(services: dict[str, Any]) -> None:
        services["backend"]["environment"]["DB_PASSWORD"] = MARK
        services["postgres"]["command"] = ["postgres", "--password", MARK]

    notes = " ".join(rendered(use).notes)
    assert "backend: DB_PASSWORD is in its environment" in notes
    assert "postgres: DB_PASSWORD is in its definition" in notes


def test_the_secrets_that_are_used_are_listed() -> None:
    assert rendered(secrets=("DB_PASSWORD", "OTHER")).secrets == ("DB_PASSWORD",)


def test_each_service_has_its_revision_as_a_label() -> None:
    result = rendered()
    labels = {name: service["labels"][REVISION_LABEL] for name, service in result.compose["services"].items()}
    assert labels == revisions(result)
    assert all(len(revision) == 16 for revision in labels.values())


def test_labels_of_the_file_stay() -> None:
    result = rendered(lambda services: services["backend"].update(labels={"traefik.enable": "true"}))
    assert result.compose["services"]["backend"]["labels"]["traefik.enable"] == "true"


def test_rendering_is_repeatable() -> None:
    assert rendered().text == rendered().text


CHANGES: dict[str, tuple[Rendering, set[str]]] = {
    "nothing": (rendered(), set()),
    "a rotated secret concerns who uses it": (rendered(fingerprint="g"), {"postgres"}),
    "a changed file concerns who mounts it": (
        rendered(files=(StackFile("files/init.sql", b"SELECT 2;"),)),
        {"postgres"},
    ),
    "a file that nobody mounts concerns nobody": (rendered(files=(INIT, StackFile("files/README", b"x"))), set()),
    "another image": (rendered(lambda services: services["backend"].update(image="shop/backend:2")), {"backend"}),
    "another environment": (
        rendered(lambda services: services["backend"]["environment"].update(A="b")),
        {"backend"},
    ),
    "another loopback port": (rendered(endpoints=(Endpoint("backend", 3000, "127.0.0.1", 21005),)), {"backend"}),
    "more replicas recreate nothing": (
        rendered(lambda services: services["backend"].update(deploy={"replicas": 2})),
        set(),
    ),
    "another start order recreates nothing": (
        rendered(lambda services: services["backend"].pop("depends_on")),
        set(),
    ),
    "a port that was never published recreates nothing": (
        rendered(lambda services: services["postgres"].pop("ports")),
        set(),
    ),
}


@pytest.mark.parametrize(("changed", "expected"), CHANGES.values(), ids=CHANGES.keys())
def test_a_revision_changes_with_what_a_container_consists_of(changed: Rendering, expected: set[str]) -> None:
    before = revisions(rendered())
    assert {name for name, revision in revisions(changed).items() if revision != before[name]} == expected


def test_a_file_in_a_mounted_directory_concerns_who_mounts_the_directory() -> None:
    def mount(services: dict[str, Any]) -> None:
        services["backend"]["volumes"] = [{"type": "bind", "source": "./files", "target": "/files"}]

    before = revisions(rendered(mount))
    after = revisions(rendered(mount, files=(INIT, StackFile("files/deep/er.conf", b"x"))))
    assert [name for name in before if before[name] != after[name]] == ["backend"]


def test_a_value_of_the_environment_that_becomes_a_file_concerns_who_reads_it() -> None:
    canonical = copy.deepcopy(CANONICAL)
    canonical["configs"] = {"motto": {"name": "shop_motto", "environment": "MOTTO"}}
    canonical["services"]["backend"]["configs"] = [{"source": "motto"}]

    def revision(value: str) -> dict[str, str]:
        return revisions(render(canonical, request(environment={"MOTTO": value}), [ENDPOINT], lambda name: name))

    assert revision("a")["backend"] != revision("b")["backend"]
    assert revision("a")["postgres"] == revision("b")["postgres"]


def remove_image(services: dict[str, Any]) -> None:
    services["backend"]["build"] = {"context": "."}
    del services["backend"]["image"]


def test_a_service_of_a_profile_is_not_called_undeclared() -> None:
    text = "services:\n  debug: {image: x, profiles: [debug]}\n"
    with pytest.raises(InvalidInput, match="debug is in a profile; COMPOSE_PROFILES in the stack's environment"):
        rendered(routed=(Routed("debug", 80),), compose=text)


REFUSED: dict[str, tuple[Callable[[dict[str, Any]], Any] | None, dict[str, Any], str]] = {
    "no services": (lambda services: services.clear(), {}, "compose.yaml declares no services"),
    "build without an image": (remove_image, {}, "service backend has `build:` and no `image:`"),
    "a routed service that is not declared": (
        None,
        {"routed": (Routed("bakend", 3000),)},
        "routed names 'bakend', and compose.yaml declares no such service. It declares backend, postgres.",
    ),
    "a published service that is not declared": (None, {"published": (Published("db", 1, 1),)}, "published names 'db'"),
    "a mounted file that is not there": (None, {"files": ()}, "service postgres mounts ./files/init.sql, which is not"),
    "a secret from an undefined variable": (
        None,
        {"secrets": ()},
        "secrets.db_password takes its value from DB_PASSWORD",
    ),
}


@pytest.mark.parametrize(("change", "options", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_refuses(change: Callable[[dict[str, Any]], Any] | None, options: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        rendered(change, **options)
    assert said in str(raised.value)


def test_pet_04_built_in_default_passwords_are_refused_together() -> None:
    def spell(services: dict[str, Any]) -> None:
        services["postgres"]["environment"]["POSTGRES_PASSWORD"] = "petpass123"
        services["backend"]["command"] = ["server", "--requirepass", "redispass123"]

    with pytest.raises(InvalidInput) as raised:
        rendered(spell)
    said = str(raised.value)
    assert "postgres: POSTGRES_PASSWORD: it is a well-known password" in said
    assert "backend: --requirepass of its command: it is a well-known password" in said
    assert "petpass123" not in said


def test_a_password_that_is_spelled_out_is_noted_and_not_shown() -> None:
    result = rendered(lambda services: services["backend"]["environment"].update(JWT_SECRET="k3Jf82hQzW1mPq"))
    notes = [note for note in result.notes if "JWT_SECRET" in note]
    assert notes == [
        "backend: JWT_SECRET is spelled out in the compose file or the stack's environment; write ${NAME} there and"
        " list NAME under secrets"
    ]


def test_a_password_that_is_spelled_out_is_noted_with_its_line() -> None:
    text = "services:\n  backend:\n    environment:\n      JWT_SECRET: k3Jf82hQzW1mPq\n"
    result = rendered(
        lambda services: services["backend"]["environment"].update(JWT_SECRET="k3Jf82hQzW1mPq"), compose=text
    )
    assert [note for note in result.notes if note.startswith("backend: JWT_SECRET (line 4) is spelled out")]


def test_a_secret_from_a_missing_file_is_refused() -> None:
    canonical = {**CANONICAL, "secrets": {"db_password": {"file": "./files/password"}}}
    with pytest.raises(InvalidInput, match=r"secrets\.db_password is the file \./files/password"):
        render(canonical, request(), [ENDPOINT], lambda name: name)


def test_build_beside_an_image_is_left_out_and_noted() -> None:
    result = rendered(lambda services: services["backend"].update(build={"context": "."}))
    assert "build" not in result.compose["services"]["backend"]
    assert "backend: nothing is built here; shop/backend:1 is pulled" in result.notes


def test_a_mounted_directory_that_is_not_there_is_noted() -> None:
    def mount(services: dict[str, Any]) -> None:
        services["backend"]["volumes"] = [{"type": "bind", "source": "./uploads", "target": "/uploads"}]

    assert (
        "backend: ./uploads is not among the files of the stack; the engine makes an empty directory"
        in rendered(mount).notes
    )


def test_a_value_that_nothing_uses_is_noted() -> None:
    notes = rendered(environment={"DB_NMAE": "x"}).notes
    assert "DB_NMAE is given and compose.yaml never uses it" in notes
    assert not [note for note in notes if note.startswith("DB_PASSWORD")]


def test_what_is_decided_already_is_left_out_and_no_reason_for_another_container() -> None:
    def write(services: dict[str, Any]) -> None:
        services["backend"].update(profiles=["web"])
        services["backend"]["environment"]["UNSET"] = None

    result = rendered(write)
    backend = result.compose["services"]["backend"]
    assert "profiles" not in backend
    assert backend["environment"] == {"DB_HOST": "postgres"}
    assert "backend: UNSET has no value in the stack and is not set" in result.notes


def test_an_optional_dependency_that_is_there_is_waited_for() -> None:
    result = rendered(lambda services: services["backend"]["depends_on"]["postgres"].update(required=False))
    assert result.services[0].waits_for == {"postgres": "service_healthy"}


def test_what_is_restarted_with_another_service_is_known() -> None:
    result = rendered(lambda services: services["backend"]["depends_on"]["postgres"].update(restart=True))
    assert [service.restarts_with for service in result.services] == [("postgres",), ()]


def test_the_canonical_file_is_not_changed() -> None:
    canonical = copy.deepcopy(CANONICAL)
    render(canonical, request(), [ENDPOINT], lambda name: name)
    assert canonical == CANONICAL


def test_reads_the_services_back_from_the_rendered_file() -> None:
    result = rendered()
    assert services_of(json.loads(result.text)) == result.services


def test_pet_05_conditions_and_health_checks_are_understood() -> None:
    backend, postgres = rendered().services
    assert backend.waits_for == {"postgres": "service_healthy"}
    assert backend.checked
    assert backend.restarts
    assert not postgres.checked
    assert postgres.may_finish


SERVICES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a health check that is switched off": (
        {"healthcheck": {"disable": True, "test": ["CMD", "x"]}},
        {"checked": False},
    ),
    "a health check of NONE": ({"healthcheck": {"test": ["NONE"]}}, {"checked": False}),
    "a health check of the image with another interval": ({"healthcheck": {"interval": "5s"}}, {"checked": False}),
    "restart always": ({"restart": "always"}, {"restarts": True, "may_finish": False}),
    "restart on failure may finish": ({"restart": "on-failure"}, {"restarts": False, "may_finish": True}),
    "restart no": ({"restart": "no"}, {"restarts": False, "may_finish": True}),
    "a restart policy of deploy": ({"deploy": {"restart_policy": {"condition": "any"}}}, {"restarts": True}),
    "one of deploy without a condition wins": (
        {"restart": "always", "deploy": {"restart_policy": {"delay": "5s"}}},
        {"restarts": False},
    ),
    "replicas of deploy": ({"deploy": {"replicas": 3}}, {"replicas": 3}),
    "scale": ({"scale": 2}, {"replicas": 2}),
    "no replicas": ({"deploy": {"replicas": 0}}, {"replicas": 0}),
    "another service's network": ({"network_mode": "service:vpn"}, {"shares_with": ("vpn",)}),
    "the host's network": ({"network_mode": "host", "pid": "host", "ipc": "host"}, {"shares_with": ()}),
    "volumes from another service": ({"volumes_from": ["data:ro"]}, {"shares_with": ("data",)}),
    "volumes from a foreign container": ({"volumes_from": ["container:data"]}, {"shares_with": ()}),
}


@pytest.mark.parametrize(("definition", "expected"), SERVICES.values(), ids=SERVICES.keys())
def test_understands(definition: dict[str, Any], expected: dict[str, Any]) -> None:
    (service,) = services_of({"services": {"x": {"image": "x:1", **definition}}})
    assert {name: getattr(service, name) for name in expected} == expected


def test_the_environment_file_quotes_what_compose_would_expand() -> None:
    text = environment_file({"B": 'a"b\\c$d\ne', "A": "plain"})
    assert text.splitlines()[1:] == ['A="plain"', 'B="a\\"b\\\\c\\$d\\ne"']


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../x", "a/../../x", "state.json", "previous/x", "compose.json", "./x"]
)
def test_a_file_cannot_leave_its_place(path: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be the name of a file beside the compose file"):
        StackFile(path, b"")
