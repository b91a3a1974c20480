# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""`docker compose` as functions; everything it is asked goes through files and the runner, never a shell."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.errors import CommandError, ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import NOT_FOUND, Completed, Runner
from ansible_collections.composeops.stack.plugins.module_utils.release import lines
from ansible_collections.composeops.stack.plugins.module_utils.release.paths import relative

COMPOSE_FILE = "compose.json"
ENVIRONMENT_FILE = "environment"

CONFIG_TIMEOUT = 60.0
_ALWAYS_KEPT = ("DOCKER_", "HOME", "PATH")
"""Variables of this process that docker itself needs."""
_UNSET = re.compile(r'The \\?"(\w+)\\?" variable is not set')
_LOG_LINE = re.compile(r'^time="[^"]*" level=(\w+) msg="(.*)"$')


class Compose:
    """The compose project of one stack, whose files are in one directory."""

    def __init__(self, runner: Runner, project: str, directory: str) -> None:
        self._runner = runner
        self._project = project
        self._directory = directory

    def canonical(self, text: str, source: str, directory: str, environment: Mapping[str, str]) -> dict[str, Any]:
        """Return a compose file as compose understands it, with ``environment`` interpolated and paths as written.

        ``directory`` holds the files that it refers to, and is in a directory of its own; ``source`` names it in
        messages.
        """
        read = ["--project-directory", directory, "--file", "-", "config", "--format", "json"]
        completed = self._config(read, stdin=text, environment=environment, directory=directory)
        said = _readable(completed.stderr).replace(f"{directory}/", "").replace("validating -: ", "")
        if not completed.ok:
            line = lines.line_of_complaint(text, said)
            raise InvalidInput(
                f"{source} is not a valid compose file{f', line {line}' if line else ''}: {said}.", _remedy(said)
            )
        unset = sorted(set(_UNSET.findall(completed.stderr)))
        if unset:
            found = {name: lines.line_of_variable(text, name) for name in unset}
            where = [f"{name} (line {line})" if line else name for name, line in found.items()]
            raise InvalidInput(
                f"{source} uses {', '.join(where)}, which the stack does not define.",
                "Add each to the stack's environment, or to its secrets; write ${NAME:-} where empty is right.",
            )
        resolved = json.loads(completed.stdout)
        # It fails on files next to one that is included; then there is no other way to write their paths.
        as_written = self._config(
            [*read, "--no-path-resolution"], stdin=text, environment=environment, directory=directory
        )
        written = json.loads(as_written.stdout) if as_written.ok else None
        return _with_zeroes(dict(relative(resolved, written, directory)))

    def existing(self, kind: str) -> set[str]:
        """Return the names of the networks, or of the volumes, that this host has."""
        return set(self._runner.run(["docker", kind, "ls", "--format", "{{.Name}}"]).stdout.split())

    def validate(self, directory: str) -> None:
        """Check the rendered compose file in ``directory`` with the environment file beside it."""
        completed = self._config([*self._files(directory), "config", "--quiet"])
        if not completed.ok:
            raise ComposeOpsError(
                f"The compose file rendered for stack {self._project} is not valid: {_readable(completed.stderr)}.",
                "Nothing was changed. This is a fault of the collection; report it with the compose file.",
            )

    def up(self, services: Sequence[str], timeout: float) -> None:
        """Create or recreate and start exactly these services; their images are there already."""
        self._act(["up", "--detach", "--no-deps", "--no-build", "--pull", "never", *services], timeout)

    def run_once(self, service: str, command: Sequence[str], timeout: float) -> None:
        """Run a command in a new container of a service, which is removed afterwards."""
        self._act(["run", "--rm", "--no-deps", "--no-TTY", service, *command], timeout)

    def stop(self, services: Sequence[str], timeout: float) -> None:
        """Stop these services, or all; their containers stay."""
        self._act(["stop", *services], timeout)

    def start(self, services: Sequence[str], timeout: float) -> None:
        """Start stopped containers of these services again."""
        self._act(["start", *services], timeout)

    def restart(self, services: Sequence[str], timeout: float) -> None:
        """Restart these services, or all."""
        self._act(["restart", *services], timeout)

    def down(self, timeout: float) -> None:
        """Remove containers and networks of the project by its name alone; volumes stay."""
        self._run(["down", "--remove-orphans"], timeout)

    def _files(self, directory: str) -> list[str]:
        return [
            "--project-directory",
            directory,
            "--file",
            os.path.join(directory, COMPOSE_FILE),
            "--env-file",
            os.path.join(directory, ENVIRONMENT_FILE),
        ]

    def _config(
        self,
        arguments: Sequence[str],
        *,
        stdin: str | None = None,
        environment: Mapping[str, str] | None = None,
        directory: str | None = None,
    ) -> Completed:
        completed = self._runner.run(
            [
                *_without(stdin or "", environment or {}),
                "docker",
                "compose",
                "--project-name",
                self._project,
                *arguments,
            ],
            stdin=stdin,
            environment=environment,
            directory=directory,
            timeout=CONFIG_TIMEOUT,
            check=False,
        )
        missing = completed.returncode == NOT_FOUND or "not a docker command" in completed.stderr
        if missing or "unknown command: docker compose" in completed.stderr:
            raise ComposeOpsError(
                "docker compose is not installed on this host.", "Run playbooks/provision.yml, which installs it."
            )
        return completed

    def _act(self, arguments: Sequence[str], timeout: float) -> None:
        # With the files where they are known: compose takes stop time-outs and the order from them.
        known = os.path.exists(os.path.join(self._directory, COMPOSE_FILE))
        self._run([*(self._files(self._directory) if known else []), *arguments], timeout)

    def _run(self, arguments: Sequence[str], timeout: float) -> None:
        argv = ["docker", "compose", "--project-name", self._project, "--progress", "plain", *arguments]
        completed = self._runner.run(argv, timeout=timeout, check=False)
        if not completed.ok:
            action = next(word for word in arguments if word in ("up", "run", "start", "stop", "restart", "down"))
            raise CommandError(
                f"docker compose {action} of stack {self._project} failed: {_readable(completed.stderr)}",
                returncode=completed.returncode,
                stderr=completed.stderr,
            )


def _with_zeroes(document: dict[str, Any]) -> dict[str, Any]:
    """Return what compose said with the limits of 0 that it leaves out of JSON, and misses when it reads that."""
    for definition in (document.get("services") or {}).values():
        for name, limit in (definition.get("ulimits") or {}).items():
            if isinstance(limit, dict):
                definition["ulimits"][name] = {"soft": 0, "hard": 0, **limit}
    return document


def _without(text: str, environment: Mapping[str, str]) -> list[str]:
    """Return what keeps variables of this process from a compose file that names them: they are nobody's values."""
    foreign = [
        name
        for name in sorted(os.environ)
        if name not in environment and not name.startswith(_ALWAYS_KEPT) and re.search(rf"\b{re.escape(name)}\b", text)
    ]
    return ["env", *(word for name in foreign for word in ("-u", name))] if foreign else []


def _remedy(said: str) -> str:
    """Return what to do about a complaint of compose."""
    if "no such file" in said:
        return (
            "Put the file beside the compose file, or below it, and name it as it is called from there; an env_file may"
            " be `{path: ..., required: false}`."
        )
    if "depends on undefined service" in said:
        return (
            "Declare the service. Where it has a profile, activate that with COMPOSE_PROFILES in the stack's"
            " environment, or write `{condition: ..., required: false}`."
        )
    if "Additional property" in said:
        return "Correct the name of the key or leave it out; keys that begin with x- may be anything."
    return (
        "Correct it, or define the variable it names under the stack's environment or secrets;"
        " `docker compose config` says the same."
    )


def _readable(stderr: str) -> str:
    """Return what compose complained about, without its progress and log decoration."""
    said = []
    for line in stderr.splitlines():
        log = _LOG_LINE.match(line.strip())
        if log and log.group(1) in ("warning", "info", "debug"):
            continue
        text = log.group(2) if log else line.strip()
        if text and not re.match(r"(Container|Network|Volume) \S+ +\w+$", text.replace('"', "")):
            said.append(text)
    return " ".join(said).rstrip(".") or "it gave no reason"
