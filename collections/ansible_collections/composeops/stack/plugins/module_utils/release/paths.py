# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Makes paths relative again that compose resolved while it read a stack in a directory aside; pure.

Only compose knows that a path in a file that is included, or extended, is relative to that file. So it resolves them,
and what lies in the directory aside is said relative to it, as it was written where that means the same.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Mapping
from typing import Any


def relative(resolved: Any, written: Any, directory: str) -> Any:
    """Return a document as ``written``, but for the paths that are ``resolved`` to another place.

    ``written`` is None where it is not known. ``directory`` is one of its own in a directory of its own.
    """
    if isinstance(resolved, Mapping):
        known = written if isinstance(written, Mapping) else {}
        return {key: relative(value, known.get(key), directory) for key, value in resolved.items()}
    if isinstance(resolved, list):
        known_items = written if isinstance(written, list) and len(written) == len(resolved) else [None] * len(resolved)
        return [relative(value, item, directory) for value, item in zip(resolved, known_items, strict=True)]
    if isinstance(resolved, str) and resolved != written:
        return _relative_path(resolved, written if isinstance(written, str) else None, directory)
    return resolved


def _relative_path(resolved: str, written: str | None, directory: str) -> str:
    if written is not None and os.path.expanduser(written) == resolved:
        return written
    if written is not None and posixpath.normpath(posixpath.join(directory, written)) == resolved:
        return written
    above = posixpath.dirname(directory)
    if resolved == directory:
        return "."
    if resolved.startswith(f"{directory}/"):
        return f"./{posixpath.relpath(resolved, directory)}"
    if resolved.startswith(f"{above}/"):
        return posixpath.relpath(resolved, directory)
    return resolved
