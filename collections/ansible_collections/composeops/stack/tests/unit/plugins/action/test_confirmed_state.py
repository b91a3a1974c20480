# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's half: what is asked of the host over which connection, and what the operator is told."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.task import Task
from ansible.template import Templar
from ansible_collections.composeops.stack.plugins.action import confirmed_state
from ansible_collections.composeops.stack.plugins.action.confirmed_state import ActionModule

USUAL = "-o ControlMaster=auto -o ControlPersist=60s"
MADE = {"changed": True, "plan": ["change /etc/sshd", "restart ssh.service"]}
UNDONE = {"changed": True, "undone": ["change /etc/sshd"]}
LOST = AnsibleConnectionFailure("Permission denied (publickey).")


class Shell:
    tmpdir = None


class Connection:
    _shell = Shell()
    become = None

    def __init__(self, transport: str) -> None:
        self.transport = transport
        self.options = {"ssh_args": USUAL}

    def get_option(self, name: str) -> Any:
        return self.options[name]

    def set_option(self, name: str, value: Any) -> None:
        self.options[name] = value


class Host:
    """Answers each step as it is told to, and notes with which options of ssh it was reached."""

    def __init__(self, connection: Connection, **answers: Any) -> None:
        self.connection = connection
        self.answers = {"apply": [MADE], "confirm": [{"changed": True}], "undo": [UNDONE], **answers}
        self.calls: list[tuple[str, str]] = []

    def execute(self, module_name: str, module_args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        step = module_args.get("step", "apply")
        self.calls.append((step, self.connection.options["ssh_args"]))
        answers = self.answers[step]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)


def act(*, transport: str = "ssh", check: bool = False, **answers: Any) -> tuple[dict[str, Any], Host, Connection]:
    loader = DataLoader()
    task = Task()
    task.args = {"files": [{"path": "/etc/sshd", "content": "Port 22\n"}]}
    task.check_mode = check
    task.get_search_path = list
    connection = Connection(transport)
    host = Host(connection, **answers)
    action = ActionModule(task, connection, None, loader, Templar(loader=loader, variables={}), None)
    action._execute_module = host.execute
    return action.run(task_vars={}), host, connection


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confirmed_state, "BETWEEN_TRIES", 0.0)


def test_a_change_is_confirmed_past_the_connection_that_is_open() -> None:
    result, host, connection = act()
    assert result == {**MADE, "confirmed": True}
    assert host.calls == [("apply", USUAL), ("confirm", f"-o ControlMaster=no -o ControlPath=none {USUAL}")]
    assert connection.options["ssh_args"] == USUAL


@pytest.mark.parametrize(
    ("answer", "check"),
    [({"changed": False, "plan": []}, False), (MADE, True), ({"failed": True, "msg": "refused"}, False)],
    ids=["nothing-to-do", "check-mode", "failed"],
)
def test_what_was_not_made_is_not_confirmed(answer: dict[str, Any], check: bool) -> None:
    result, host, _ = act(check=check, apply=[answer])
    assert result == answer
    assert [step for step, _ in host.calls] == ["apply"]


def test_what_cannot_be_reached_any_more_is_undone_over_the_open_connection() -> None:
    result, host, connection = act(confirm=[LOST])
    assert (result["failed"], result["changed"], result["undone"]) == (True, False, UNDONE["undone"])
    assert result["msg"] == (
        "Not kept: change /etc/sshd, restart ssh.service. The reason: a new connection to the host failed: "
        "Permission denied (publickey). What was there before is back. Correct what is declared, then run again."
    )
    assert host.calls[-1] == ("undo", USUAL)
    assert connection.options["ssh_args"] == USUAL


def test_a_confirmation_that_comes_too_late_is_a_failure() -> None:
    late = {"failed": True, "msg": "The change was not confirmed in time, and what was there before is back."}
    result, _, _ = act(confirm=[late], undo=[{"changed": False, "undone": []}])
    assert (result["failed"], result["changed"]) == (True, False)
    assert "not confirmed in time" in result["msg"]


def test_without_an_open_connection_the_host_is_waited_for() -> None:
    result, host, _ = act(confirm=[LOST], undo=[LOST, LOST, {"changed": False, "undone": []}])
    assert [step for step, _ in host.calls] == ["apply", "confirm", "undo", "undo", "undo"]
    assert "What was there before is back." in result["msg"]


def test_a_host_that_stays_away_is_said_to(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10_000, 50))
    monkeypatch.setattr(confirmed_state.time, "monotonic", lambda: next(clock))
    result, _, _ = act(confirm=[LOST], undo=[LOST])
    assert (result["failed"], result["changed"]) == (True, True)
    assert "use its console" in result["msg"]


def test_what_does_not_come_by_ssh_proves_nothing_and_says_so() -> None:
    result, host, _ = act(transport="local")
    assert result["confirmed"] is True
    assert result["warnings"] == ["The host is reached by local, so nobody knows whether ssh still reaches it."]
    assert host.calls == [("apply", USUAL), ("confirm", USUAL)]
