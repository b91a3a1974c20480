# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which other files a compose file is made of: `.env`, and what `env_file`, `extends` and `include` name.

They lie on the controller, and compose reads them on the host, so they travel with the compose file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from ansible_collections.composeops.stack.plugins.module_utils.preflight.compose import interpolate

DEFAULT_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
OVERRIDES = (
    "compose.override.yaml",
    "compose.override.yml",
    "docker-compose.override.yaml",
    "docker-compose.override.yml",
)
"""What `docker compose up` reads too, where the compose file has one of its default names."""


class ComposeFileProblem(Exception):
    """A file that is named and cannot come along."""


class ComposeLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads compose files, whose own tags (!reset, !override) change nothing that is looked at here."""


def _untagged(loader: Any, _suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)


ComposeLoader.add_multi_constructor("!", _untagged)


@dataclass(frozen=True)
class _Named:
    """A file that another one names; the path is as written."""

    path: str
    key: str
    required: bool = True
    directory: str = ""
    """For a compose file: where relative paths in it start, when that is not where it is."""


class Companions:
    """Collects the files of one compose file; ``read`` returns the text of a path, ``environment`` interpolates."""

    def __init__(self, read: Callable[[str], str], environment: Mapping[str, str]) -> None:
        self._read = read
        self._environment = environment
        self._found: dict[str, None] = {}

    def of(self, path: str) -> list[str]:
        """Return the absolute paths of everything that ``path`` needs, itself not included."""
        main = os.path.realpath(path)
        self._visit(main, os.path.dirname(main), os.path.dirname(main))
        return [found for found in self._found if found != main]

    def _visit(self, path: str, directory: str, root: str) -> None:
        """Collect what the compose file ``path`` names, and, once, what those name that are compose files."""
        dotenv = os.path.join(directory, ".env")
        if os.path.isfile(dotenv):
            self._found[dotenv] = None
        text = self._read(path)
        for named in _named(yaml.load(text, ComposeLoader)):  # noqa: S506 (a safe loader with compose's own tags)
            written = interpolate(named.path, self._environment)
            if not written or "://" in written or written.startswith(("/", "~")):
                continue  # compose says what is wrong, or finds it on the host
            found = os.path.normpath(os.path.join(directory, written))
            self._check(named, found, path, text, root)
            if not os.path.isfile(found) or found in self._found:
                continue
            self._found[found] = None
            if named.key != "env_file":
                beside = os.path.join(directory, named.directory) if named.directory else os.path.dirname(found)
                self._visit(found, os.path.normpath(beside), root)

    def _check(self, named: _Named, found: str, path: str, text: str, root: str) -> None:
        where = (
            f"{os.path.relpath(path, root)} line {_line_with(text, named.path)} names {named.path} under {named.key}"
        )
        if os.path.commonpath([found, root]) != root:
            raise ComposeFileProblem(
                f"{where}, which lies above the compose file and cannot have the same path on the host."
                " Put it beside the compose file, or below it."
            )
        if named.required and not os.path.isfile(found):
            instead = " or write `{path: ..., required: false}`" if named.key == "env_file" else ""
            raise ComposeFileProblem(f"{where}, which is not there. Write the file{instead}, or leave it out.")


def override_beside(path: str) -> str:
    """Return the name of a file that `docker compose up` would have merged into ``path``, or nothing."""
    if os.path.basename(path) not in DEFAULT_NAMES:
        return ""
    return next((name for name in OVERRIDES if os.path.isfile(os.path.join(os.path.dirname(path), name))), "")


def _named(document: Any) -> Iterator[_Named]:
    """Yield every file that a parsed compose file names."""
    if not isinstance(document, Mapping):
        return
    for entry in document.get("include") or ():
        options = entry if isinstance(entry, Mapping) else {"path": entry}
        directory = str(options.get("project_directory") or "")
        yield from (_Named(path, "include", directory=directory) for path in _texts(options.get("path")))
        yield from (_Named(path, "env_file") for path in _texts(options.get("env_file")))
    services = document.get("services")
    for service in services.values() if isinstance(services, Mapping) else ():
        if not isinstance(service, Mapping):
            continue
        extended = service.get("extends")
        if isinstance(extended, Mapping) and extended.get("file"):
            yield _Named(str(extended["file"]), "extends")
        written = service.get("env_file") or []
        for entry in written if isinstance(written, list) else [written]:
            if isinstance(entry, Mapping) and isinstance(entry.get("path"), str):
                yield _Named(entry["path"], "env_file", required=bool(entry.get("required", True)))
            elif isinstance(entry, str):
                yield _Named(entry, "env_file")


def _texts(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [entry for entry in value or () if isinstance(entry, str)]


def _line_with(text: str, words: str) -> int:
    return next((number for number, line in enumerate(text.splitlines(), 1) if words in line), 1)
