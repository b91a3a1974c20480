# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Has the images of an earlier release on this host, as the very images that it ran, before anything moves."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.release.history import Release
from ansible_collections.composeops.stack.plugins.module_utils.release.images import Images, repository


@dataclass(frozen=True)
class Absent:
    """An image that a release ran and that is not here under its name."""

    reference: str
    identifier: str
    digest: str
    """The registry's; empty where none was recorded."""
    instead: str = ""
    """The id of the image that has the name now; empty where none has."""

    def __str__(self) -> str:
        found = "another image has that name now" if self.instead else "it is not on this host"
        return f"{self.reference} as {self.identifier[:19]}, and {found}"

    @property
    def sentence(self) -> str:
        """What is done about it."""
        if not self.digest:
            return f"look for {self.reference} on this host: its digest in a registry is not known"
        return f"pull {repository(self.reference)}@{self.digest[:19]}, which it ran as {self.reference}"


def absent(release: Release, present: Mapping[str, str]) -> list[Absent]:
    """Return the images of ``release`` that are not here; ``present`` maps references to image ids. Pure."""
    digests = {image: release.digests.get(service, "") for service, image in release.images.items()}
    return [
        Absent(reference, identifier, digests.get(reference, ""), present.get(reference, ""))
        for reference, identifier in sorted(release.identifiers.items())
        if present.get(reference) != identifier
    ]


def bring_back(images: Images, stack: str, release: Release, missing: Sequence[Absent], *, rename: bool = True) -> None:
    """Get exactly these images, or raise; without ``rename`` names stay with the images that have them."""
    for image in missing:
        why = images.bring_back(image.reference, image.identifier, image.digest, rename=rename or not image.instead)
        if why:
            raise ComposeOpsError(
                f"Release {release.number} of stack {stack} ran {image}. It cannot be had again: {why}."
                " Nothing was changed.",
                f"Where `docker image inspect {image.identifier}` finds it, `docker tag {image.identifier}"
                f" {image.reference}` gives the name back; else choose another release (`composeops releases`).",
            )


@contextlib.contextmanager
def names_given_back(images: Images, missing: Sequence[Absent]) -> Iterator[None]:
    """Give the names that images had before back to them where the block fails: what serves was started by them."""
    try:
        yield
    except ComposeOpsError:
        for image in missing:
            if image.instead:
                images.name(image.instead, image.reference)
        raise
