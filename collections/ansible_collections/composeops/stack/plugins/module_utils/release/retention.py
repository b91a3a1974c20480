# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decides which releases are forgotten, and which images nobody needs then; pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ansible_collections.composeops.stack.plugins.module_utils.release.history import Release


@dataclass(frozen=True)
class Unneeded:
    """An image of a forgotten release."""

    reference: str
    identifier: str


@dataclass(frozen=True)
class Forgotten:
    """What goes when a release comes."""

    releases: tuple[int, ...] = ()
    images: tuple[Unneeded, ...] = ()

    def sentences(self) -> list[str]:
        """Return what is removed, for a person; a release that is forgotten leaves nothing that anyone would miss."""
        return [f"remove the image {image.reference}: no release that is kept ran it" for image in self.images]


def forgotten(
    releases: Sequence[Release], keep: int, used: Collection[int], needed: Collection[str], *, coming: bool
) -> Forgotten:
    """Return what goes; ``releases`` are those of the stack, the newest first.

    ``used`` are releases that stay whatever their age, and ``needed`` references and ids of images that someone else
    uses, or that are asked for now. ``coming`` says that one more release comes first.
    """
    room = max(keep - coming, 0)
    gone = [found for found in releases[room:] if found.number not in used]
    kept = [found for found in releases if found not in gone]
    wanted = {*needed, *(identifier for found in kept for identifier in found.identifiers.values())}
    images = {
        (reference, identifier): Unneeded(reference, identifier)
        for found in gone
        for reference, identifier in sorted(found.identifiers.items())
        if not wanted.intersection((reference, identifier)) and _can_be_had_again(found, reference, identifier)
    }
    return Forgotten(tuple(found.number for found in gone), tuple(images.values()))


def _can_be_had_again(release: Release, reference: str, identifier: str) -> bool:
    """Whether an image came from a registry: one that was built here is gone for good when it is removed."""
    digests = {release.digests.get(service) for service, image in release.images.items() if image == reference}
    return bool(digests - {None, "", identifier})
