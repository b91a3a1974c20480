"""Which documents a filter means, and what an update makes of one: the few operators that are needed. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any


class Unsupported(Exception):
    """The stand-in does not know this; it never guesses."""


COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "$eq": lambda value, wanted: value == wanted,
    "$ne": lambda value, wanted: value != wanted,
    "$gt": lambda value, wanted: value is not None and value > wanted,
    "$gte": lambda value, wanted: value is not None and value >= wanted,
    "$lt": lambda value, wanted: value is not None and value < wanted,
    "$lte": lambda value, wanted: value is not None and value <= wanted,
    "$in": lambda value, wanted: value in wanted,
    "$exists": lambda value, wanted: (value is not None) == bool(wanted),
    "$regex": lambda value, wanted: isinstance(value, str) and re.search(wanted, value) is not None,
}


def matches(document: Mapping[str, Any], condition: Mapping[str, Any]) -> bool:
    return all(_holds(document.get(name), name, wanted) for name, wanted in condition.items())


def _holds(value: Any, name: str, wanted: Any) -> bool:
    if name.startswith("$") or "." in name:
        raise Unsupported(f"filter {name}")
    if not isinstance(wanted, Mapping) or not any(operator.startswith("$") for operator in wanted):
        return bool(value == wanted)
    unknown = sorted(set(wanted) - set(COMPARISONS))
    if unknown:
        raise Unsupported(f"filter {unknown[0]}")
    return all(COMPARISONS[operator](value, operand) for operator, operand in wanted.items())


def updated(document: Mapping[str, Any], update: Any, *, inserting: bool) -> dict[str, Any]:
    if not isinstance(update, Mapping):
        raise Unsupported("a pipeline as an update")
    if not any(name.startswith("$") for name in update):
        return {**({"_id": document["_id"]} if "_id" in document else {}), **update}
    changed = dict(document)
    for operator, members in update.items():
        if operator == "$set" or (operator == "$setOnInsert" and inserting):
            changed.update(members)
        elif operator == "$inc":
            changed.update({name: changed.get(name, 0) + by for name, by in members.items()})
        elif operator == "$unset":
            for name in members:
                changed.pop(name, None)
        elif operator != "$setOnInsert":
            raise Unsupported(f"update {operator}")
    return changed
