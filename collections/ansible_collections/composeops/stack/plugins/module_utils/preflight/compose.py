# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Judges a compose file as far as it can be judged without an engine; pure.

`docker compose config` is the authority, and it is asked as soon as there is one on the host. This finds, before that,
what people get wrong most: no services, no image, a variable without a value, a service that does not exist.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.release.lines import line_of as line_of_key

# $$ is a dollar sign; the rest is what compose interpolates: $NAME, ${NAME} and ${NAME} with a default or an error.
_VARIABLE = re.compile(
    r"\$(?:(?P<escaped>\$)|(?P<plain>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)(?P<rest>(?::?[-?+])[^}]*)?\})"
)


_DOTENV = re.compile(r"^\s*(?:export\s+)?([A-Za-z_]\w*)\s*[=:](.*)$")
_OWN = frozenset({"COMPOSE_PROJECT_NAME"})
"""Variables that compose itself gives a value."""


@dataclass(frozen=True)
class Declared:
    """What a stack's definition says beside its compose file."""

    environment: Mapping[str, str]
    secrets: Collection[str]
    routed: Collection[str] = ()
    published: Collection[str] = ()

    @property
    def variables(self) -> set[str]:
        return {*self.environment, *self.secrets}


def faults(document: Any, text: str, declared: Declared) -> list[str]:
    """Return what is wrong with a compose file, one sentence each; ``document`` is its parsed ``text``."""
    if not isinstance(document, Mapping):
        return ["it is not a mapping"]
    services = document.get("services")
    if not isinstance(services, Mapping) or not services:
        return ["it has no services"]
    complete = not ({"include"} & set(document))
    found = [
        fault for name, service in services.items() for fault in _service(str(name), service, text, services, complete)
    ]
    if complete:
        for kind in ("routed", "published"):
            found += [
                f"{kind} names the service {name}, which it does not have{_nearest(name, services)}"
                for name in getattr(declared, kind)
                if name not in services
            ]
    found += _secrets(document, declared)
    found += [
        f"line {line_of(text, name)} uses {name}, which neither environment nor secrets of the stack define"
        f"{_nearest(name, declared.variables)}"
        for name in sorted(required_variables(document) - declared.variables - _OWN)
    ]
    found += [
        f"line {line_of(text, name)} requires {name}, and its value in the stack's environment is empty"
        for name in sorted(required_variables(document, "?"))
        if declared.environment.get(name) == ""
    ]
    return found


def dotenv(text: str) -> dict[str, str]:
    """Return the values of a `.env` file, as far as they are read without its finer points."""
    found = (_DOTENV.match(line) for line in text.splitlines())
    return {match[1]: re.sub(r"\s+#.*$", "", match[2]).strip().strip("\"'") for match in found if match}


def images(document: Any, environment: Mapping[str, str]) -> list[str]:
    """Return the images that are pulled, interpolated; not those that are built, or whose name has no value yet."""
    services = document.get("services") if isinstance(document, Mapping) else None
    found: dict[str, None] = {}
    for service in (services or {}).values() if isinstance(services, Mapping) else ():
        if isinstance(service, Mapping) and isinstance(service.get("image"), str) and "build" not in service:
            image = interpolate(service["image"], environment)
            if image:
                found[image] = None
    return list(found)


def interpolate(text: str, environment: Mapping[str, str]) -> str | None:
    """Return ``text`` with its variables replaced, or None where one has no value."""
    missing = False

    def value(match: re.Match[str]) -> str:
        nonlocal missing
        if match["escaped"]:
            return "$"
        name, rest = match["plain"] or match["braced"], match["rest"] or ""
        operator, default = rest.lstrip(":")[:1], rest.lstrip(":")[1:]
        given = environment.get(name)
        present = bool(given) if rest.startswith(":") else given is not None
        if operator == "+":
            return default if present else ""
        if operator == "-" and not present:
            return default
        if given is None:
            missing = True
        return given or ""

    result = _VARIABLE.sub(value, text)
    return None if missing else result


def required_variables(document: Any, *operators: str) -> set[str]:
    """Return the variables that the values of ``document`` use with one of ``operators``; else, without a default."""
    found = set()
    for text in _texts(document):
        for match in _VARIABLE.finditer(text):
            name = match["plain"] or match["braced"]
            if name and (match["rest"] or "").lstrip(":")[:1] in (operators or ("", "?")):
                found.add(name)
    return found


def line_of(text: str, variable: str) -> int:
    """Return the first line of ``text`` that uses ``variable``."""
    uses = re.compile(rf"\$(?:{variable}\b|\{{{variable}\b)")
    for number, line in enumerate(text.splitlines(), 1):
        if uses.search(line):
            return number
    return 1


def _service(name: str, service: Any, text: str, services: Mapping[str, Any], complete: bool) -> Iterator[str]:
    if not isinstance(service, Mapping):
        yield f"{_at(text, name)}service {name} is not a mapping"
        return
    if not {"image", "build", "extends"} & set(service):
        nearest = difflib.get_close_matches("image", map(str, service), 1)
        known = f" (is {nearest[0]} one of them?)" if nearest else ""
        yield f"{_at(text, name, *nearest)}service {name} has neither image nor build{known}"
    if complete:
        for other in service.get("depends_on") or ():
            if other not in services:
                nearest_name = _nearest(other, services)
                where = _at(text, name, "depends_on")
                yield f"{where}service {name} depends on {other}, which it does not have{nearest_name}"


def _at(text: str, *keys: str) -> str:
    line = line_of_key(text, "services", *keys)
    return f"line {line}: " if line else ""


def _secrets(document: Mapping[str, Any], declared: Declared) -> list[str]:
    entries = document.get("secrets")
    found = []
    for name, entry in entries.items() if isinstance(entries, Mapping) else ():
        variable = entry.get("environment") if isinstance(entry, Mapping) else None
        if variable is not None and variable not in declared.variables:
            nearest = _nearest(variable, declared.variables)
            found.append(f"secret {name} comes from {variable}, which the stack's secrets do not define{nearest}")
    return found


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for member in value.values():
            yield from _texts(member)
    elif isinstance(value, (list, tuple)):
        for member in value:
            yield from _texts(member)


def _nearest(name: Any, known: Collection[Any]) -> str:
    matches = difflib.get_close_matches(str(name), [str(other) for other in known], 1)
    return f" (did you mean {matches[0]}?)" if matches else ""
