# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads what is backed up, and where to, from the host's own file: /etc/composeops/backup.json, 0600.

Modules and the program read the same file, so credentials are in no module argument and the two cannot disagree.
"""

from __future__ import annotations

import json
import re
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.backup import layout
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import (
    POSTGRES,
    TYPES,
    Settings,
    Source,
    Store,
)
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io import files

PATH = "/etc/composeops/backup.json"

DATABASE = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")
_REMEDY = "Correct backup_sources or backup_store in the inventory and run playbooks/site.yml."


def read(path: str = PATH) -> Settings | None:
    """Return the host's settings, or None where none were written yet."""
    text = files.read_text(path)
    return None if text is None else parse(text, path)


def require(path: str = PATH) -> Settings:
    """Return the host's settings; raise where there are none."""
    settings = read(path)
    if settings is None:
        raise ComposeOpsError(
            f"This host has no backups set up: {path} is missing.", "Run playbooks/site.yml (role backup) first."
        )
    return settings


def parse(text: str, path: str = PATH) -> Settings:
    """Return the settings in ``text``; the text stays out of every error, for it holds a key."""
    try:
        data = json.loads(text)
    except ValueError:
        raise ComposeOpsError(f"{path} is not JSON.", "Run playbooks/site.yml, which writes it anew.") from None
    try:
        settings = Settings(
            host=_name(data["host"], "host"),
            store=Store(**data["store"]),
            sources=tuple(_source(item) for item in data["sources"]),
        )
    except KeyError as error:
        raise InvalidInput(f"{path}: {error} is missing.", _REMEDY) from error
    except TypeError as error:
        # The message of a wrong keyword names it; the values are not in it.
        raise InvalidInput(f"{path}: {error}.", _REMEDY) from error
    names = [source.name for source in settings.sources]
    for name in names:
        if names.count(name) > 1:
            raise InvalidInput(f"{path}: there are two sources called {name}.", _REMEDY)
    if not settings.store.bucket:
        raise InvalidInput(f"{path}: the store has no bucket.", _REMEDY)
    return settings


def _source(item: dict[str, Any]) -> Source:
    source = Source(**item)
    _name(source.name, "source")
    if source.type not in TYPES:
        raise InvalidInput(f"Backup source {source.name}: type {source.type} is none of {', '.join(TYPES)}.", _REMEDY)
    if source.type == POSTGRES:
        if not DATABASE.match(source.database):
            raise InvalidInput(f"Backup source {source.name}: {source.database!r} is no database name.", _REMEDY)
        if not source.user:
            raise InvalidInput(f"Backup source {source.name}: it has no database user.", _REMEDY)
    return source


def _name(value: str, what: str) -> str:
    if not layout.NAME.match(value):
        raise InvalidInput(
            f"{value!r} is not a {what} name for backups: letters, digits, dots, dashes and underscores.", _REMEDY
        )
    return value
