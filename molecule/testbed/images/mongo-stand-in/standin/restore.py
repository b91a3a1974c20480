"""mongorestore from standard input."""

from __future__ import annotations

import gzip
import re
import sys
from collections.abc import Iterator
from typing import Any

import bson
from bson.errors import BSONError
from pymongo.errors import PyMongoError

from standin import tools


def main(arguments: list[str]) -> int:
    parser = tools.parser("mongorestore")
    parser.add_argument("--drop", action="store_true")
    parser.add_argument("--stopOnError", action="store_true")
    for name in ("nsInclude", "nsExclude", "nsFrom", "nsTo"):
        parser.add_argument(f"--{name}", action="append", default=[])
    options = parser.parse_args(arguments)
    if len(options.nsFrom) != len(options.nsTo):
        parser.error("--nsFrom and --nsTo come in pairs")
    try:
        with tools.client(options) as client:
            restored = restore(client, options)
    except (PyMongoError, BSONError, OSError, EOFError, ValueError) as error:
        tools.say(f"Failed: {error}")
        return 1
    tools.say(f"{restored} document(s) restored successfully. 0 document(s) failed to restore.")
    return 0


def restore(client: Any, options: Any) -> int:
    raw = sys.stdin.buffer
    entries = bson.decode_file_iter(gzip.GzipFile(fileobj=raw) if options.gzip else raw)  # type: ignore[arg-type]
    if next(entries, None) != tools.MAGIC:
        raise ValueError("stream or file does not appear to be an archive of the stand-in")
    found, ended, database = dict[str, list[dict[str, Any]]](), False, ""
    for entry in entries:
        if "end" in entry:
            ended, database = True, entry["db"]
        else:
            documents = found.setdefault(entry["collection"], [])
            if "document" in entry:
                documents.append(entry["document"])
            elif entry["count"] != len(documents):
                raise ValueError("the archive is damaged")
    if not ended:
        raise ValueError("the archive ends before its end")
    for name, documents in wanted(found, database, options):
        target_database, _, target = renamed(f"{database}.{name}", options).partition(".")
        collection = client[target_database][target]
        if options.drop:
            collection.drop()
        client[target_database].create_collection(target)
        if documents:
            collection.insert_many(documents)
        tools.say(f"finished restoring {target_database}.{target} ({tools.several(len(documents))}, 0 failures)")
    return sum(len(documents) for _, documents in wanted(found, database, options))


def wanted(
    found: dict[str, list[dict[str, Any]]], database: str, options: Any
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for name, documents in found.items():
        namespace = f"{database}.{name}"
        included = not options.nsInclude or any(pattern(one).fullmatch(namespace) for one in options.nsInclude)
        if included and not any(pattern(one).fullmatch(namespace) for one in options.nsExclude):
            yield name, documents


def renamed(namespace: str, options: Any) -> str:
    for old, new in zip(options.nsFrom, options.nsTo, strict=True):
        match = pattern(old).fullmatch(namespace)
        if match:
            parts = iter(match.groups())
            return "".join(next(parts) if part == "*" else part for part in re.split(r"(\*)", new))
    return namespace


def pattern(text: str) -> re.Pattern[str]:
    return re.compile("".join("(.*)" if part == "*" else re.escape(part) for part in re.split(r"(\*)", text)))
