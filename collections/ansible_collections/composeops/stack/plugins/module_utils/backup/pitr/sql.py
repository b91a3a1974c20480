# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""SQL that describes a cluster, keeps its write-ahead log until it was received, and marks a moment in it."""

from __future__ import annotations

import re

from ansible_collections.composeops.stack.plugins.module_utils.backup.sources.postgres_sql import literal

_MOMENT = """to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')"""

DESCRIBE = """\
SELECT json_build_object(
  'server_version', current_setting('server_version'),
  'server_version_num', current_setting('server_version_num')::int,
  'system_identifier', (SELECT system_identifier::text FROM pg_control_system()),
  'segment', pg_walfile_name(pg_current_wal_lsn()),
  'wal_segment_size', (SELECT bytes_per_wal_segment FROM pg_control_init()),
  'data_checksums', current_setting('data_checksums'),
  'start_lsn', pg_current_wal_lsn()::text,
  'bytes', (SELECT sum(pg_database_size(oid)) FROM pg_database),
  'wal_bytes', (SELECT sum(size) FROM pg_ls_waldir()),
  'databases', (SELECT json_agg(datname ORDER BY datname) FROM pg_database),
  'roles', (SELECT json_agg(rolname ORDER BY rolname) FROM pg_roles),
  'tablespaces', (SELECT json_agg(spcname) FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global')));
"""
"""One line of JSON: the cluster, and the position before which nothing of a base backup that begins now can lie."""

STOPPED = f"SELECT json_build_object('stop_lsn', pg_current_wal_lsn()::text, 'stopped', {_MOMENT});\n"
"""One line of JSON: a position and a moment after a base backup that has ended."""

# A commit that is later than the moment ends a recovery to any time up to it. The moment is read first: what was
# acknowledged before it is in this segment or in an earlier one.
MARK = (
    f"SELECT {_MOMENT} AS moment \\gset\n"
    "SELECT txid_current() \\g /dev/null\n"
    "SELECT pg_switch_wal() AS ended \\gset\n"
    "SELECT json_build_object('moment', :'moment', 'segment', pg_walfile_name(:'ended'::pg_lsn), "
    "'snapshot', txid_current_snapshot()::text);\n"
)
"""One line of JSON: the moment, the segment that was ended, and the transactions that there were after it."""

TOUCH = (
    "SELECT txid_current() AS transaction \\gset\n"
    f"SELECT json_build_object('transaction', :'transaction', 'moment', {_MOMENT});\n"
)
"""One line of JSON: a transaction that was committed, and a moment after it."""

OBSERVE = """\
SELECT json_build_object(
  'system_identifier', (SELECT system_identifier::text FROM pg_control_system()),
  'segment', pg_walfile_name(pg_current_wal_lsn()),
  'wal_segment_size', (SELECT bytes_per_wal_segment FROM pg_control_init()),
  'server_version_num', current_setting('server_version_num')::int,
  'position', pg_current_wal_lsn()::text,
  'snapshot', txid_current_snapshot()::text,
  'slots', (SELECT json_object_agg(slot_name, coalesce(wal_status, '')) FROM pg_replication_slots));
"""
"""One line of JSON: where the server is. The snapshot is the same while no transaction that writes begins or ends."""


def transaction_status(transaction: str) -> str:
    """Return what asks whether a transaction was committed; one that a server does not know yet is an empty line."""
    # Asked of the future, the function itself would raise.
    return (
        f"SELECT CASE WHEN {int(transaction)} < txid_snapshot_xmax(txid_current_snapshot()) "
        f"THEN txid_status({int(transaction)}) END;"
    )


def slot(source: str) -> str:
    """Return the name of the slot that keeps the log of a source until it was received."""
    return f"composeops_wal_{_plain(source)}"


def base_slot(source: str) -> str:
    """Return the name of the slot that keeps the log while a base backup is taken."""
    return f"composeops_base_{_plain(source)}"


def _plain(source: str) -> str:
    return re.sub(r"[^a-z0-9_]", "_", source.lower())[:40]


def make_slot(name: str) -> str:
    """Return what makes a slot that keeps the log from now on, where there is none of its name."""
    return (
        f"SELECT count(pg_create_physical_replication_slot({literal(name)}, true)) "  # noqa: S608 (quoted)
        f"WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = {literal(name)});\n"
    )


def drop_slot(name: str) -> str:
    """Return what drops a slot; whoever still receives from it is ended first."""
    quoted = literal(name)
    return (
        f"SELECT count(pg_terminate_backend(active_pid, 10000)) FROM pg_replication_slots "  # noqa: S608 (quoted)
        f"WHERE slot_name = {quoted} AND active_pid IS NOT NULL;\n"
        f"SELECT count(pg_drop_replication_slot(slot_name)) FROM pg_replication_slots WHERE slot_name = {quoted};\n"
    )
