# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Builds the on-host program: one executable archive of module_utils, the same bytes from the same sources."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Mapping

PACKAGE = "ansible_collections/composeops/stack/plugins/module_utils"

# Isolated: neither the caller's PYTHONPATH nor a user's own packages can get into a program that runs as root.
INTERPRETER = b"#!/usr/bin/python3 -I\n"

MAIN = b"""\
from ansible_collections.composeops.stack.plugins.module_utils.program.main import main

raise SystemExit(main())
"""

# Zip's earliest date; any fixed one would do.
TIMESTAMP = (1980, 1, 1, 0, 0, 0)


def collect(module_utils: str) -> dict[str, bytes]:
    """Return the Python sources below the directory ``module_utils``, by their path relative to it."""
    sources = {}
    for directory, _, names in os.walk(module_utils):
        for name in names:
            if name.endswith(".py"):
                path = os.path.join(directory, name)
                with open(path, "rb") as stream:
                    sources[os.path.relpath(path, module_utils)] = stream.read()
    return sources


def build(sources: Mapping[str, bytes]) -> bytes:
    """Return the archive of ``sources``.

    Nothing is compressed: what a compressor makes differs between its versions, and with it the archive would change
    from one controller to the next.
    """
    members = {"__main__.py": MAIN}
    parts = PACKAGE.split("/")
    for depth in range(1, len(parts)):
        members[f"{'/'.join(parts[:depth])}/__init__.py"] = b""
    members.update({f"{PACKAGE}/{path}": content for path, content in sources.items()})
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            entry = zipfile.ZipInfo(name, TIMESTAMP)
            entry.external_attr = 0o644 << 16
            # The same on every system that builds it.
            entry.create_system = 3
            archive.writestr(entry, members[name])
    return INTERPRETER + buffer.getvalue()
