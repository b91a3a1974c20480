# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads the compose file and its accompanying files on the controller, so that a deployment is one module call."""

from __future__ import annotations

import base64
import os
from collections.abc import Collection
from typing import Any

import yaml
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.composeops.stack.plugins.module_utils.preflight.compose import dotenv
from ansible_collections.composeops.stack.plugins.plugin_utils.compose_files import (
    Companions,
    ComposeFileProblem,
    ComposeLoader,
    override_beside,
)

LARGEST = 16 * 1024 * 1024
"""Bytes of accompanying files: they travel with every call."""
LEFT_OUT = frozenset({".git", "__pycache__", ".DS_Store"})


class ActionModule(ActionBase):
    """Fills in ``compose``, ``files`` and ``declared_services`` and hands on to the module of the same name."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        compose_file = arguments.pop("compose_file", None)
        directory = arguments.pop("files_directory", None)
        notes: list[str] = []
        if compose_file and arguments.get("state", "present") in ("present", "data"):
            path = self._loader.path_dwim(str(compose_file))
            text = self._read(path).decode("utf-8", "replace")
            arguments["compose"] = text
            arguments["source"] = os.path.basename(path)
            arguments["declared_services"] = declared_services(text, str(compose_file))
            files = self._files(path, self._loader.path_dwim(str(directory))) if directory else []
            files += self._companions(path, arguments.get("environment") or {}, {entry["path"] for entry in files})
            if files:
                arguments["files"] = files
            notes = self._notes(path, files)
        result: dict[str, Any] = self._execute_module(
            module_name="composeops.stack.stack", module_args=arguments, task_vars=task_vars
        )
        if result.get("changed") and notes:
            result["plan"] = [*(result.get("plan") or []), *notes]
        return result

    def _read(self, path: str) -> bytes:
        """Return the content of a file of the controller, decrypted where it is a vault."""
        try:
            with open(self._loader.get_real_file(path), "rb") as stream:
                return stream.read()
        except Exception as error:
            raise AnsibleActionFail(f"{path} cannot be read on the controller: {error}") from error

    def _files(self, compose_file: str, directory: str) -> list[dict[str, Any]]:
        if not os.path.isdir(directory):
            raise AnsibleActionFail(f"files_directory {directory} is not a directory on the controller.")
        beside = os.path.dirname(os.path.realpath(compose_file))
        root = os.path.realpath(directory)
        if os.path.commonpath([beside, root]) != beside:
            raise AnsibleActionFail(
                f"files_directory {directory} is not below {beside}, where the compose file is;"
                " relative paths could not mean the same on the host."
            )
        if os.path.isdir(os.path.join(root, "group_vars")):
            raise AnsibleActionFail(
                f"files_directory {directory} has group_vars in it, which must not reach the host;"
                " put the stack's files into a directory of their own."
            )
        found = [
            self._file(path, os.path.relpath(path, beside))
            for path in walk(root)
            if os.path.realpath(path) != os.path.realpath(compose_file)
        ]
        size = sum(len(entry["content"]) for entry in found) * 3 // 4
        if size > LARGEST:
            raise AnsibleActionFail(
                f"files_directory {directory} holds {size // 2**20} MiB; at most {LARGEST // 2**20} MiB travel with a"
                " deployment. Put large files into an image or a volume."
            )
        return found

    def _companions(
        self, compose_file: str, environment: dict[str, Any], known: Collection[str]
    ) -> list[dict[str, Any]]:
        """Return the files that the compose file is made of and that are not among those of files_directory."""
        values = {str(name): str(value) for name, value in environment.items()}
        collected = Companions(lambda path: self._read(path).decode("utf-8", "replace"), values)
        try:
            paths = collected.of(compose_file)
        except ComposeFileProblem as problem:
            raise AnsibleActionFail(str(problem)) from problem
        except yaml.YAMLError as error:
            raise AnsibleActionFail(f"A file that {compose_file} names is not valid YAML: {error}") from error
        beside = os.path.dirname(os.path.realpath(compose_file))
        relative = {path: os.path.relpath(path, beside) for path in paths}
        return [self._file(path, name) for path, name in relative.items() if name not in known]

    def _notes(self, compose_file: str, files: list[dict[str, Any]]) -> list[str]:
        """Return what `docker compose up` would have read and this does not."""
        source = os.path.basename(compose_file)
        override = override_beside(compose_file)
        notes = (
            [f"{override} beside {source} is not read; include it in {source} where it is meant"] if override else []
        )
        for entry in files:
            if entry["path"] == ".env":
                text = base64.b64decode(entry["content"]).decode("utf-8", "replace")
                values = dotenv(text)
                if "COMPOSE_FILE" in values:
                    notes.append(f".env beside {source} has COMPOSE_FILE, which is not followed; {source} is what runs")
                others = sorted(set(values) - {"COMPOSE_FILE"})
                notes.append(f".env beside {source} gives {', '.join(others)}, where the stack does not")
        return notes

    def _file(self, path: str, relative: str) -> dict[str, Any]:
        return {
            "path": relative,
            "content": base64.b64encode(self._read(path)).decode(),
            "executable": os.access(path, os.X_OK),
        }


def walk(root: str) -> list[str]:
    """Return the files below ``root`` in a stable order, without what editors and tools leave behind."""
    found = []
    for directory, names, filenames in os.walk(root, followlinks=True):
        names[:] = sorted(name for name in names if name not in LEFT_OUT)
        found += [
            os.path.join(directory, name)
            for name in sorted(filenames)
            if name not in LEFT_OUT and not name.endswith(("~", ".swp"))
        ]
    return found


def declared_services(text: str, path: str) -> list[str]:
    """Return the names of the services of a compose file; raise with the line where it is not even YAML."""
    try:
        document = yaml.load(text, Loader=ComposeLoader)  # noqa: S506 (it is a safe loader)
    except yaml.YAMLError as error:
        raise AnsibleActionFail(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    services = document.get("services") if isinstance(document, dict) else None
    if isinstance(document, dict) and document.get("include"):
        services = services or {}
    elif not services:
        services = None
    if not isinstance(services, dict):
        raise AnsibleActionFail(f"{path} declares no services: it needs a mapping `services:` with at least one entry.")
    return sorted(str(name) for name in services)
