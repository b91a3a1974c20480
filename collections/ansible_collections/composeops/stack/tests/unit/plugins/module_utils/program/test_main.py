# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import argparse
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.program import main as program


def domain(handler: Callable[[argparse.Namespace], int]) -> ModuleType:
    """Return a domain's commands: one, `greet`, that is handled by ``handler``."""
    module = ModuleType("commands")

    def register(subparsers: Any) -> None:
        parser = subparsers.add_parser("greet", help="say hello")
        parser.add_argument("name")
        parser.set_defaults(handler=handler)

    module.register = register  # type: ignore[attr-defined]
    return module


@pytest.fixture
def with_domain(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[argparse.Namespace], int]], None]:
    def install(handler: Callable[[argparse.Namespace], int]) -> None:
        monkeypatch.setattr(program, "DOMAINS", {"greeting": ("greet",)})
        monkeypatch.setattr(program.importlib, "import_module", lambda name: domain(handler))

    return install


Install = Callable[[Callable[[argparse.Namespace], int]], None]


def test_a_commands_status_is_the_programs(with_domain: Install, capsys: pytest.CaptureFixture[str]) -> None:
    def handler(arguments: argparse.Namespace) -> int:
        print(f"hello {arguments.name}")
        return 3

    with_domain(handler)
    assert program.main(["greet", "ana"]) == 3
    assert capsys.readouterr().out == "hello ana\n"


def test_an_error_is_one_line_on_standard_error(with_domain: Install, capsys: pytest.CaptureFixture[str]) -> None:
    def handler(_arguments: argparse.Namespace) -> int:
        raise ComposeOpsError("No such stack.", "Deploy it.")

    with_domain(handler)
    assert program.main(["greet", "ana"]) == 1
    assert capsys.readouterr().err == "composeops: No such stack. Deploy it.\n"


def test_an_interrupted_command_says_so_by_its_status(with_domain: Install) -> None:
    def handler(_arguments: argparse.Namespace) -> int:
        raise KeyboardInterrupt

    with_domain(handler)
    assert program.main(["greet", "ana"]) == 130


@pytest.mark.parametrize("argv", [[], ["no-such-command"]])
def test_wrong_usage_is_status_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        program.main(argv)
    assert raised.value.code == 2
    assert "usage: composeops" in capsys.readouterr().err


def commands(parser: argparse.ArgumentParser) -> list[str]:
    (subparsers,) = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return list(subparsers.choices)


@pytest.mark.parametrize("domain", program.DOMAINS)
def test_a_command_needs_no_other_domain(domain: str) -> None:
    for command in program.DOMAINS[domain]:
        assert commands(program.parser(command)) == list(program.DOMAINS[domain])


@pytest.mark.parametrize("word", ["", "--help", "no-such-command"])
def test_help_shows_every_command(word: str) -> None:
    assert commands(program.parser(word)) == [name for names in program.DOMAINS.values() for name in names]


def test_every_command_has_a_handler() -> None:
    top = program.parser()

    def leaves(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
        below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
        return [leaf for action in below for child in action.choices.values() for leaf in leaves(child)] or [parser]

    assert [leaf.prog for leaf in leaves(top) if leaf.get_default("handler") is None] == []
