# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.release.lines import (
    line_of,
    line_of_complaint,
    line_of_variable,
    line_of_word,
    place,
)

TEXT = """\
# services: is not here
x-web: &web
  image: web

services:
  "db":
    image: db:${TAG}   # ${COMMENT}
    environment:
    - A=$$TAG
    healthcheck:
      interval: 5s

  web.v2_1:
    <<: *web
    ports:
      - "80:80"
    image: ${TAG:-latest}
  worker: {image: w, ports: ["1:1"]}
networks:
  web.v2_1:
    driver: x
"""

LINES = {
    "a service": (("services", "db"), 6),
    "a key of a service": (("services", "db", "environment"), 8),
    "a nested key": (("services", "db", "healthcheck", "interval"), 11),
    "a name with dots": (("services", "web.v2_1", "ports"), 15),
    "a key after a list": (("services", "web.v2_1", "image"), 17),
    "flow style": (("services", "worker", "ports"), 18),
    "a key that is merged": (("services", "web.v2_1", "restart"), 13),
    "the same name elsewhere": (("networks", "web.v2_1"), 20),
    "nothing of it": (("volumes", "data"), 0),
}


@pytest.mark.parametrize(("keys", "line"), LINES.values(), ids=LINES.keys())
def test_finds_the_deepest_line(keys: tuple[str, ...], line: int) -> None:
    assert line_of(TEXT, *keys) == line


@pytest.mark.parametrize(("variable", "line"), [("TAG", 7), ("COMMENT", 0), ("TAGS", 0)])
def test_finds_where_a_variable_is_used(variable: str, line: int) -> None:
    assert line_of_variable(TEXT, variable) == line


# What docker compose 2.26.1 says.
COMPLAINTS = {
    "validating -: services.db Additional property healthcheck is not allowed": 10,
    "validating -: services.db Additional property enviroment is not allowed": 6,
    "validating -: services.web.v2_1.ports.0 must be a string": 15,
    "services.db: can't set distinct values on 'pids_limit' and 'deploy.resources.limits.pids'": 6,
    "error while interpolating services.db.image: required variable TAG is missing a value: no tag": 7,
    'service "web.v2_1" depends on undefined service "api": invalid compose project': 13,
    'service "worker" refers to undefined network n: invalid compose project': 18,
    "networks.web.v2_1.driver must be a mapping": 21,
    "yaml: line 15: did not find expected ',' or ']'": 0,
    'service "other" is in a file that is included': 0,
    "error decoding 'services[db].healthcheck.interval': time: invalid duration": 11,
    "services.deploy.replicas: can't set container_name and db as container name must be unique": 6,
    "dependency cycle detected: web.v2_1 -> db -> web.v2_1": 13,
    "Invalid containerPort: 80:80": 16,
    "Invalid containerPort: elsewhere": 0,
}


@pytest.mark.parametrize(("said", "line"), COMPLAINTS.items(), ids=COMPLAINTS.keys())
def test_finds_what_compose_complains_about(said: str, line: int) -> None:
    assert line_of_complaint(TEXT, said) == line


def test_a_line_that_is_not_known_is_not_said() -> None:
    assert (place("compose.yaml", 3), place("compose.yaml", 0)) == ("compose.yaml line 3", "compose.yaml")


@pytest.mark.parametrize(
    ("word", "service", "line"),
    [("A", "db", 9), ("image", "web.v2_1", 17), ("driver", "web.v2_1", 0), ("A", "elsewhere", 0)],
    ids=["in a list", "a key", "of something else", "in another file"],
)
def test_finds_a_word_of_a_service(word: str, service: str, line: int) -> None:
    assert line_of_word(TEXT, word, service) == line
