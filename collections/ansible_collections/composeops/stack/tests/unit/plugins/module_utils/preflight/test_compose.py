"""Compose files, judged without an engine."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.composeops.stack.plugins.module_utils.preflight.compose import (
    Declared,
    dotenv,
    faults,
    images,
    interpolate,
    line_of,
    required_variables,
)

GOOD = """\
services:
  db:
    image: postgres:${DB_VERSION:-15}
    environment: {POSTGRES_USER: "${DB_USER:?}"}
    secrets: [db_password]
  web:
    image: shop/web:${WEB_VERSION}
    depends_on: [db]
    command: echo $$HOME
secrets:
  db_password: {environment: DB_PASSWORD}
"""
DECLARED = Declared({"DB_USER": "shop", "WEB_VERSION": "1.0"}, ["DB_PASSWORD"], ["web"], ["web"])


def judged(text: str, declared: Declared = DECLARED) -> list[str]:
    return faults(yaml.safe_load(text), text, declared)


def test_good_file_has_no_faults() -> None:
    assert judged(GOOD) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (("shop/web:", "shop/web:${OTHER}"), "line 7 uses OTHER, which neither environment nor secrets"),
        (
            ("$$HOME", "$DB_USR"),
            "line 9 uses DB_USR, which neither environment nor secrets of the stack define (did you",
        ),
        (("image: shop", "imagee: shop"), "line 7: service web has neither image nor build (is imagee one of them?)"),
        (("[db]\n", "[database, db]\n"), "line 8: service web depends on database, which it does not have"),
        (
            ("[db]\n", "{dbb: {condition: service_healthy}}\n"),
            "line 8: service web depends on dbb, which it does not have (did",
        ),
        (("{environment: DB_PASSWORD}", "{environment: DB_PASS}"), "secret db_password comes from DB_PASS, which"),
        (("  db:\n", "  db: just text\n  other:\n"), "line 2: service db is not a mapping"),
    ],
    ids=["variable", "nearest-variable", "image-typo", "dependency", "dependency-form", "secret", "service-shape"],
)
def test_fault_is_named(change: tuple[str, str], fault: str) -> None:
    assert any(found.startswith(fault) for found in judged(GOOD.replace(*change))), judged(GOOD.replace(*change))


@pytest.mark.parametrize(
    ("text", "fault"),
    [("", "it is not a mapping"), ("- a", "it is not a mapping"), ("services:\n", "it has no services")],
    ids=["empty", "list", "no-services"],
)
def test_file_without_services_is_refused(text: str, fault: str) -> None:
    assert judged(text) == [fault]


@pytest.mark.parametrize("kind", ["routed", "published"])
def test_service_that_the_definition_names_has_to_be_there(kind: str) -> None:
    declared = Declared(DECLARED.environment, DECLARED.secrets, **{kind: ["webb"]})
    assert judged(GOOD, declared) == [f"{kind} names the service webb, which it does not have (did you mean web?)"]


def test_required_value_that_is_empty_is_named() -> None:
    declared = Declared({"DB_USER": "", "WEB_VERSION": "1"}, ["DB_PASSWORD"])
    assert judged(GOOD, declared) == ["line 4 requires DB_USER, and its value in the stack's environment is empty"]


def test_included_files_may_bring_services() -> None:
    assert judged(GOOD.replace("[db]", "[elsewhere]") + "include: [other.yaml]\n") == []


def test_images_are_interpolated_and_what_is_built_is_left_out() -> None:
    document = yaml.safe_load(GOOD + "x: {}\n")
    document["services"]["built"] = {"build": ".", "image": "shop/built"}
    document["services"]["later"] = {"image": "shop/${UNKNOWN}"}
    assert images(document, DECLARED.environment) == ["postgres:15", "shop/web:1.0"]


@pytest.mark.parametrize("document", [None, [], {"services": []}, {"services": {"a": None}}])
def test_document_of_another_shape_has_no_images(document: Any) -> None:
    assert images(document, {}) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$A", "1"),
        ("${A}-${A}", "1-1"),
        ("$$A", "$A"),
        ("${B-x}", ""),
        ("${B:-x}", "x"),
        ("${C-x}", "x"),
        ("${C:-x}", "x"),
        ("${A:+x}", "x"),
        ("${B:+x}", ""),
        ("${B+x}", "x"),
        ("${C+x}", ""),
        ("${C}", None),
        ("${C:?is missing}", None),
        ("${A:?is missing}", "1"),
    ],
)
def test_interpolation_is_that_of_compose(text: str, expected: str | None) -> None:
    assert interpolate(text, {"A": "1", "B": ""}) == expected


def test_required_variables_are_those_without_a_default() -> None:
    document = {"a": "$A ${B} ${C:-x} ${D-x} ${E:?no} ${F+x}", "b": [{"c": "$$G ${H?}"}], "d": 3}
    assert required_variables(document) == {"A", "B", "E", "H"}
    assert required_variables(document, "?") == {"E", "H"}


def test_line_is_that_of_the_variable_and_not_of_a_longer_one() -> None:
    assert line_of("$DB_USERS\n${DB_USER}\n", "DB_USER") == 2


def test_the_name_of_the_project_is_known_to_compose() -> None:
    assert judged(GOOD.replace("$$HOME", "${COMPOSE_PROJECT_NAME}")) == []


def test_values_beside_the_compose_file_are_read() -> None:
    text = "# A=0\nA=1\nexport B = 'two' # said\n\nC: \"3\"\nnot a value\nD="
    assert dotenv(text) == {"A": "1", "B": "two", "C": "3", "D": ""}
