# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The two places where a release of a stack can run side by side, and what its services are called there; pure."""

from __future__ import annotations

from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput

BLUE = "blue"
GREEN = "green"
COLOURS = (BLUE, GREEN)


def other(colour: str) -> str:
    """Return the colour where the next release goes; the first one goes to blue."""
    return GREEN if colour == BLUE else BLUE


def project(stack: str, colour: str) -> str:
    """Return the compose project of a colour, or of what a release does not move."""
    return f"{stack}-{colour}" if colour else stack


def key(service: str, colour: str) -> str:
    """Return what a service is called in its project.

    Compose makes this a name on every network. Without the colour in it, both releases would answer to one name, and
    a request of the new one could reach the old one.
    """
    return f"{service}-{colour}" if colour else service


def check_stack(name: str) -> None:
    """Raise where a stack's name would be that of another one's colour."""
    stem, _, end = name.rpartition("-")
    if stem and end in COLOURS:
        raise InvalidInput(
            f"{name!r} cannot be the name of a stack: the colour {end} of a stack {stem!r} is called so.",
            "Choose a name that does not end with a colour.",
        )
