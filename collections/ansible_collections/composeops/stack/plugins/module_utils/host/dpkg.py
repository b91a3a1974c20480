# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads dpkg's database directly: milliseconds, where asking a package tool costs a second."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

DIRECTORY = "/var/lib/dpkg"

# Each stanza has both fields, the name first; fields such as Essential may stand between them.
FIELD = re.compile(r"^(?:Package: (\S+)|Status: \S+ (\S+) (\S+))$", re.MULTILINE)
UNFINISHED = frozenset({"half-installed", "unpacked", "half-configured", "triggers-awaited", "triggers-pending"})


@dataclass(frozen=True)
class Database:
    installed: frozenset[str] = frozenset()
    interrupted: bool = False
    """Some package is neither fully installed nor removed, or dpkg was killed while it wrote."""


def read(directory: str = DIRECTORY) -> Database:
    with open(os.path.join(directory, "status"), encoding="utf-8", errors="replace") as stream:
        database = parse(stream.read())
    try:
        journal = [name for name in os.listdir(os.path.join(directory, "updates")) if name.isdigit()]
    except FileNotFoundError:
        journal = []
    return Database(database.installed, database.interrupted or bool(journal))


def parse(text: str) -> Database:
    """Return the installed packages of a status file, of whatever architecture."""
    installed = set()
    interrupted = False
    name = ""
    for package, flag, state in FIELD.findall(text):
        if package:
            name = package
            continue
        if state == "installed":
            installed.add(name)
        interrupted = interrupted or state in UNFINISHED or flag == "reinstreq"
    return Database(frozenset(installed), interrupted)
