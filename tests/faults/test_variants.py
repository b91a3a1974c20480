"""Variants of the pet-care system: what is asked for is different, and nothing else."""

from __future__ import annotations

import pytest
import yaml

from tests.faults.petcare import INVENTORY
from tests.faults.variants import NEW, OLD, ROLLOUT, Variant, backend, compose, definitions, merged, with_image

TEXT = (INVENTORY / "compose.yaml").read_text(encoding="utf-8")
VARIABLES = yaml.safe_load((INVENTORY / "group_vars/all/stack.yml").read_text(encoding="utf-8"))


def test_without_differences_the_services_are_those_of_the_inventory() -> None:
    declared, released = yaml.safe_load(TEXT), yaml.safe_load(compose(TEXT, Variant(OLD)))
    assert released == {key: value for key, value in declared.items() if not key.startswith("x-")}


def test_a_variable_is_added_to_the_backend_alone() -> None:
    declared = yaml.safe_load(TEXT)["services"]
    released = yaml.safe_load(compose(TEXT, backend(NEW, GREETING="hello")))["services"]
    assert released["backend"]["environment"] == {**declared["backend"]["environment"], "GREETING": "hello"}
    assert {**released, "backend": 0} == {**declared, "backend": 0}


def test_another_image_replaces_the_declared_one() -> None:
    released = yaml.safe_load(compose(TEXT, with_image("petcare/backend:other", pull="always")))
    assert released["services"]["backend"]["image"] == "petcare/backend:other"


def test_a_service_that_is_not_there_is_a_mistake_of_the_test() -> None:
    with pytest.raises(AssertionError, match="no backend2"):
        compose(TEXT, Variant(services={"backend2": {}}))


def test_options_are_laid_over_the_definition() -> None:
    (definition,) = definitions(VARIABLES, Variant(NEW, options={"rollout": {"watch": 20}, "pull": "always"}))
    assert definition["rollout"] == {**ROLLOUT, "watch": 20}
    assert definition["pull"] == "always"
    assert definition["secrets"] == VARIABLES["stack_definitions"][0]["secrets"]


@pytest.mark.parametrize(
    ("below", "above", "result"),
    [
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": {"b": 1}}, {"a": {"c": 2}}, {"a": {"b": 1, "c": 2}}),
        ({"a": {"b": 1}}, {"a": [1]}, {"a": [1]}),
        ({"a": [1]}, {"a": [2]}, {"a": [2]}),
    ],
    ids=["new-key", "mappings-merge", "other-kind-replaces", "lists-replace"],
)
def test_mappings_are_merged_and_anything_else_replaces(
    below: dict[str, object], above: dict[str, object], result: dict[str, object]
) -> None:
    assert merged(below, above) == result
