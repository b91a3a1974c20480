"""What of a service is not confined is told from its definition, its image and its engine."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.preflight.confinement import hints

CONFINED: dict[str, Any] = {
    "image": "web:1",
    "user": "1000:1000",
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
    "mem_limit": "268435456",
    "pids_limit": 100,
}


def lacking(users: dict[str, str] | None = None, engine_confines: bool = False, **changes: Any) -> list[str]:
    web = {key: value for key, value in {**CONFINED, **changes}.items() if value is not None}
    found = hints({"services": {"web": web}}, users or {}, engine_confines=engine_confines)
    return found.get("web", [])


def test_a_confined_service_is_not_spoken_of() -> None:
    assert hints({"services": {"web": CONFINED}}, {}, engine_confines=False) == {}


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        pytest.param({"read_only": None}, "can write to its image", id="root-filesystem"),
        pytest.param({"cap_drop": None}, "keeps capabilities", id="capabilities"),
        pytest.param({"cap_drop": ["NET_RAW"]}, "keeps capabilities", id="some-capabilities"),
        pytest.param({"security_opt": None}, "can gain privileges", id="privileges"),
        pytest.param({"security_opt": ["no-new-privileges:false"]}, "can gain privileges", id="privileges-on-purpose"),
        pytest.param({"security_opt": ["seccomp=x.json"]}, "can gain privileges", id="another-option"),
        pytest.param({"mem_limit": None}, "has no limit of memory", id="memory"),
        pytest.param({"pids_limit": None}, "has no limit of processes", id="processes"),
        pytest.param({"pids_limit": -1}, "has no limit of processes", id="processes-without-end"),
        pytest.param({"user": "root"}, "runs as root", id="root"),
        pytest.param({"user": "0:0"}, "runs as root", id="root-by-number"),
        pytest.param({"volumes": [{"source": "/run/docker.sock"}]}, "has the engine's socket", id="socket"),
    ],
)
def test_each_lack_is_named(changes: dict[str, Any], hint: str) -> None:
    (said,) = lacking(**changes)
    assert said.startswith(hint)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"mem_limit": None, "deploy": {"resources": {"limits": {"memory": "1"}}}}, id="memory-of-deploy"),
        pytest.param({"pids_limit": None, "deploy": {"resources": {"limits": {"pids": 9}}}}, id="processes-of-deploy"),
        pytest.param({"security_opt": ["no-new-privileges"]}, id="privileges-without-a-value"),
        pytest.param({"security_opt": ["no-new-privileges=true"]}, id="privileges-with-equals"),
        pytest.param({"cap_drop": ["all"]}, id="capabilities-in-small-letters"),
    ],
)
def test_other_ways_to_say_it_count(changes: dict[str, Any]) -> None:
    assert lacking(**changes) == []


def test_the_engine_confines_what_does_not_opt_out() -> None:
    assert lacking(engine_confines=True, security_opt=None) == []
    assert len(lacking(engine_confines=True, security_opt=["no-new-privileges:false"])) == 1


@pytest.mark.parametrize(("user", "count"), [("", 1), ("root", 1), ("0", 1), ("nginx", 0)])
def test_the_image_says_who_runs_where_the_service_does_not(user: str, count: int) -> None:
    assert len(lacking({"web:1": user}, user=None)) == count


def test_of_an_unknown_image_nothing_is_said() -> None:
    assert lacking({}, user=None) == []


def test_of_a_privileged_service_nothing_else_is_said() -> None:
    assert lacking(privileged=True, read_only=None) == ["is privileged: it is root of the host"]
