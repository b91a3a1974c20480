# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads declared checks, from an inventory or from a file, and refuses what no check can be made of."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.backup.plan import duration
from ansible_collections.composeops.stack.plugins.module_utils.checks.model import (
    CHECKS,
    REQUIRED,
    Check,
    Expectation,
    LogCheck,
    MongoCheck,
    TcpExpectation,
)
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io.http import parse_url

SCHEMES = {"http": ("http", "https"), "websocket": ("ws", "wss")}


def parse(declared: Sequence[Mapping[str, Any]]) -> tuple[Check, ...]:
    """Return the declared checks; raise with everything that is wrong with them at once.

    A member that is None counts as not given, because that is how modules see options that were left out.
    """
    checks: list[Check] = []
    wrong: list[str] = []
    for position, raw in enumerate(declared, 1):
        label = f"check {raw.get('name') or position}"
        try:
            check = _check(raw)
        except (InvalidInput, ValueError) as error:
            wrong.append(f"{label}: {error}")
            continue
        if any(check.name == other.name for other in checks):
            wrong.append(f"{label}: there are two of this name")
        checks.append(check)
    if wrong:
        raise InvalidInput(f"The declared checks are wrong: {'; '.join(wrong)}", "Correct verify_checks.")
    return tuple(checks)


def serialise(declared: Sequence[Mapping[str, Any]], ca: str) -> str:
    """Return the text of the file that `composeops check` reads."""
    return json.dumps({"checks": [_given(check) for check in declared], "ca": ca}, indent=2, sort_keys=True) + "\n"


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what was not given, at every level."""
    return {
        name: _given(value) if isinstance(value, Mapping) else value
        for name, value in options.items()
        if value is not None
    }


def _check(raw: Mapping[str, Any]) -> Check:
    given = _given(raw)
    kind = CHECKS.get(str(given.pop("type", "")))
    if kind is None:
        raise ValueError(f"its type must be one of {', '.join(CHECKS)}.")
    missing = [name for name in ("name", *REQUIRED[kind.type]) if given.get(name) in (None, "", [])]
    if missing:
        raise ValueError(f"{kind.type} needs {', '.join(missing)}.")
    check: Check = _build(kind, given, kind.type)
    _validate(check)
    return check


def _validate(check: Check) -> None:
    """Raise for values that no probe could use."""
    if check.timeout <= 0 or check.attempts < 1 or check.interval < 0:
        raise ValueError("timeout must be more than 0, attempts at least 1, interval not negative.")
    if check.type in SCHEMES:
        scheme = parse_url(getattr(check, "url", "")).scheme
        if scheme not in SCHEMES[check.type]:
            raise ValueError(f"a {check.type} URL begins with {' or '.join(SCHEMES[check.type])}, not {scheme}.")
    state = getattr(getattr(check, "expect", None), "state", "open")
    if state not in ("open", "closed"):
        raise ValueError(f"expect.state is open or closed, not {state}.")
    if check.type in ("backup_age", "verified_age", "wal_lag", "reboot"):
        duration(getattr(check, "max_age", ""))
    if isinstance(check, MongoCheck) and bool(check.user) != bool(check.password_secret):
        raise ValueError("user and password_secret belong together.")
    if isinstance(check, LogCheck):
        _validate_log(check)


def _validate_log(check: LogCheck) -> None:
    if not duration(check.window):
        raise ValueError("window must be more than 0.")
    try:
        re.compile(check.pattern)
    except re.error as error:
        raise ValueError(f"pattern is no regular expression: {error}.") from error
    if not check.pattern or check.most < 0:
        raise ValueError("pattern must not be empty, most not negative.")


def _build(kind: type[Any], given: Mapping[str, Any], label: str) -> Any:
    """Make a dataclass of a mapping, converting each member to what its field says."""
    fields = {field.name: str(field.type) for field in dataclasses.fields(kind)}
    unknown = sorted(set(given) - set(fields))
    if unknown:
        raise ValueError(f"{label} has no option {', '.join(unknown)}; it has {', '.join(sorted(fields))}.")
    values = {}
    for name, value in given.items():
        try:
            values[name] = _CONVERSIONS[fields[name]](value)
        except (TypeError, AttributeError) as error:
            raise ValueError(f"{name} cannot be {value!r}.") from error
    return kind(**values)


def _list(convert: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, ...]]:
    def converted(value: Any) -> tuple[Any, ...]:
        return tuple(convert(item) for item in (value if isinstance(value, (list, tuple)) else [value]))

    return converted


def _texts(value: Any) -> dict[str, str]:
    return {str(name): str(text) for name, text in value.items()}


def _expectation(kind: type[Any]) -> Callable[[Any], Any]:
    def converted(value: Any) -> Any:
        return _build(kind, _given(value), "expect")

    return converted


_CONVERSIONS: Mapping[str, Callable[[Any], Any]] = {
    "str": str,
    "int": int,
    "float": float,
    "float | None": float,
    "tuple[int, ...]": _list(int),
    "tuple[str, ...]": _list(str),
    "Mapping[str, str]": _texts,
    "TcpState": str,
    "Expectation": _expectation(Expectation),
    "TcpExpectation": _expectation(TcpExpectation),
}
