# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.release.names import meet, mentions, names_of

NAMES = {"api", "backend"}

FOUND: dict[str, tuple[dict[str, Any], dict[str, str], str]] = {
    "an address": ({"environment": {"X": "http://api:3000/v1"}}, {}, "in X"),
    "an address without a port": ({"environment": {"X": "http://backend/v1"}}, {}, "in X"),
    "an address with a user": ({"environment": {"X": "amqp://u:p@api/"}}, {}, "in X"),
    "a name with a port": ({"environment": {"X": "api:3000"}}, {}, "in X"),
    "one of several": ({"environment": {"X": "db:5432,api:3000"}}, {}, "in X"),
    "a variable that says host": ({"environment": {"BACKEND_HOST": "api"}}, {}, "in BACKEND_HOST"),
    "a variable that says hosts": ({"environment": {"hosts": "db, api"}}, {}, "in hosts"),
    "an option of the command": ({"command": ["serve", "--host", "api"]}, {}, "in its command"),
    "an option with its value": ({"entrypoint": "wait --server=api"}, {}, "in its entrypoint"),
    "a health check": ({"healthcheck": {"test": ["CMD", "curl", "http://api/"]}}, {}, "in its health check"),
    "a file of nginx": ({}, {"nginx.conf": "proxy_pass http://backend:80;"}, "in nginx.conf"),
    "an upstream of nginx": ({}, {"nginx.conf": "  server api;"}, "in nginx.conf"),
    "a file of Prometheus": ({}, {"p.yml": "- targets: ['api:3000']"}, "in p.yml"),
}


@pytest.mark.parametrize(("definition", "files", "where"), FOUND.values(), ids=FOUND.keys())
def test_finds_a_name_that_is_a_host(definition: dict[str, Any], files: dict[str, str], where: str) -> None:
    assert list(mentions(definition, files, NAMES)) == [where]


ANOTHER_MEANING: dict[str, dict[str, Any]] = {
    "a role": {"environment": {"ROLE": "api"}},
    "a host that is called longer": {
        "environment": {"X": "http://api.example.com/", "Y": "api-2:80", "Z": "my-api:80"}
    },
    "a path": {"environment": {"X": "/srv/api:80"}},
    "an image": {"environment": {"X": "registry.test/api:3000"}},
    "a file": {"command": ["cat", "api"]},
    "a word of prose": {"command": "echo the api is there"},
    "no value": {"environment": {"HOST": None}},
}


@pytest.mark.parametrize("definition", ANOTHER_MEANING.values(), ids=ANOTHER_MEANING.keys())
def test_a_word_that_is_no_host_is_left_alone(definition: dict[str, Any]) -> None:
    assert list(mentions(definition, {}, NAMES)) == []


def test_a_service_has_the_names_that_compose_gives_it() -> None:
    definition = {"container_name": "shop_api", "networks": {"a": {"aliases": ["backend"]}, "b": None}}
    assert names_of("shop", "api", definition, 2) == {"api", "shop_api", "backend", "shop-api-1", "shop-api-2"}


def test_services_meet_in_a_network() -> None:
    assert meet({"networks": {"a": None, "b": None}}, {"networks": {"b": None}})
    assert not meet({"networks": {"a": None}}, {"networks": {"b": None}})
    assert not meet({"network_mode": "host"}, {"networks": {"b": None}})
