# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's half of a deployment: which files are read, and what is refused before a host is asked."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.task import Task
from ansible_collections.composeops.stack.plugins.action.stack import LARGEST, ActionModule, declared_services

COMPOSE = "services:\n  web: {image: web:1}\n  db: {image: db:1}\n"


class Shell:
    tmpdir = None


class Connection:
    _shell = Shell()
    become = None


def act(directory: Path, **arguments: Any) -> dict[str, Any]:
    """Run the action with ``directory`` as the playbook's, and return what the host was sent."""
    loader = DataLoader()
    loader.set_basedir(str(directory))
    task = Task()
    task.args = {"name": "shop", **arguments}
    sent: list[tuple[str, dict[str, Any]]] = []

    def execute(module_name: str, module_args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        sent.append((module_name, module_args))
        return {"changed": False}

    action = ActionModule(task, Connection(), None, loader, None, None)
    action._execute_module = execute
    assert action.run(task_vars={}) == {"changed": False}
    ((name, module_arguments),) = sent
    assert name == "composeops.stack.stack"
    return module_arguments


@pytest.fixture
def system(tmp_path: Path) -> Path:
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    (tmp_path / "files" / "bin").mkdir(parents=True)
    (tmp_path / "files" / "app.conf").write_bytes(b"\xff binary")
    (tmp_path / "files" / "bin" / "hook.sh").write_text("#!/bin/sh\n")
    (tmp_path / "files" / "bin" / "hook.sh").chmod(0o755)
    return tmp_path


def test_everything_goes_in_one_call(system: Path) -> None:
    sent = act(system, compose_file="compose.yaml", files_directory="files", environment={"A": "b"})
    assert sent["compose"] == COMPOSE
    assert sent["source"] == "compose.yaml"
    assert sent["declared_services"] == ["db", "web"]
    assert sent["environment"] == {"A": "b"}
    assert sent["files"] == [
        {"path": "files/app.conf", "content": base64.b64encode(b"\xff binary").decode(), "executable": False},
        {"path": "files/bin/hook.sh", "content": base64.b64encode(b"#!/bin/sh\n").decode(), "executable": True},
    ]
    assert not {"compose_file", "files_directory"} & set(sent)


def test_absolute_paths(system: Path) -> None:
    sent = act(Path("/"), compose_file=str(system / "compose.yaml"), files_directory=str(system / "files"))
    assert [entry["path"] for entry in sent["files"]] == ["files/app.conf", "files/bin/hook.sh"]


def test_a_symbolic_link_in_the_middle_of_a_path(system: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    link = tmp_path_factory.mktemp("link") / "system"
    link.symlink_to(system)
    sent = act(Path("/"), compose_file=str(link / "compose.yaml"), files_directory=str(link / "files"))
    assert [entry["path"] for entry in sent["files"]] == ["files/app.conf", "files/bin/hook.sh"]


def test_the_directory_of_the_compose_file_itself(system: Path) -> None:
    sent = act(system, compose_file="compose.yaml", files_directory=".")
    assert [entry["path"] for entry in sent["files"]] == ["files/app.conf", "files/bin/hook.sh"]


def test_what_editors_and_tools_leave_behind_stays_here(system: Path) -> None:
    for name in ("app.conf~", ".app.conf.swp", ".DS_Store"):
        (system / "files" / name).write_text("x")
    (system / "files" / ".git").mkdir()
    (system / "files" / ".git" / "config").write_text("x")
    sent = act(system, compose_file="compose.yaml", files_directory="files")
    assert [entry["path"] for entry in sent["files"]] == ["files/app.conf", "files/bin/hook.sh"]


@pytest.mark.parametrize("wanted", ["stopped", "restarted", "absent"])
def test_other_states_read_no_files(tmp_path: Path, wanted: str) -> None:
    sent = act(tmp_path, state=wanted, compose_file="gone.yaml", files_directory="gone")
    assert sent == {"name": "shop", "state": wanted}


def refused(directory: Path, **arguments: Any) -> str:
    with pytest.raises(AnsibleActionFail) as raised:
        act(directory, **arguments)
    return str(raised.value)


def test_a_missing_compose_file_is_named(tmp_path: Path) -> None:
    assert f"{tmp_path}/gone.yaml cannot be read on the controller" in refused(tmp_path, compose_file="gone.yaml")


def test_a_missing_directory_is_named(system: Path) -> None:
    assert "is not a directory" in refused(system, compose_file="compose.yaml", files_directory="gone")


def test_files_from_elsewhere_are_refused(system: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    assert "is not below" in refused(system, compose_file="compose.yaml", files_directory=str(other))


def test_the_variables_of_an_inventory_never_travel(system: Path) -> None:
    (system / "group_vars").mkdir()
    assert "has group_vars in it" in refused(system, compose_file="compose.yaml", files_directory=".")


def test_too_large_files_are_refused(system: Path) -> None:
    with (system / "files" / "dump.sql").open("wb") as stream:
        stream.truncate(LARGEST + 1)
    assert "at most 16 MiB travel" in refused(system, compose_file="compose.yaml", files_directory="files")


NO_COMPOSE_FILE = {
    "broken YAML, with its line": ("services:\n  web: [\n", "compose.yaml is not valid YAML: .* line 3"),
    "no services": ("volumes: {}\n", "compose.yaml declares no services"),
    "a list": ("- web\n", "compose.yaml declares no services"),
    "empty": ("", "compose.yaml declares no services"),
}


@pytest.mark.parametrize(("text", "said"), NO_COMPOSE_FILE.values(), ids=NO_COMPOSE_FILE.keys())
def test_what_is_no_compose_file_is_refused(text: str, said: str) -> None:
    with pytest.raises(AnsibleActionFail, match=said):
        declared_services(text, "compose.yaml")


def test_tags_and_anchors_of_compose_are_understood() -> None:
    text = "x-a: &a {image: web:1}\nservices:\n  web: {<<: *a, ports: !reset [], environment: !override {A: b}}\n"
    assert declared_services(text, "compose.yaml") == ["web"]


def test_what_the_compose_file_is_made_of_comes_along(system: Path) -> None:
    (system / "compose.yaml").write_text("services: {web: {image: a, env_file: [web.env, files/app.conf]}}")
    (system / "web.env").write_text("A=1")
    (system / ".env").write_text("B=2")
    (system / "unrelated").write_text("x")
    sent = act(system, compose_file="compose.yaml", files_directory="files")
    paths = ["files/app.conf", "files/bin/hook.sh", ".env", "web.env"]
    assert [entry["path"] for entry in sent["files"]] == paths
    assert [entry["path"] for entry in act(system, compose_file="compose.yaml")["files"]] == [
        ".env",
        "web.env",
        "files/app.conf",
    ]


def test_a_file_that_is_missing_is_refused_with_its_line(system: Path) -> None:
    (system / "compose.yaml").write_text("services:\n  web:\n    env_file: gone.env\n")
    assert "compose.yaml line 3 names gone.env under env_file" in refused(system, compose_file="compose.yaml")


def test_a_file_of_includes_alone_is_a_compose_file() -> None:
    assert declared_services("include: [a.yaml]", "compose.yaml") == []


def test_what_compose_would_have_read_too_is_said_in_the_plan(system: Path) -> None:
    (system / "compose.override.yaml").write_text("services: {}")
    (system / ".env").write_text("COMPOSE_FILE=other.yaml\nTAG=1\n")
    assert planned(system, changed=True) == [
        "create web",
        "compose.override.yaml beside compose.yaml is not read; include it in compose.yaml where it is meant",
        ".env beside compose.yaml has COMPOSE_FILE, which is not followed; compose.yaml is what runs",
        ".env beside compose.yaml gives TAG, where the stack does not",
    ]
    assert planned(system, changed=False) == ["create web"]


def planned(directory: Path, *, changed: bool) -> list[str]:
    """Return the plan of a run in which the host plans to create one service."""
    loader = DataLoader()
    loader.set_basedir(str(directory))
    task = Task()
    task.args = {"name": "shop", "compose_file": "compose.yaml"}
    action = ActionModule(task, Connection(), None, loader, None, None)
    action._execute_module = lambda **_arguments: {"changed": changed, "plan": ["create web"]}
    return list(action.run(task_vars={})["plan"])
