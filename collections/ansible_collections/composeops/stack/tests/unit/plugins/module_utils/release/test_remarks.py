# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.release.model import StackRequest
from ansible_collections.composeops.stack.plugins.module_utils.release.remarks import finish, remarks

DIGEST = "web@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def remarked(web: dict[str, Any], others: dict[str, Any] | None = None, **options: Any) -> list[str]:
    request = StackRequest(**{"name": "shop", "compose": "", **options})
    return remarks(request, {"services": {"web": web, **(others or {})}})


JOB = {"depends_on": {"web": {"condition": "service_completed_successfully"}}}
SAID: dict[str, tuple[dict[str, Any], str]] = {
    "latest": (
        {"image": "web:latest"},
        "web: web:latest is whatever has that name when it is pulled; name a version or a digest",
    ),
    "no tag": (
        {"image": "registry.test:5000/web"},
        "web: registry.test:5000/web is whatever has that name when it is pulled; name a version or a digest",
    ),
    "pull_policy": (
        {"pull_policy": "always"},
        "web: pull_policy always is not followed; images are pulled as the stack's option pull says: missing",
    ),
    "a variable without a value": (
        {"environment": {"A": None, "B": "1"}},
        "web: A has no value in the stack and is not set",
    ),
    "a home directory": (
        {"volumes": [{"type": "bind", "source": "~/data"}]},
        "web: ~/data is in the home directory of root on the host",
    ),
}


@pytest.mark.parametrize(("web", "sentence"), SAID.values(), ids=SAID.keys())
def test_says(web: dict[str, Any], sentence: str) -> None:
    assert remarked(web) == [sentence]


NOT_SAID: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a version": ({"image": "registry.test:5000/web:1"}, {}),
    "a digest": ({"image": DIGEST}, {}),
    "the policy that is ours": ({"pull_policy": "missing"}, {}),
    "the policy that is asked for": ({"pull_policy": "always"}, {"pull": "always"}),
    "a directory of the host": ({"volumes": [{"type": "bind", "source": "/srv"}]}, {}),
    "the name of the stack": ({}, {"compose": "name: shop\n"}),
    "a name that is a variable": ({}, {"compose": "name: ${NAME}\n"}),
    "the name of something else": ({}, {"compose": "services:\n  name: x\n"}),
}


@pytest.mark.parametrize(("web", "options"), NOT_SAID.values(), ids=NOT_SAID.keys())
def test_says_nothing_of_what_is_as_it_seems(web: dict[str, Any], options: dict[str, Any]) -> None:
    assert remarked(web, **options) == []


def test_a_job_is_not_run_with_every_deployment() -> None:
    assert remarked({}, {"app": JOB}) == [
        "web: once it has ended well it is not run again until its definition or its image changes"
    ]


def test_a_project_that_has_another_name_is_called_as_the_stack() -> None:
    assert remarked({}, compose='name: "store"  # mine\nservices: {}\n') == [
        "compose.yaml is named store; networks and volumes are called after the stack, shop"
    ]


def test_what_is_decided_is_removed() -> None:
    web = {"develop": {"watch": []}, "profiles": ["x"], "environment": {"A": None, "B": ""}, "image": "web:1"}
    finish(web, ["web"])
    assert web == {"environment": {"B": ""}, "image": "web:1"}


def test_an_optional_dependency_that_does_not_run_is_not_waited_for() -> None:
    web = {"depends_on": {"db": {"required": True}, "debug": {"required": False}}}
    finish(web, ["web", "db"])
    assert web == {"depends_on": {"db": {"required": True}}}
