"""Misspelt variables are found, and those of an operator are left alone."""

from __future__ import annotations

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.preflight.variables import (
    unknown_extra_variables,
    unknown_role_variables,
)

ROLES = {
    "stack": {"stack_definitions"},
    "edge": {"edge_sites", "edge_hsts"},
    "docker_engine": {"docker_engine_mtu"},
    "backup": {"backup_store", "backup_sources"},
}


@pytest.mark.parametrize(
    ("name", "message", "remedy"),
    [
        ("edge_site", "the role edge has no such variable", "Did you mean edge_sites?"),
        ("stack_definitons", "the role stack has no such variable", "Did you mean stack_definitions?"),
        ("docker_engine_mut", "the role docker_engine has no such variable", "Did you mean docker_engine_mtu?"),
        ("backup_xyzzy_plugh", "the role backup has no such variable", "docs/variables.md"),
        ("edg_sites", "no role has such a variable", "Did you mean edge_sites?"),
        ("bakup_sources", "no role has such a variable", "Did you mean backup_sources?"),
    ],
)
def test_misspelt_variable_is_found(name: str, message: str, remedy: str) -> None:
    (problem,) = unknown_role_variables([name], ROLES)
    assert problem.subject == "variables"
    assert problem.message == f"{name} is set, but {message}."
    assert remedy in problem.remedy


@pytest.mark.parametrize(
    "name",
    ["edge_sites", "__edge_packages", "petcare_version", "ansible_host", "my_edge_sites", "stackable", "groups"],
)
def test_what_is_known_or_of_the_operator_is_left_alone(name: str) -> None:
    assert unknown_role_variables([name], ROLES) == []


def test_every_misspelt_variable_is_named() -> None:
    problems = unknown_role_variables(["edge_site", "backup_stor", "edge_sites"], ROLES)
    assert [problem.message.split()[0] for problem in problems] == ["backup_stor", "edge_site"]


def test_extra_variable_that_nothing_reads_is_refused_with_the_nearest_argument() -> None:
    (problem,) = unknown_extra_variables(["servise"], ["service", "lines"], {"petcare_version"})
    assert problem.message == "-e servise is given, but nothing reads it."
    assert problem.remedy == "Did you mean service? This playbook takes: lines, service."


def test_playbook_without_arguments_says_so() -> None:
    (problem,) = unknown_extra_variables(["xyzzy"], [], set())
    assert problem.remedy == "This playbook takes none."


@pytest.mark.parametrize("name", ["service", "petcare_version", "ansible_user", "awx_job_id", "tower_job_id"])
def test_extra_variable_that_something_reads_is_taken(name: str) -> None:
    assert unknown_extra_variables([name], ["service"], {"petcare_version"}) == []
