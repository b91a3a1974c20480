"""The controller's half of a preflight: what of the compose files reaches the module, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible_collections.composeops.stack.plugins.action.preflight import ActionModule


@pytest.fixture
def action(tmp_path: Path) -> ActionModule:
    loader = DataLoader()
    loader.set_basedir(str(tmp_path))
    return ActionModule(
        task=SimpleNamespace(args={}, async_val=0, _role=None),
        connection=SimpleNamespace(_shell=SimpleNamespace()),
        play_context=SimpleNamespace(),
        loader=loader,
        templar=None,
        shared_loader_obj=None,
    )


def definition(tmp_path: Path, text: str, **more: Any) -> dict[str, Any]:
    (tmp_path / "compose.yaml").write_text(text)
    return {"name": "shop", "compose_file": "compose.yaml", "port_base": 21000, **more}


def test_text_source_and_images_are_handed_on_and_the_rest_is_left_to_the_role(
    action: ActionModule, tmp_path: Path
) -> None:
    text = "services: {web: {image: 'shop/web:${VERSION}'}}\n"
    given = definition(tmp_path, text, environment={"VERSION": 1.5}, secrets=[{"name": "A"}])
    stacks, problems = action._stacks([given])
    assert problems == []
    assert stacks == [
        {
            "name": "shop",
            "environment": {"VERSION": 1.5},
            "secrets": [{"name": "A"}],
            "source": str(tmp_path / "compose.yaml"),
            "compose": text,
            "images": ["shop/web:1.5"],
        }
    ]


def test_file_that_is_no_yaml_is_named_with_its_line(action: ActionModule, tmp_path: Path) -> None:
    stacks, (problem,) = action._stacks([definition(tmp_path, "services:\n  web: [\n")])
    assert stacks == []
    assert problem.subject == "compose"
    assert problem.message.startswith(f"stack shop: {tmp_path}/compose.yaml, line 3: ")


def test_file_that_is_not_there_is_named(action: ActionModule, tmp_path: Path) -> None:
    _stacks, (problem,) = action._stacks([{"name": "shop", "compose_file": "nowhere.yaml"}])
    assert f"{tmp_path}/nowhere.yaml" in problem.message


def test_faults_of_the_file_are_problems(action: ActionModule, tmp_path: Path) -> None:
    _stacks, (problem,) = action._stacks([definition(tmp_path, "services: {web: {command: x}}\n")])
    assert "service web has neither image nor build" in problem.message


def test_tags_of_compose_are_read(action: ActionModule, tmp_path: Path) -> None:
    text = "services: {web: {image: a, ports: !reset [], labels: !override {a: b}, command: !x y}}\n"
    assert action._stacks([definition(tmp_path, text)])[1] == []


@pytest.mark.parametrize("definitions", ["text", [1], [{"name": "shop"}], None])
def test_definitions_of_another_shape_are_left_to_the_specification(action: ActionModule, definitions: Any) -> None:
    assert action._stacks(definitions) == ([], [])


def test_values_beside_the_compose_file_count_and_those_of_the_stack_win(action: ActionModule, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("VERSION=1\nNAME=web\n")
    text = "services: {web: {image: 'shop/${NAME}:${VERSION}'}}\n"
    ((stack,), problems) = action._stacks([definition(tmp_path, text, environment={"VERSION": "2"})])
    assert problems == []
    assert stack["images"] == ["shop/web:2"]
    assert stack["environment"] == {"VERSION": "2", "NAME": "web"}


CHECK = {"name": "api", "type": "tcp", "host": "h", "port": 1}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param(None, None, id="no-monitor"),
        pytest.param({"checks": [CHECK], "interval": 30, "rules": [{"check": "api"}]}, None, id="right"),
        pytest.param(
            {"checks": [CHECK], "rules": [{"check": "ap"}]}, "rule 1 is for the check 'ap'", id="unknown-check"
        ),
        pytest.param(
            {"checks": [CHECK], "webhooks": [{"name": "ops", "url": "secret place"}]}, "its URL is not one", id="url"
        ),
    ],
)
def test_rules_of_the_monitor_are_read_before_anything_is_done(
    action: ActionModule, content: Any, told: str | None
) -> None:
    problems = action._monitor(content)
    assert [problem.subject for problem in problems] == ["monitor"] * bool(told)
    assert all(str(told) in problem.message and "secret" not in problem.message for problem in problems)
