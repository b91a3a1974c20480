# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from collections.abc import Sequence
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


def test_reads_what_is_resolved_and_what_is_written_with_the_values_in_the_environment_only() -> None:
    adapter, runner = compose(stdout=json.dumps({"services": {}}))
    assert adapter.canonical("services: {}", "compose.yaml", "/aside", {"A": "b"}) == {"services": {}}
    read = "docker compose --project-name shop --project-directory /aside --file - config --format json"
    assert [" ".join(call) for call in runner.calls] == [read, f"{read} --no-path-resolution"]
    assert runner.environments == [{"A": "b"}, {"A": "b"}]


@pytest.mark.parametrize("readable", [True, False], ids=["as written", "not readable without resolving"])
def test_a_path_that_an_included_file_says_is_where_that_file_is(readable: bool) -> None:
    def answer(argv: Sequence[str]) -> tuple[int, str, str]:
        if "--no-path-resolution" in argv:
            return 0 if readable else 14, json.dumps({"file": "./data"}), "env file sub/a.env not found"
        return 0, json.dumps({"file": "/tmp/x/stack/sub/data"}), ""

    adapter = Compose(RecordedRunner(answer), "shop", "/stacks/shop")
    assert adapter.canonical("", "compose.yaml", "/tmp/x/stack", {}) == {"file": "./sub/data"}


def test_a_limit_of_nothing_is_not_lost() -> None:
    limits = {"core": {}, "nproc": {"hard": 5}, "memlock": -1}
    adapter, _ = compose(stdout=json.dumps({"services": {"web": {"ulimits": limits}, "db": {}}}))
    found = adapter.canonical("", "compose.yaml", "/aside", {})["services"]["web"]["ulimits"]
    assert found == {"core": {"soft": 0, "hard": 0}, "nproc": {"soft": 0, "hard": 5}, "memlock": -1}


def test_a_variable_of_this_process_is_no_value_of_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PWD", "SHELL", "GIVEN"):
        monkeypatch.setenv(name, "leaked")
    adapter, runner = compose(stdout="{}")
    adapter.canonical("volumes: [$PWD/a, ${SHELL:-b}, $GIVEN]", "compose.yaml", "/aside", {"GIVEN": "x"})
    assert runner.calls[0][:6] == ["env", "-u", "PWD", "-u", "SHELL", "docker"]


def test_a_complaint_has_the_line_and_no_path_of_ours() -> None:
    adapter, _ = compose(15, stderr="validating -: services.web Additional property imagee is not allowed\n")
    with pytest.raises(InvalidInput) as raised:
        adapter.canonical("services:\n  web:\n    imagee: a\n", "compose.yaml", "/aside", {})
    assert str(raised.value) == (
        "compose.yaml is not a valid compose file, line 3: services.web Additional property imagee is not allowed."
        " Correct the name of the key or leave it out; keys that begin with x- may be anything."
    )
    adapter, _ = compose(14, stderr="env file /aside/x.env not found: stat /aside/x.env: no such file or directory\n")
    with pytest.raises(InvalidInput, match=r"env file x\.env not found.*Put the file beside the compose file"):
        adapter.canonical("", "compose.yaml", "/aside", {})


def test_a_service_of_an_inactive_profile_is_explained() -> None:
    said = 'service "web" depends on undefined service "api": invalid compose project'
    adapter, _ = compose(15, stderr=said)
    with pytest.raises(InvalidInput, match="activate that with COMPOSE_PROFILES in the stack's environment"):
        adapter.canonical("", "compose.yaml", "/aside", {})


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
    with pytest.raises(InvalidInput, match=r"uses A \(line 2\), DB_NMAE, which"):
        adapter.canonical("services:\n  web: {image: $A}", "compose.yaml", "/aside", {})


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


def test_a_command_is_run_once_with_options_that_compose_2_26_knows(tmp_path: Path) -> None:
    runner = RecordedRunner()
    Compose(runner, "shop", str(tmp_path)).run_once("web", ["migrate", "--all"], 60)
    (call,) = runner.calls
    assert list(call[call.index("run") :]) == ["run", "--rm", "--no-deps", "--no-TTY", "web", "migrate", "--all"]
