# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Renders templates and reads files on the controller, then hands everything to the module in one call."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Mapping
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.template import Templar, trust_as_template

FROM_CONTROLLER = ("template", "source", "tree")
CONTENTS = (*FROM_CONTROLLER, "content", "content_base64")
TEMPLATE_SUFFIX = ".j2"


class ActionModule(ActionBase):
    """The controller's half of composeops.stack.host_state."""

    _requires_connection = True

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        result: dict[str, Any] = self._execute_module(
            module_name="composeops.stack.host_state", module_args=self.prepared(task_vars), task_vars=task_vars
        )
        result.pop("invocation", None)
        return result

    def prepared(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Return the task's arguments with every content in them, as the module takes them."""
        arguments = dict(self._task.args)
        _require_quoted_modes(arguments)
        contents = Contents(self, task_vars)
        files, directories = contents.expand(arguments.get("files") or [])
        arguments["files"] = files
        declared = {entry.get("path") for entry in arguments.get("directories") or []}
        arguments["directories"] = [
            *(arguments.get("directories") or []),
            *({"path": path} for path in directories if path not in declared),
        ]
        return arguments

    def find(self, directory: str, name: str) -> str:
        """Return the path of a role's template or file."""
        try:
            return str(self._find_needle(directory, name))
        except AnsibleError as error:
            raise AnsibleActionFail(f"{name} was not found below {directory}: {error}") from error

    def find_directory(self, name: str) -> str:
        """Return the path of a directory below a role's templates or else its files."""
        try:
            path = str(self._find_needle("templates", name))
        except AnsibleError:
            path = self.find("files", name)
        if not os.path.isdir(path):
            raise AnsibleActionFail(f"{path} is no directory; use template or source for a single file.")
        return path


class Contents:
    """Turns entries that name something on the controller into entries that carry their content."""

    def __init__(self, action: ActionModule, task_vars: dict[str, Any]) -> None:
        self._action = action
        self._variables = {"ansible_managed": "Managed by Ansible", **task_vars}
        self._templars: dict[str, Templar] = {}

    def expand(self, entries: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
        """Return the files to hand over, and the directories that trees among them need."""
        files: list[dict[str, Any]] = []
        directories: list[str] = []
        for entry in entries:
            given = [option for option in CONTENTS if entry.get(option) is not None]
            if len(given) > 1:
                raise AnsibleActionFail(f"{entry.get('path')}: {' and '.join(given)} are given; keep one of them.")
            rest = {option: value for option, value in entry.items() if option not in FROM_CONTROLLER}
            destination = str(entry.get("path"))
            if given == ["template"]:
                path = self._action.find("templates", str(entry["template"]))
                files.append({**rest, "content": self.render(path, destination)})
            elif given == ["source"]:
                files.append({**rest, **_read(self._action.find("files", str(entry["source"])))})
            elif given == ["tree"]:
                root = self._action.find_directory(str(entry["tree"]))
                directories += _directories(root, destination)
                files += self._tree(root, destination, rest)
            else:
                _require_text(entry)
                files.append(rest)
        return files, directories

    def _tree(self, root: str, destination: str, rest: dict[str, Any]) -> Iterator[dict[str, Any]]:
        for path in _files(root):
            target = os.path.join(destination, os.path.relpath(path, root))
            executable = {"mode": "0755"} if os.access(path, os.X_OK) else {}
            if path.endswith(TEMPLATE_SUFFIX):
                target = target.removesuffix(TEMPLATE_SUFFIX)
                content = {"content": self.render(path, target)}
            else:
                content = _read(path)
            yield {**rest, **executable, **content, "path": target}

    def render(self, path: str, destination: str) -> str:
        """Return the template at ``path``, rendered with the task's variables."""
        # Text read from a file is not trusted, and untrusted text would come back as it is, without a word.
        text = trust_as_template(self._action._loader.get_text_file_contents(path))
        templar = self._templar(os.path.dirname(path))
        templar.available_variables = {**self._variables, "template_path": path, "template_destpath": destination}
        try:
            rendered = templar.template(text, escape_backslashes=False)
        except AnsibleError as error:
            raise AnsibleActionFail(f"Template {path} for {destination}: {error}") from error
        if rendered is None:
            return ""
        if isinstance(rendered, (Mapping, list, tuple)):
            raise AnsibleActionFail(
                f"Template {path} for {destination} is one expression whose value is no text; "
                "end it in a filter such as to_nice_json or join."
            )
        # A template that is a single expression keeps its value's type, and loses its last line break with it.
        return rendered if isinstance(rendered, str) else f"{rendered}\n"

    def _templar(self, directory: str) -> Templar:
        """Return a templar that finds includes beside the template; making one costs more than most renderings."""
        if directory not in self._templars:
            roots = [*self._action._task.get_search_path(), self._action._loader.get_basedir(), directory]
            search_path = [path for root in roots for path in (os.path.join(root, "templates"), root)]
            self._templars[directory] = self._action._templar.copy_with_new_env(searchpath=search_path)
        return self._templars[directory]


def _directories(root: str, destination: str) -> list[str]:
    """Return the directories on the host that mirror those below ``root``."""
    found = [directory for directory, _, _ in os.walk(root)]
    return sorted(os.path.normpath(os.path.join(destination, os.path.relpath(one, root))) for one in found)


def _files(root: str) -> list[str]:
    return sorted(os.path.join(directory, name) for directory, _, names in os.walk(root) for name in names)


def _read(path: str) -> dict[str, str]:
    """Return the option that carries the content of a file: its text, or base64 where it is none."""
    with open(path, "rb") as stream:
        content = stream.read()
    try:
        return {"content": content.decode("utf-8")}
    except UnicodeDecodeError:
        return {"content_base64": base64.b64encode(content).decode("ascii")}


def _require_text(entry: Mapping[str, Any]) -> None:
    """A mapping or list would reach the file as Python writes it, which no program reads."""
    if isinstance(entry.get("content"), (Mapping, list, tuple)):
        raise AnsibleActionFail(
            f"{entry.get('path')}: content is no text; end it in a filter such as to_nice_json or to_nice_yaml."
        )


def _require_quoted_modes(arguments: Mapping[str, Any]) -> None:
    """YAML reads 0644 as the number 420, and a module would get that as a text without knowing."""
    for option in ("directories", "files"):
        for entry in arguments.get(option) or []:
            mode = entry.get("mode")
            if mode is not None and not isinstance(mode, str):
                raise AnsibleActionFail(f'{entry.get("path")}: mode is a number; write it in quotes, such as "0644".')
