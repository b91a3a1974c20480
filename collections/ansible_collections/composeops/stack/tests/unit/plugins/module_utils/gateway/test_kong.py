# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kong's file against a schema of the parts that are used; Kong itself is in no registry that the tests can reach."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ansible_collections.composeops.stack.plugins.module_utils.gateway.kong import document
from ansible_collections.composeops.stack.plugins.module_utils.gateway.model import parse

SCHEMA = json.loads(Path(__file__).with_name("kong-3.0.schema.json").read_text(encoding="utf-8"))
DECLARED: dict[str, Any] = {
    "services": [
        {"name": "main-server", "port": 3000, "paths": ["/api/"], "rate_limit": {"requests": 50}},
        {"name": "admin-service", "port": 3000, "paths": ["/api/admin/"], "authentication": "key"},
    ],
    "cors": {"origins": ["https://www.zviewer.com"]},
    "consumers": [{"name": "partner", "secret": "GATEWAY_KEY_PARTNER"}],
}


def kong(**changes: Any) -> dict[str, Any]:
    return document(parse({**DECLARED, **changes}))


def plugins(entry: dict[str, Any]) -> dict[str, Any]:
    return {plugin["name"]: plugin["config"] for plugin in entry["plugins"]}


@pytest.mark.parametrize(
    "changes",
    [{}, {"cors": None}, {"services": DECLARED["services"][:1], "consumers": []}],
    ids=["all", "no-cors", "open"],
)
def test_zvw_02_file_has_the_shape_that_kong_documents(changes: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(kong(**changes), SCHEMA)


def test_the_schema_refuses_what_kong_would() -> None:
    wrong = kong()
    wrong["services"][0]["plugins"][0]["config"]["limit_by"] = "address"
    with pytest.raises(jsonschema.ValidationError, match="'address' is not one of"):
        jsonschema.validate(wrong, SCHEMA)


def test_zvw_02_every_service_has_its_path_and_its_instances() -> None:
    found = kong()
    assert [(each["name"], each["routes"][0]["paths"]) for each in found["services"]] == [
        ("main-server", ["/api/"]),
        ("admin-service", ["/api/admin/"]),
    ]
    targets = {upstream["name"]: upstream["targets"][0]["target"] for upstream in found["upstreams"]}
    assert [targets[each["host"]] for each in found["services"]] == ["main-server:3000", "admin-service:3000"]


def test_zvw_02_paths_reach_the_services_unchanged() -> None:
    assert not any(route["strip_path"] for each in kong()["services"] for route in each["routes"])


def test_zvw_02_limits_and_keys_are_those_of_their_service() -> None:
    main, admin = kong()["services"]
    assert plugins(main) == {"rate-limiting": {"second": 50, "limit_by": "ip", "policy": "local"}}
    assert plugins(admin)["key-auth"]["key_names"] == ["apikey"]
    assert plugins(admin)["key-auth"]["hide_credentials"]


def test_zvw_02_the_file_has_marks_where_keys_will_be() -> None:
    assert kong()["consumers"] == [{"username": "partner", "keyauth_credentials": [{"key": "@GATEWAY_KEY_PARTNER@"}]}]


def test_zvw_02_failures_open_the_circuit_and_a_probe_closes_it() -> None:
    declared = [{**DECLARED["services"][0], "circuit_breaker": {"failures": 4, "seconds": 7}}]
    checks = kong(services=declared)["upstreams"][0]["healthchecks"]
    assert checks["passive"]["unhealthy"]["tcp_failures"] == 4
    assert checks["passive"]["unhealthy"]["http_statuses"] == [502, 503, 504]
    assert (checks["active"]["http_path"], checks["active"]["unhealthy"]["interval"]) == ("/health", 7)
    # Without successes an instance never came back.
    assert checks["active"]["healthy"]["successes"] == 1


def test_zvw_03_instances_are_balanced_by_least_connections() -> None:
    assert {upstream["algorithm"] for upstream in kong()["upstreams"]} == {"least-connections"}
