# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The file in which Traefik reads what leads to a stack, and which of its releases gets which share; pure.

Traefik watches the directory. A release rewrites the weights in this one file, which takes effect for all services of
the stack at once; nothing is reloaded, no connection is closed, and requests under way end where they are. The choice
stands in the file itself, so that there is nothing it could differ from.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.release.colours import BLUE, COLOURS
from ansible_collections.composeops.stack.plugins.module_utils.release.model import Sticky

DIRECTORY = "/etc/traefik/composeops"
"""It is there where Traefik is the edge of a host."""
LOCK = "/run/composeops/traefik.lock"
"""Held while a file of that directory is read to be written anew, by a play or by a release."""
LOCK_WAIT = 60.0
ALL = 100
COOKIE = "composeops_release"
_CHOICE = "# choice: "
_MARKER = "composeops-file-"


@dataclass(frozen=True)
class Choice:
    """Which colour serves, and the share that a canary gets."""

    colour: str = BLUE
    canary: str = ""
    """The colour that gets a share; empty while no canary runs."""
    percent: int = 0
    sticky: Sticky = "none"

    def weight(self, colour: str) -> int:
        """Return how many of a hundred requests go to a colour."""
        share = self.percent if self.canary else 0
        if self.canary == self.colour:
            return ALL if colour == self.colour else 0
        if colour == self.canary:
            return share
        return ALL - share if colour == self.colour else 0


def path(stack: str, directory: str = DIRECTORY) -> str:
    """Return the file of a stack."""
    return os.path.join(directory, name(stack))


def name(stack: str) -> str:
    """Return what the file of a stack is called."""
    return f"stack-{stack}.yml"


def stack_of(name: str) -> str:
    """Return the stack whose file is called ``name``."""
    return name.removeprefix("stack-").removesuffix(".yml")


def render(stack: str, choice: Choice, http: Mapping[str, Any]) -> str:
    """Return the file of a stack: its services, weighed by ``choice``."""
    weighed: dict[str, Any] = copy.deepcopy(dict(http))
    for service, definition in weighed.get("services", {}).items():
        if "weighted" in definition:
            definition["weighted"] = _weighted(service, definition["weighted"], choice)
    return file(
        name(stack),
        {"http": weighed},
        f"Where the routed services of stack {stack} listen, and which release of it answers: a release changes that.",
        f"{_CHOICE}{json.dumps(asdict(choice), sort_keys=True)}",
    )


def parse(text: str | None) -> tuple[Choice, dict[str, Any]]:
    """Return what ``render`` was given; the beginning of everything where there is no file."""
    if not text:
        return Choice(), {}
    lines = text.splitlines()
    chosen = next((line for line in lines if line.startswith(_CHOICE)), _CHOICE + "{}")
    body = json.loads("\n".join(line for line in lines if not line.startswith("#")) or "{}")
    http = dict(body.get("http") or {})
    http.pop("middlewares", None)
    return Choice(**json.loads(chosen.removeprefix(_CHOICE))), http


def file(name: str, body: Mapping[str, Any], *comments: str) -> str:
    """Return a file that Traefik reads, JSON being YAML, with a marker by which it can be asked for.

    The marker is a middleware that no router uses. Traefik takes all of a file or nothing, so whoever finds the marker
    of a content knows that all of it serves.
    """
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]
    marker = f"{_MARKER}{name.removesuffix('.yml')}-{digest}"
    marked: dict[str, Any] = copy.deepcopy(dict(body))
    middlewares = marked.setdefault("http", {}).setdefault("middlewares", {})
    middlewares[marker] = {"headers": {"customResponseHeaders": {"X-Composeops-File": digest}}}
    head = "".join(f"{comment if comment.startswith('#') else '# ' + comment}\n" for comment in comments)
    return f"{head}{json.dumps(marked, indent=2, sort_keys=True)}\n"


def marker(text: str) -> str:
    """Return the marker in a file that ``file`` made."""
    body = json.loads("\n".join(line for line in text.splitlines() if not line.startswith("#")))
    return next(str(name) for name in body["http"]["middlewares"] if str(name).startswith(_MARKER))


def canary_choice(stack: str, choice: Choice, colour: str, percent: int, sticky: Sticky) -> Choice:
    """Return ``choice`` with a canary, or without one where its share is 0."""
    if not 0 <= percent <= ALL or colour not in COLOURS:
        raise InvalidInput(f"Stack {stack}: {percent} % of the requests cannot go to {colour!r}.")
    if sticky == "address":
        raise InvalidInput(
            f"Stack {stack}: Traefik does not tell the clients of a canary apart by their addresses.",
            "Set rollout.canary.sticky to cookie or none.",
        )
    return Choice(choice.colour, colour, percent, sticky) if percent else Choice(choice.colour)


def _weighted(service: str, definition: Mapping[str, Any], choice: Choice) -> dict[str, Any]:
    found: dict[str, Any] = {
        "services": [
            {"name": member["name"], "weight": choice.weight(str(member["name"]).removeprefix(f"{service}-"))}
            for member in definition["services"]
        ]
    }
    if choice.canary and choice.sticky == "cookie":
        found["sticky"] = {"cookie": {"name": COOKIE, "secure": True, "httpOnly": True, "sameSite": "lax", "path": "/"}}
    return found
