"""What mongodump and mongorestore share: options, the login, and the archive, which is not MongoDB's format."""

from __future__ import annotations

import argparse
import re
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pymongo import MongoClient

MAGIC = {"archive": "composeops stand-in", "version": 1}


def parser(name: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog=name, description="A stand-in for MongoDB's tool.", allow_abbrev=False)
    made.add_argument("--archive", nargs="?", const="-", required=True, choices=["-"], help="standard streams only")
    made.add_argument("--gzip", action="store_true")
    made.add_argument("--config", help="file with the password")
    made.add_argument("--host", default="127.0.0.1")
    made.add_argument("--port", type=int, default=27017)
    made.add_argument("--username", default="")
    made.add_argument("--authenticationDatabase", default="admin")
    return made


def client(options: argparse.Namespace) -> MongoClient[dict[str, Any]]:
    login = {}
    if options.username:
        if not options.config:
            raise SystemExit("the stand-in takes the password from --config alone")
        text = Path(options.config).read_text(encoding="utf-8")
        password = re.fullmatch(r'password: "(.*)"\n', text)
        if password is None:
            raise SystemExit(f"error parsing config file {options.config}")
        value = password[1].replace('\\"', '"').replace("\\\\", "\\")
        login = {"username": options.username, "password": value, "authSource": options.authenticationDatabase}
    made: MongoClient[dict[str, Any]] = MongoClient(options.host, options.port, serverSelectionTimeoutMS=5000, **login)
    return made


def say(text: str) -> None:
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    print(f"{now}\t{text}", file=sys.stderr, flush=True)


def several(count: int) -> str:
    return f"{count} document" if count == 1 else f"{count} documents"
