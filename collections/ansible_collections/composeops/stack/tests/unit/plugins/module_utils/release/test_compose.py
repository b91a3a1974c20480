# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import CommandError, ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.release.compose import Compose
from ansible_collections.composeops.stack.tests.unit.support.recorded import RecordedRunner

# Standard error of docker compose 2.26.1.
UNSET = (
    'time="2026-11-22T04:21:35Z" level=warning'
    ' msg="The \\"{name}\\" variable is not set. Defaulting to a blank string."\n'
)


def compose(returncode: int = 0, stdout: str = "", stderr: str = "") -> tuple[Compose, RecordedRunner]:
    runner = RecordedRunner(lambda argv: (returncode, stdout, stderr))
    return Compose(runner, "shop", "/var/lib/composeops/stacks/shop"), runner


def test_canonicalises_without_resolving_paths_and_with_the_values_in_the_environment_only() -> None:
    adapter, runner = compose(stdout=json.dumps({"services": {}}))
    assert adapter.canonical("services: {}", "compose.yaml", "/aside", {"A": "b"}) == {"services": {}}
    assert [" ".join(call) for call in runner.calls] == [
        "docker compose --project-name shop --project-directory /aside --file - config --format json"
        " --no-path-resolution"
    ]
    assert runner.environments == [{"A": "b"}]


INVALID = {
    "a syntax error, with its line": (
        "yaml: line 15: did not find expected ',' or ']'\n",
        "compose.yaml is not a valid compose file: yaml: line 15: did not find expected ',' or ']'.",
    ),
    "a wrong type, without the warnings before it": (
        UNSET.format(name="X") + "error while interpolating services.a.cpus: failed to cast\n",
        "compose.yaml is not a valid compose file: error while interpolating services.a.cpus: failed to cast.",
    ),
    "a required variable": (
        "error while interpolating services.a.image: required variable TAG is missing a value: no tag\n",
        "required variable TAG is missing a value: no tag. Correct it, or define the variable it names",
    ),
    "nothing said": ("", "it gave no reason"),
}


@pytest.mark.parametrize(("stderr", "said"), INVALID.values(), ids=INVALID.keys())
def test_says_what_is_wrong_with_a_compose_file(stderr: str, said: str) -> None:
    adapter, _ = compose(15, stderr=stderr)
    with pytest.raises(InvalidInput) as raised:
        adapter.canonical("", "compose.yaml", "/aside", {})
    assert said in str(raised.value)


def test_a_variable_without_a_value_is_an_error_and_every_one_is_named_once() -> None:
    stderr = UNSET.format(name="DB_NMAE") + UNSET.format(name="A") + UNSET.format(name="A")
    adapter, _ = compose(stdout="{}", stderr=stderr)
    with pytest.raises(InvalidInput, match=r"compose\.yaml uses A, DB_NMAE, which the stack does not define"):
        adapter.canonical("", "compose.yaml", "/aside", {})


MISSING = {
    "no docker": (127, "docker: not found"),
    "no compose plugin, Docker 26": (1, "docker: 'compose' is not a docker command.\nSee 'docker --help'\n"),
    "no compose plugin, Docker 28": (1, "docker: unknown command: docker compose\n"),
}


@pytest.mark.parametrize(("returncode", "stderr"), MISSING.values(), ids=MISSING.keys())
def test_a_missing_plugin_is_named(returncode: int, stderr: str) -> None:
    adapter, _ = compose(returncode, stderr=stderr)
    with pytest.raises(ComposeOpsError, match="docker compose is not installed on this host"):
        adapter.validate("/aside")


def test_a_rendering_that_compose_refuses_is_our_fault() -> None:
    adapter, _ = compose(15, stderr="services.a.ports.0.target must be a integer\n")
    with pytest.raises(ComposeOpsError, match="This is a fault of the collection"):
        adapter.validate("/aside")


def test_starts_exactly_what_it_is_told_and_pulls_and_builds_nothing(tmp_path: Path) -> None:
    (tmp_path / "compose.json").write_text("{}")
    runner = RecordedRunner()
    Compose(runner, "shop", str(tmp_path)).up(["web", "db"], 60)
    assert [" ".join(call) for call in runner.calls] == [
        f"docker compose --project-name shop --progress plain --project-directory {tmp_path}"
        f" --file {tmp_path}/compose.json --env-file {tmp_path}/environment"
        " up --detach --no-deps --no-build --pull never web db"
    ]


def test_pet_11_removing_keeps_volumes() -> None:
    adapter, runner = compose()
    adapter.down(60)
    assert runner.calls == [
        ["docker", "compose", "--project-name", "shop", "--progress", "plain", "down", "--remove-orphans"]
    ]
    assert not [word for call in runner.calls for word in call if word in ("-v", "--volumes")]


def test_a_failure_is_told_without_the_progress_around_it() -> None:
    stderr = (
        " Container shop-db-1  Running\n Network shop_net  Creating\n Container shop-web-1  Starting\n"
        "Error response from daemon: driver failed programming external connectivity: port is already allocated\n"
    )
    adapter, _ = compose(1, stderr=stderr)
    with pytest.raises(CommandError) as raised:
        adapter.up(["web"], 60)
    assert str(raised.value) == (
        "docker compose up of stack shop failed: Error response from daemon: driver failed programming external"
        " connectivity: port is already allocated"
    )
