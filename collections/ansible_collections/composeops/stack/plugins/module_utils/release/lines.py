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
    path = re.search(r"\b(services|networks|volumes|secrets|configs)\.([\w.\[\]/-]*\w)", said)
    if path:
        unknown = re.search(r"Additional property (\S+) is not allowed", said)
        return _line_of_path(text, path.group(1), path.group(2), [unknown.group(1)] if unknown else [])
    service = re.search(r'service "([^"]+)"', said)
    if service:
        return line_of(text, "services", service.group(1), *_what_is_undefined(said))
    return 0


def _what_is_undefined(said: str) -> list[str]:
    undefined = re.search(r"undefined (network|volume|secret|config)\b", said)
    if undefined:
        return [f"{undefined.group(1)}s"]
    return ["depends_on"] if "depends on undefined" in said else []


def _line_of_path(text: str, kind: str, path: str, rest: Sequence[str]) -> int:
    """Return the line of ``kind.path``; a name may have dots, so the longest one that is there is taken."""
    words = path.split(".")
    top = line_of(text, kind)
    for size in range(len(words), 0, -1):
        name = ".".join(words[:size])
        if line_of(text, kind, name) != top:
            return line_of(text, kind, name, *words[size:], *rest)
    return top


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
