# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's half: real templating and lookup of files, and a host that only remembers what it was sent."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.task import Task
from ansible.template import Templar, trust_as_template
from ansible_collections.composeops.stack.plugins.action.host_state import ActionModule
from ansible_collections.composeops.stack.plugins.action.program import ActionModule as ProgramAction


class Shell:
    tmpdir = None


class Connection:
    _shell = Shell()
    become = None


class Host:
    """Stands in for the host: keeps the arguments of the one call, and answers like the module."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def execute(self, module_name: str, module_args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        self.calls.append((module_name, module_args))
        return {"changed": False, "invocation": {"module_args": module_args}}


@pytest.fixture
def role(tmp_path: Path) -> Path:
    for name in ("templates", "files"):
        (tmp_path / name).mkdir()
    return tmp_path


def act(
    role: Path, arguments: dict[str, Any], variables: dict[str, Any] | None = None, kind: type = ActionModule
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run the action as for a task of ``role``; return its result and what the host was sent."""
    loader = DataLoader()
    loader.set_basedir(str(role))
    variables = variables or {}
    task = Task()
    task.args = arguments
    task.get_search_path = lambda: [str(role)]
    host = Host()
    action = kind(task, Connection(), None, loader, Templar(loader=loader, variables=variables), None)
    action._execute_module = host.execute
    result = action.run(task_vars=variables)
    ((name, sent),) = host.calls
    assert name == "composeops.stack.host_state"
    return result, sent


def rendered(role: Path, text: str, variables: dict[str, Any] | None = None) -> str:
    (role / "templates/a.j2").write_text(text)
    _, sent = act(role, {"files": [{"path": "/etc/a", "template": "a.j2"}]}, variables)
    (file,) = sent["files"]
    assert set(file) == {"path", "content"}
    return str(file["content"])


RENDERINGS = [
    pytest.param("hello {{ who }}\n", "hello world\n", id="a variable"),
    pytest.param("{{ nested }}\n", "world!\n", id="a variable that is a template itself"),
    pytest.param("a\n{% if who %}\nb\n{% endif %}\nc\n", "a\nb\nc\n", id="blocks leave no empty lines, as in Ansible"),
    pytest.param("a\n\n", "a\n\n", id="final line breaks stay"),
    pytest.param("{{ number }}\n", "3000\n", id="a single expression becomes text"),
    pytest.param("{{ {'a': [1]} | to_json }}\n", '{"a": [1]}\n', id="a filter of Ansible"),
    pytest.param(r"path \\server \1 {{ who }}", r"path \\server \1 world", id="backslashes stay"),
    pytest.param("{{ none }}", "", id="nothing is empty"),
    pytest.param(
        "#jinja2: variable_start_string:'<<', variable_end_string:'>>'\n<< who >> {{ who }}\n",
        "world {{ who }}\n",
        id="header",
    ),
    pytest.param("{{ template_destpath }} {{ ansible_managed }}\n", "/etc/a Managed by Ansible\n", id="its own place"),
]


@pytest.mark.parametrize(("text", "expected"), RENDERINGS)
def test_templates_are_rendered(role: Path, text: str, expected: str) -> None:
    variables = {"who": "world", "nested": trust_as_template("{{ who }}!"), "number": 3000, "none": None}
    assert rendered(role, text, variables) == expected


def test_a_template_finds_its_includes(role: Path) -> None:
    (role / "templates/sub").mkdir()
    (role / "templates/sub/part.j2").write_text("part of {{ who }}")
    (role / "templates/sub/a.j2").write_text("{% include 'part.j2' %}; {% include 'sub/part.j2' %}\n")
    _, sent = act(role, {"files": [{"path": "/a", "template": "sub/a.j2"}]}, {"who": "it"})
    assert sent["files"][0]["content"] == "part of it; part of it\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("{{ nobody }}\n", r"a\.j2 for /etc/a: .*'nobody' is undefined", id="undefined variable"),
        pytest.param("{% if %}\n", r"a\.j2 for /etc/a: ", id="broken template"),
        pytest.param("{{ [1, 2] }}\n", r"a\.j2 for /etc/a is one expression whose value is no text", id="list"),
    ],
)
def test_a_template_that_cannot_be_rendered_is_named_with_its_destination(role: Path, text: str, message: str) -> None:
    with pytest.raises(AnsibleActionFail, match=message):
        rendered(role, text)


def test_everything_else_is_handed_on(role: Path) -> None:
    (role / "templates/a.j2").write_text("a")
    entry = {"path": "/etc/a", "template": "a.j2", "mode": "0600", "sensitive": True, "bogus": 1}
    arguments = {"files": [entry], "packages": ["nginx"], "units": [{"name": "nginx.service"}]}
    result, sent = act(role, arguments)
    assert sent["files"] == [{"path": "/etc/a", "content": "a", "mode": "0600", "sensitive": True, "bogus": 1}]
    assert (sent["packages"], sent["units"]) == (["nginx"], [{"name": "nginx.service"}])
    assert "invocation" not in result


def test_sources_are_copied_as_they_are(role: Path) -> None:
    (role / "files/text").write_text("{{ who }}\r\n", newline="")
    (role / "files/binary").write_bytes(b"\xff\x00")
    _, sent = act(role, {"files": [{"path": "/a", "source": "text"}, {"path": "/b", "source": "binary"}]})
    text, binary = sent["files"]
    assert text == {"path": "/a", "content": "{{ who }}\r\n"}
    assert base64.b64decode(binary["content_base64"]) == b"\xff\x00"


def test_a_tree_brings_its_directories_and_files(role: Path) -> None:
    tree = role / "templates/site"
    (tree / "sub").mkdir(parents=True)
    (tree / "a.conf.j2").write_text("{{ who }}")
    (tree / "sub/raw").write_text("{{ who }}")
    (tree / "sub/run").write_text("#!/bin/sh\n")
    (tree / "sub/run").chmod(0o755)
    arguments = {
        "files": [{"path": "/srv/x", "tree": "site", "mode": "0640"}],
        "directories": [{"path": "/srv/x", "mode": "0700"}],
    }
    _, sent = act(role, arguments, {"who": "me"})
    assert sent["directories"] == [{"path": "/srv/x", "mode": "0700"}, {"path": "/srv/x/sub"}]
    assert sent["files"] == [
        {"path": "/srv/x/a.conf", "content": "me", "mode": "0640"},
        {"path": "/srv/x/sub/raw", "content": "{{ who }}", "mode": "0640"},
        {"path": "/srv/x/sub/run", "content": "#!/bin/sh\n", "mode": "0755"},
    ]


def test_a_tree_is_also_found_among_the_files(role: Path) -> None:
    (role / "files/site").mkdir()
    (role / "files/site/a").write_text("x")
    _, sent = act(role, {"files": [{"path": "/srv", "tree": "site"}]})
    assert sent["files"] == [{"path": "/srv/a", "content": "x"}]


REFUSED = [
    pytest.param({"files": [{"path": "/a", "template": "none.j2"}]}, "none.j2 was not found", id="missing template"),
    pytest.param({"files": [{"path": "/a", "source": "none"}]}, "none was not found", id="missing source"),
    pytest.param({"files": [{"path": "/a", "tree": "none"}]}, "none was not found", id="missing tree"),
    pytest.param({"files": [{"path": "/a", "tree": "a.j2"}]}, "is no directory", id="a file as a tree"),
    pytest.param(
        {"files": [{"path": "/a", "template": "a.j2", "content": "x"}]}, "template and content are given", id="two"
    ),
    pytest.param(
        {"files": [{"path": "/a", "content": {"a": 1}}]}, "content is no text", id="content that is a mapping"
    ),
    pytest.param({"files": [{"path": "/a", "content": "", "mode": 420}]}, "mode is a number", id="unquoted mode"),
    pytest.param({"directories": [{"path": "/a", "mode": 493}]}, "mode is a number", id="unquoted directory mode"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_what_cannot_be_right_ends_before_the_host_is_asked(
    role: Path, arguments: dict[str, Any], message: str
) -> None:
    (role / "templates/a.j2").write_text("a")
    with pytest.raises(AnsibleActionFail, match=message):
        act(role, arguments)


def test_the_program_is_sent_as_one_executable_file(role: Path) -> None:
    result, sent = act(role, {}, kind=ProgramAction)
    (file,) = sent["files"]
    assert (file["path"], file["mode"]) == ("/usr/local/lib/composeops/composeops.pyz", "0755")
    assert base64.b64decode(file["content_base64"]).startswith(b"#!/usr/bin/python3 -I\n")
    assert sent["links"] == [{"path": "/usr/local/bin/composeops", "target": file["path"]}]
    assert result["path"] == "/usr/local/bin/composeops"


def test_the_program_has_no_options(role: Path) -> None:
    with pytest.raises(AnsibleActionFail, match="has no options, and got force"):
        act(role, {"force": True}, kind=ProgramAction)
