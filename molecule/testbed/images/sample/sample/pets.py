"""What a client may send to create a pet. Pure."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

LIMIT = 200


class PetError(Exception):
    """The request body does not describe a pet."""


@dataclass(frozen=True)
class NewPet:
    name: str
    species: str
    # Chosen by the client: a request sent twice is stored once.
    request_id: str


def parse(body: object) -> NewPet:
    if not isinstance(body, dict):
        raise PetError("send a JSON object with name, and optionally species and request_id")
    unknown = sorted(set(body) - {"name", "species", "request_id"})
    if unknown:
        raise PetError(f"unknown field {', '.join(unknown)}")
    return NewPet(
        name=_field(body, "name", None),
        species=_field(body, "species", "unknown"),
        request_id=_field(body, "request_id", str(uuid.uuid4())),
    )


def _field(body: dict[str, object], name: str, default: str | None) -> str:
    value = body.get(name, default)
    if not isinstance(value, str) or not 0 < len(value) <= LIMIT or not _storable(value):
        raise PetError(f"{name}: write 1 to {LIMIT} characters")
    return value


def _storable(value: str) -> bool:
    """PostgreSQL stores neither NUL nor half a surrogate pair, both of which JSON can carry."""
    return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)
