# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads what is backed up, and where to, from the host's own file: /etc/composeops/backup.json, 0600.

Modules and the program read the same file, so credentials are in no module argument and the two cannot disagree.
"""

from __future__ import annotations

import json
import os
import re
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.backup import bandwidth, layout
from ansible_collections.composeops.stack.plugins.module_utils.backup.encoding import recipient
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import (
    ALL,
    FILES,
    MONGO,
    PORTS,
    POSTGRES,
    POSTGRES_CLUSTER,
    TLS,
    TYPES,
    PointInTime,
    Settings,
    Source,
    Store,
)
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr import options
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io import files

PATH = "/etc/composeops/backup.json"

HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:-]*\Z")
_URL = re.compile(r"https?://[^\s/?#]+[^\s?#]*\Z")
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
            recipients=tuple(data.get("recipients", ())),
            bandwidth=bandwidth.parse(str(data.get("bandwidth", 0))),
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
    unusable = recipient.problem(settings.recipients)
    if unusable:
        raise InvalidInput(f"backup_recipients: {unusable}")
    return settings


def _source(item: dict[str, Any]) -> Source:
    lists: dict[str, Any] = {name: tuple(item[name]) for name in ("paths", "volumes", "exclude") if name in item}
    kind = item.get("type")
    elsewhere = kind == POSTGRES and item.get("host")
    port = {"port": PORTS[str(kind)]} if kind in (MONGO, POSTGRES_CLUSTER) or elsewhere else {}
    # In which of the databases a session looks at all of them.
    whole = kind == POSTGRES_CLUSTER or "databases" in item
    maintenance = {"database": "postgres"} if whole else {}
    if "databases" in item and "database" in item:
        raise InvalidInput(f"Backup source {item.get('name')}: database and databases exclude each other.", _REMEDY)
    log = {"point_in_time": PointInTime(**item["point_in_time"])} if "point_in_time" in item else {}
    given: dict[str, Any] = {**port, **maintenance, **item, **lists, **log}
    source = Source(**given)
    _name(source.name, "source")
    problem = _problem(source) or _problem_of_heartbeats(source)
    if problem:
        raise InvalidInput(f"Backup source {source.name}: {problem}.", _REMEDY)
    return source


def _problem(source: Source) -> str:
    """Return what is wrong with a source, or nothing."""
    if source.type not in TYPES:
        return f"type {source.type} is none of {', '.join(TYPES)}"
    return _problem_of_files(source) if source.type == FILES else _problem_of_server(source)


def _problem_of_server(source: Source) -> str:
    if source.paths or source.volumes:
        return f"paths and volumes are of type {FILES}"
    if source.host:
        problem = _problem_of_elsewhere(source)
    elif source.image:
        problem = "image goes with host"
    else:
        problem = "" if source.service else "it has no service"
    if problem:
        return problem
    return _problem_of_databases(source) or _problem_of_database(source)


def _problem_of_databases(source: Source) -> str:
    if source.databases and (source.type != POSTGRES or source.databases != ALL):
        return f"databases is of type {POSTGRES}, and can be {ALL} alone; one of them is `database`"
    return f"exclude goes with `databases: {ALL}`" if source.exclude and not source.databases else ""


def _problem_of_database(source: Source) -> str:
    if source.type in (POSTGRES, POSTGRES_CLUSTER, MONGO) and not DATABASE.match(source.database):
        return f"{source.database!r} is no database name"
    if source.type in (POSTGRES, POSTGRES_CLUSTER) and not source.user:
        return "it has no database user"
    if source.type == POSTGRES_CLUSTER:
        return options.problem(source.point_in_time)
    if source.point_in_time != PointInTime():
        return f"point_in_time is of type {POSTGRES_CLUSTER}"
    if source.type == MONGO and bool(source.user) != bool(source.password_secret):
        return "user and password_secret belong together"
    return ""


def _problem_of_elsewhere(source: Source) -> str:
    if source.type != POSTGRES:
        return f"host is of type {POSTGRES}"
    if source.service:
        return "service and host exclude each other"
    if not HOST.match(source.host):
        return f"{source.host!r} is no name or address of a server"
    if not source.image:
        return "it has no image to take the clients from"
    if not source.password_secret:
        return "it has no password_secret"
    return "" if source.tls in TLS else f"tls {source.tls!r} is none of {', '.join(TLS)}"


def _problem_of_heartbeats(source: Source) -> str:
    """The URL is a secret, and stays out of what is said."""
    for option in ("heartbeat_url", "drill_heartbeat_url"):
        url = getattr(source, option)
        if url and not _URL.match(url):
            return f"{option} is no URL that begins with https:// or http://"
    return ""


def _problem_of_files(source: Source) -> str:
    if not source.paths and not source.volumes:
        return "it has neither paths nor volumes"
    for path in source.paths:
        if not os.path.isabs(path) or os.path.normpath(path) != path or path == "/":
            return f"{path!r} is no plain absolute path"
        if any(path != other and path.startswith(f"{other}/") for other in source.paths):
            return f"{path} is in another of its paths"
    for name in (*source.paths, *source.volumes):
        if (*source.paths, *source.volumes).count(name) > 1:
            return f"{name} is there twice"
    if not all(layout.NAME.match(name) for name in source.volumes):
        return "a volume is named as the compose file does, without its stack"
    return ""


def _name(value: str, what: str) -> str:
    if not layout.NAME.match(value):
        raise InvalidInput(
            f"{value!r} is not a {what} name for backups: letters, digits, dots, dashes and underscores.", _REMEDY
        )
    return value
