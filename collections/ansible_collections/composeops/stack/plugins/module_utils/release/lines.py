# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Finds the line of a compose file that something is about, by its indentation: a host need not have a YAML parser."""

from __future__ import annotations

import re
from collections.abc import Sequence

_COMMENT = re.compile(r"(^|\s)#.*$")


def line_of(text: str, *keys: str) -> int:
    """Return the line of the deepest of the nested ``keys`` that is there, counted from 1; 0 where none is.

    A mapping in flow style is one line here: that of the key before it.
    """
    lines = [_COMMENT.sub("", line) for line in text.splitlines()]
    found, indent = 0, -1
    for key in keys:
        child = _child(lines, found, indent, key)
        if child is None:
            break
        found, indent = child
    return found


def line_of_word(text: str, word: str, service: str) -> int:
    """Return the first line of a service that has ``word``; 0 where none has, or the service is in another file."""
    start = _line_below(text, "services", [service], [])
    lines = text.splitlines()
    indent = len(lines[start - 1]) - len(lines[start - 1].lstrip()) if start else 0
    for number, line in enumerate(lines[start:] if start else [], start + 1):
        if line.strip() and len(line) - len(line.lstrip()) <= indent:
            break
        if re.search(rf"(?<![\w.-]){re.escape(word)}(?![\w.-])", _COMMENT.sub("", line)):
            return number
    return 0


def line_of_variable(text: str, variable: str) -> int:
    """Return the first line that interpolates ``variable``; 0 where none does."""
    uses = re.compile(rf"(?<!\$)(?:\$\$)*\$(?:{variable}\b|\{{{variable}\b)")
    lines = (number for number, line in enumerate(text.splitlines(), 1) if uses.search(_COMMENT.sub("", line)))
    return next(lines, 0)


def place(source: str, line: int) -> str:
    """Return how a line is named in a message; the file alone where it is not known."""
    return f"{source} line {line}" if line else source


def line_of_complaint(text: str, said: str) -> int:
    """Return the line that compose complains about; 0 where it names none that is found, or gives the line itself."""
    variable = re.search(r"required variable (\w+) is missing", said)
    if variable:
        return line_of_variable(text, variable.group(1))
    for pattern, key in _ABOUT_A_KEY:
        found = re.search(pattern, said)
        if found:
            return _line_below(text, "services", [found.group(1)], [key])
    path = _PATH.search(said)
    if path:
        unknown = re.search(r"Additional property (\S+) is not allowed", said)
        return _line_of_path(text, path.group(1), path.group(2), [unknown.group(1)] if unknown else [])
    service = re.search(r'service "([^"]+)"', said)
    if service:
        return _line_below(text, "services", [service.group(1)], _what_is_undefined(said))
    value = re.search(r"^[Ii]nvalid \w+: \"?([^\s\"]+)", said)
    return _line_with(text, value.group(1)) if value else 0


_ABOUT_A_KEY = (
    (r"can't set container_name and (\S+) as container name", "container_name"),
    (r"dependency cycle detected: (\S+) ->", "depends_on"),
)
_PATH = re.compile(r"\b(services|networks|volumes|secrets|configs)(?:\.|\[)([\w.\[\]/-]*\w)")


def _what_is_undefined(said: str) -> list[str]:
    undefined = re.search(r"undefined (network|volume|secret|config)\b", said)
    if undefined:
        return [f"{undefined.group(1)}s"]
    return ["depends_on"] if "depends on undefined" in said else []


def _line_below(text: str, kind: str, names: Sequence[str], rest: Sequence[str]) -> int:
    """Return the line of something in this file, or 0: what is in another file has no line in this one."""
    there = line_of(text, kind, *names) != line_of(text, kind)
    return line_of(text, kind, *names, *rest) if there else 0


def _line_of_path(text: str, kind: str, path: str, rest: Sequence[str]) -> int:
    """Return the line of ``kind.path``; a name may have dots, so the longest one that is there is taken."""
    words = path.replace("]", "").split(".")
    for size in range(len(words), 0, -1):
        found = _line_below(text, kind, [".".join(words[:size])], [*words[size:], *rest])
        if found:
            return found
    return 0


def _line_with(text: str, value: str) -> int:
    word = re.compile(rf"(?<![\w.]){re.escape(value)}(?![\w.])")
    lines = (number for number, line in enumerate(text.splitlines(), 1) if word.search(_COMMENT.sub("", line)))
    return next(lines, 0)


def _child(lines: Sequence[str], parent: int, indent: int, key: str) -> tuple[int, int] | None:
    """Return line and indentation of ``key`` in the block below line ``parent``."""
    own = -1
    for number, line in enumerate(lines[parent:], parent + 1):
        if not line.strip():
            continue
        width = len(line) - len(line.lstrip())
        if width <= indent:
            return None
        own = width if own < 0 else own
        if width == own and re.match(rf"[\"']?{re.escape(key)}[\"']?\s*:(\s|$)", line.lstrip()):
            return number, width
    return None
