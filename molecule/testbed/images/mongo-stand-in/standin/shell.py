"""mongosh: the ping of a health check, and no other JavaScript."""

from __future__ import annotations

import argparse
import re
import sys

from pymongo import MongoClient
from pymongo.errors import PyMongoError

PING = re.compile(r"""db\.(?:adminCommand|runCommand)\(\s*(?:\{\s*)?["']?ping["']?(?:\s*:\s*1\s*\})?\s*\)(?:\.ok)?""")
QUITTING = re.compile(r"(?:quit|process\.exit)\(")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="mongosh", description="A stand-in for MongoDB's shell.")
    parser.add_argument("address", nargs="?", default="127.0.0.1:27017/test")
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--norc", action="store_true")
    parser.add_argument("--eval", required=True)
    parsed = parser.parse_args(arguments)
    found = PING.search(parsed.eval)
    if found is None or len(QUITTING.findall(parsed.eval)) > 1:
        print('mongosh (stand-in): only db.runCommand("ping") is known here', file=sys.stderr)
        return 1
    address = parsed.address.partition("://")[2] or parsed.address
    try:
        with MongoClient(f"mongodb://{address}", serverSelectionTimeoutMS=3000) as client:
            answer = client.admin.command("ping")
    except PyMongoError as error:
        print(f"MongoNetworkError: {error}", file=sys.stderr)
        return 1
    print(int(answer["ok"]) if found.group().endswith(".ok") else "{ ok: 1 }")
    return 0
