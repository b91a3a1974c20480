"""The collection's on-host program, for images that run its monitor."""

from __future__ import annotations

import importlib.util

from testbed.images import Files
from testbed.state import REPOSITORY

MODULE_UTILS = REPOSITORY / "collections/ansible_collections/composeops/stack/plugins/module_utils"


def files() -> Files:
    """The very archive that hosts get; its builder needs nothing but Python, and no Ansible to be importable."""
    specification = importlib.util.spec_from_file_location("composeops_archive", MODULE_UTILS / "program/archive.py")
    assert specification is not None and specification.loader is not None
    archive = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(archive)
    return {"composeops.pyz": archive.build(archive.collect(str(MODULE_UTILS)))}
