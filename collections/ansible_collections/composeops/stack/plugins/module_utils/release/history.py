# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The releases of a stack on its host: what each was made from, what it ran, and what became of it.

``releases/<number>/request.json`` is everything but the values of secrets that the release was made from, so that it
can be made again; ``release.json`` beside it is its record. The number in the stack's own record says which is active.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io import files
from ansible_collections.composeops.stack.plugins.module_utils.release import state
from ansible_collections.composeops.stack.plugins.module_utils.release.model import (
    CanaryPolicy,
    HealthPolicy,
    Migration,
    Published,
    RolloutPolicy,
    Routed,
    StackFile,
    StackRequest,
)

Status = Literal["deploying", "active", "superseded", "withdrawn", "failed", "abandoned"]


@dataclass(frozen=True)
class Release:
    """One release and what became of it."""

    number: int
    created_at: str
    status: Status
    revision: str
    colour: str = ""
    images: Mapping[str, str] = field(default_factory=dict)
    """Service to the reference of its image."""
    digests: Mapping[str, str] = field(default_factory=dict)
    """Service to the digest of its image."""
    identifiers: Mapping[str, str] = field(default_factory=dict)
    """Reference of an image to its id on this host."""
    reason: str = ""
    """Why it failed or was withdrawn, or which release it repeats."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """How long each of its steps took."""
    canary: Sequence[Mapping[str, float]] = field(default_factory=list)
    """What each step of its canary came to."""

    @property
    def deployed(self) -> bool:
        """Whether it once served, so that it can serve again."""
        return self.status in ("active", "superseded", "withdrawn")


class History:
    """The releases of one stack."""

    def __init__(self, stack: str, root: str = state.DIRECTORY) -> None:
        self._stack = stack
        self._directory = os.path.join(state.directory(stack, root), "releases")

    def all(self) -> list[Release]:
        """Return the releases that are kept, the newest first."""
        return [found for found in (self._read(number) for number in self._numbers()) if found]

    def identifiers(self) -> set[str]:
        """Return the ids of the images that the releases ran."""
        return {identifier for release in self.all() for identifier in release.identifiers.values()}

    def next_number(self) -> int:
        return max([0, *self._numbers()]) + 1

    def begin(self, release: Release, request: StackRequest) -> None:
        """Record that a release is being deployed."""
        directory = self._of(release.number)
        os.makedirs(directory, mode=0o700, exist_ok=True)
        self._write(os.path.join(directory, "request.json"), as_document(request))
        self.update(release)

    def update(self, release: Release) -> None:
        """Record what became of a release."""
        self._write(os.path.join(self._of(release.number), "release.json"), asdict(release))

    def settled(self, active: int) -> list[Release]:
        """Return how the releases are to be recorded when ``active`` serves and no run is under way; pure but reading.

        A run may have died before it could say what became of its release.
        """
        return [replace(release, status=_settled(release, active)) for release in self.all()]

    def settle(self, active: int) -> None:
        """Record each release as ``settled`` says."""
        current = {release.number: release for release in self.all()}
        for release in self.settled(active):
            if release != current[release.number]:
                self.update(release)

    def withdraw(self, number: int, reason: str) -> None:
        """Mark a release that was gone back from, so that nobody goes back to it unasked."""
        for release in self.all():
            if release.number == number and release.deployed:
                self.update(replace(release, status="withdrawn", reason=reason))

    def forget(self, numbers: Collection[int]) -> None:
        """Remove releases that are no longer kept."""
        for number in numbers:
            shutil.rmtree(self._of(number), ignore_errors=True)

    def request(self, number: int) -> StackRequest:
        """Return what a release was made from."""
        path = os.path.join(self._of(number), "request.json")
        text = files.read_text(path)
        if text is None:
            raise InvalidInput(
                f"Stack {self._stack} has no release {number} on this host.",
                f"It has {', '.join(str(kept) for kept in self._numbers()) or 'none'}.",
            )
        return from_document(json.loads(text))

    def _numbers(self) -> list[int]:
        if not os.path.isdir(self._directory):
            return []
        return sorted((int(name) for name in os.listdir(self._directory) if name.isdigit()), reverse=True)

    def _of(self, number: int) -> str:
        return os.path.join(self._directory, str(number))

    def _read(self, number: int) -> Release | None:
        path = os.path.join(self._of(number), "release.json")
        text = files.read_text(path)
        if text is None:
            # A run died between making the directory and writing what it is for.
            return None
        try:
            return Release(**json.loads(text))
        except (ValueError, TypeError) as error:
            raise ComposeOpsError(
                f"{path} is not the record of a release: {error}.", "Move its directory away and run again."
            ) from error

    @staticmethod
    def _write(path: str, content: Mapping[str, Any]) -> None:
        text = json.dumps(content, indent=2, sort_keys=True) + "\n"
        files.write_atomically(path, text.encode(), mode=0o600, uid=os.geteuid(), gid=os.getegid())


def to_go_back_to(stack: str, releases: Sequence[Release], active: int, wanted: int) -> Release:
    """Return the release with the number ``wanted``, or with 0 the newest good one that is another than the active one.

    What was withdrawn by going back once is good only for someone who names it.
    """
    current = next((found for found in releases if found.number == active), None)
    if wanted:
        chosen = next((found for found in releases if found.number == wanted), None)
        if chosen is None:
            kept = ", ".join(str(found.number) for found in releases) or "none"
            raise InvalidInput(f"Stack {stack} has no release {wanted} on this host.", f"It has {kept}.")
        if not chosen.deployed:
            raise InvalidInput(
                f"Release {wanted} of stack {stack} never served: it is {chosen.status}. {chosen.reason}".rstrip(),
                "Choose one that served; `composeops releases` lists them.",
            )
        return chosen
    for found in releases:
        other = current is None or found.revision != current.revision or found.digests != current.digests
        if found.number < active and found.status == "superseded" and other:
            return found
    raise InvalidInput(
        f"Stack {stack} has no earlier release to go back to on this host.",
        "Deploy the version that you want (playbooks/deploy.yml).",
    )


def recorded(figures: Iterable[Any]) -> list[dict[str, Any]]:
    """Return the figures of a canary as JSON can hold them."""
    return [asdict(step) for step in figures]


def as_document(request: StackRequest) -> dict[str, Any]:
    """Return a request as JSON can hold it."""
    entries = [{**asdict(file), "content": base64.b64encode(file.content).decode()} for file in request.files]
    return {**asdict(request), "files": entries}


def from_document(content: Mapping[str, Any]) -> StackRequest:
    """Return the request that ``as_document`` made ``content`` from."""
    migration = content["migration"]
    return StackRequest(
        **{
            **content,
            "files": tuple(
                StackFile(entry["path"], base64.b64decode(entry["content"]), entry["executable"])
                for entry in content["files"]
            ),
            "secrets": tuple(content["secrets"]),
            "routed": tuple(Routed(**entry) for entry in content["routed"]),
            "published": tuple(Published(**entry) for entry in content["published"]),
            "overlapping": tuple(content["overlapping"]),
            "consumers": tuple(content.get("consumers", ())),
            "rollout": _rollout(content["rollout"]),
            "migration": _migration(migration) if migration else None,
            "health": HealthPolicy(**content["health"]),
        }
    )


def _rollout(content: Mapping[str, Any]) -> RolloutPolicy:
    canary = content.get("canary", {})
    return RolloutPolicy(
        **{**content, "canary": CanaryPolicy(**{**canary, "steps": tuple(canary.get("steps", ()))})},
    )


def _migration(content: Mapping[str, Any]) -> Migration:
    return Migration(
        **{**content, "command": tuple(content["command"]), "backup": tuple(content.get("backup", ()))},
    )


def _settled(release: Release, active: int) -> Status:
    if release.number == active:
        return "active"
    if release.status == "active":
        return "superseded"
    return "abandoned" if release.status == "deploying" else release.status
