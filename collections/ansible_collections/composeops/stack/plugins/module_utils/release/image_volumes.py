# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Says what a release begins without: a volume that only its image declares is new in every colour; pure."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence

from ansible_collections.composeops.stack.plugins.module_utils.release.images import Image
from ansible_collections.composeops.stack.plugins.module_utils.release.model import Service


def sentences(services: Sequence[Service], images: Mapping[str, Image]) -> list[str]:
    """Return a sentence for each of ``services``, which run in colours, whose image keeps files nobody mounts.

    ``images`` are those that this host has, by reference; of the others nothing is known before they are pulled.
    """
    said = []
    for service in services:
        image = images.get(service.image)
        declared = [posixpath.normpath(path) for path in image.volumes] if image else []
        for path in declared:
            if path not in service.mounted_at:
                said.append(
                    f"{service.name} begins with an empty {path} in every release: its image declares a volume"
                    " there, and nothing is mounted; mount a named volume there to keep what is written"
                )
    return said
