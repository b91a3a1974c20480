"""mongodump to standard output."""

from __future__ import annotations

import gzip
import sys
from contextlib import ExitStack

import bson
from pymongo.errors import PyMongoError

from standin import tools


def main(arguments: list[str]) -> int:
    parser = tools.parser("mongodump")
    parser.add_argument("--db", required=True)
    parser.add_argument("--excludeCollectionsWithPrefix", action="append", default=[])
    options = parser.parse_args(arguments)
    try:
        with ExitStack() as stack:
            database = stack.enter_context(tools.client(options))[options.db]
            raw = sys.stdout.buffer
            out = stack.enter_context(gzip.GzipFile(fileobj=raw, mode="wb")) if options.gzip else raw
            out.write(bson.encode(tools.MAGIC))
            for name in database.list_collection_names():
                if name.startswith(tuple(options.excludeCollectionsWithPrefix)):
                    continue
                tools.say(f"writing {options.db}.{name} to archive on stdout")
                count = 0
                for document in database[name].find():
                    out.write(bson.encode({"collection": name, "document": document}))
                    count += 1
                out.write(bson.encode({"collection": name, "count": count}))
                tools.say(f"done dumping {options.db}.{name} ({tools.several(count)})")
            out.write(bson.encode({"end": True, "db": options.db}))
    except (PyMongoError, OSError) as error:
        tools.say(f"Failed: {error}")
        return 1
    return 0
