# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The SQL of PostgreSQL backups and restores, as text made from data."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

LONGEST_NAME = 63

DESCRIBE = """\
SELECT json_build_object(
  'server_version', current_setting('server_version'),
  'server_version_num', current_setting('server_version_num')::int,
  'database', d.datname,
  'owner', pg_get_userbyid(d.datdba),
  'encoding', pg_encoding_to_char(d.encoding),
  'collate', d.datcollate,
  'ctype', d.datctype,
  'locale_provider', to_jsonb(d) ->> 'datlocprovider',
  'icu_locale', coalesce(to_jsonb(d) ->> 'daticulocale', to_jsonb(d) ->> 'datlocale'),
  'connection_limit', d.datconnlimit,
  'bytes', pg_database_size(d.oid),
  'preloaded', (SELECT setting FROM pg_settings WHERE name = 'shared_preload_libraries'),
  'extensions', (SELECT json_object_agg(extname, extversion) FROM pg_extension),
  'privileges', (SELECT json_agg(json_build_object(
      'grantee', CASE WHEN p.grantee = 0 THEN NULL ELSE pg_get_userbyid(p.grantee) END,
      'privilege', p.privilege_type, 'grantable', p.is_grantable)) FROM aclexplode(d.datacl) p),
  'settings', (SELECT json_agg(json_build_object(
      'role', CASE WHEN s.setrole = 0 THEN NULL ELSE pg_get_userbyid(s.setrole) END,
      'name', split_part(item, '=', 1), 'value', substr(item, strpos(item, '=') + 1)))
      FROM pg_db_role_setting s, unnest(s.setconfig) item WHERE s.setdatabase = d.oid))
FROM pg_database d WHERE d.datname = current_database();
"""
"""One line of JSON: what is needed to make the database again, which a dump of one database does not carry."""

# Tables that belong to an extension are made by it; ONLY keeps a parent from counting its children's rows again.
COUNT_ROWS = """\
SELECT format('SELECT json_build_object(''table'', %L, ''rows'', count(*)) FROM ONLY %I.%I',
              format('%I.%I', n.nspname, c.relname), n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND NOT EXISTS (SELECT FROM pg_depend e
                  WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
ORDER BY 1 \\gexec
"""
"""One line of JSON for every table: its name and its exact number of rows."""

# Tables alone: what else a database holds of data is made of theirs.
FILLED_TABLES = """\
SELECT format('SELECT %L WHERE EXISTS (SELECT FROM ONLY %I.%I)', format('%I.%I', n.nspname, c.relname),
              n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND NOT EXISTS (SELECT FROM pg_depend e
                  WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
ORDER BY 1 \\gexec
SELECT 'large objects' WHERE EXISTS (SELECT FROM pg_largeobject_metadata);
"""
"""One line for every table that has a row: its name."""

SIZES = """\
SELECT json_build_object('name', datname, 'open', has_database_privilege(oid, 'CONNECT'),
  'bytes', CASE WHEN has_database_privilege(oid, 'CONNECT') THEN pg_database_size(oid) END)
FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY datname;
"""
"""One line of JSON for every database: its name, its size, and whether the user may connect to it."""

DATABASES = "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1;\n"

CATALOG_ONLY = "SET search_path = pg_catalog;\nSET statement_timeout = 0;\nSET row_security = off;\n"
"""No object of the database can stand in front of the catalog's, and nothing is cut short or left out in silence."""


def end_sessions_named(application: str) -> str:
    """Return what ends the other sessions of an application: dumps that go on after who wanted them was killed."""
    return (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "  # noqa: S608 (quoted by literal())
        f"WHERE application_name = {literal(application)} AND pid <> pg_backend_pid();\n"
    )


SNAPSHOT = (
    "SET idle_in_transaction_session_timeout = 0;\n"
    "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;\n"
    "SELECT pg_export_snapshot();\n"
)
"""One line: the snapshot's name. It lives as long as the transaction, and lets a dump see what was counted."""

IDENTITY = """\
SELECT concat_ws(' ', current_setting('port'), extract(epoch FROM pg_postmaster_start_time()), oid)
FROM pg_database WHERE datname = current_database();
"""
"""One line: the port, and what no other server's database of that name has in common with this one."""

SERVER = """\
SELECT json_build_object(
  'server_version_num', current_setting('server_version_num')::int,
  'databases', (SELECT json_agg(datname) FROM pg_database),
  'roles', (SELECT json_agg(rolname) FROM pg_roles),
  'extensions', (SELECT json_agg(name) FROM pg_available_extensions));
"""
"""One line of JSON: what a restore has to know of the server it goes to."""


def identifier(name: str) -> str:
    """Return ``name`` quoted as an identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """Return ``value`` quoted as a string."""
    quoted = value.replace("'", "''")
    return "E'" + quoted.replace("\\", "\\\\") + "'" if "\\" in quoted else f"'{quoted}'"


def aside_name(database: str, stamp: str) -> str:
    """Return what a database is called once a restore has put another in its place."""
    return _suffixed(database, f"_before_{stamp}")


def new_name(database: str) -> str:
    """Return what a database is called while it is restored; one name, so that the next run finds what one left."""
    return _suffixed(database, "_restoring")


def _suffixed(database: str, suffix: str) -> str:
    return database.encode()[: LONGEST_NAME - len(suffix)].decode("utf-8", "ignore") + suffix


def create_database(name: str, origin: Mapping[str, Any]) -> str:
    """Return the statement that makes an empty database like the one the backup came from."""
    options = [
        "TEMPLATE template0",
        f"OWNER {identifier(origin['owner'])}",
        f"ENCODING {literal(origin['encoding'])}",
        f"LC_COLLATE {literal(origin['collate'])}",
        f"LC_CTYPE {literal(origin['ctype'])}",
    ]
    if origin.get("locale_provider") == "i" and origin.get("icu_locale"):
        options += ["LOCALE_PROVIDER icu", f"ICU_LOCALE {literal(origin['icu_locale'])}"]
    return f"CREATE DATABASE {identifier(name)} {' '.join(options)};\n"


def drop_database(name: str) -> str:
    return f"DROP DATABASE IF EXISTS {identifier(name)} WITH (FORCE);\n"


def swap(database: str, new: str, aside: str | None, origin: Mapping[str, Any]) -> str:
    """Return the one transaction that puts ``new`` in the place of ``database``, which is kept as ``aside``.

    Killed anywhere, it changes nothing. Renaming first takes the lock that keeps new sessions out, then waits up to
    5 s for the others to end (``end_sessions`` sees to that meanwhile).
    """
    statements = ["SET statement_timeout = '60s';", "BEGIN;"]
    if aside is not None:
        statements.append(f"ALTER DATABASE {identifier(database)} RENAME TO {identifier(aside)};")
    statements.append(f"ALTER DATABASE {identifier(new)} RENAME TO {identifier(database)};")
    limit = origin.get("connection_limit", -1)
    if limit != -1:
        statements.append(f"ALTER DATABASE {identifier(database)} CONNECTION LIMIT {int(limit)};")
    statements += _settings(database, origin) + _privileges(database, origin) + ["COMMIT;"]
    return "\n".join(statements) + "\n"


def _settings(database: str, origin: Mapping[str, Any]) -> list[str]:
    """A list-valued setting has to be taken over as the text it is: FROM CURRENT does, a literal would not."""
    statements = []
    for setting in origin.get("settings") or []:
        target = f"ALTER DATABASE {identifier(database)}"
        if setting["role"] is not None:
            target = f"ALTER ROLE {identifier(setting['role'])} IN DATABASE {identifier(database)}"
        name = ".".join(identifier(part) for part in setting["name"].split("."))
        statements.append(f"SELECT set_config({literal(setting['name'])}, {literal(setting['value'])}, true);")
        statements.append(f"{target} SET {name} FROM CURRENT;")
    return statements


def _privileges(database: str, origin: Mapping[str, Any]) -> list[str]:
    """Privileges that were never changed are None: a new database has the same defaults."""
    if origin.get("privileges") is None:
        return []
    target = f"DATABASE {identifier(database)}"
    statements = [f"REVOKE ALL ON {target} FROM PUBLIC;", f"REVOKE ALL ON {target} FROM {identifier(origin['owner'])};"]
    for entry in origin["privileges"]:
        grantee = "PUBLIC" if entry["grantee"] is None else identifier(entry["grantee"])
        option = " WITH GRANT OPTION" if entry["grantable"] else ""
        statements.append(f"GRANT {entry['privilege']} ON {target} TO {grantee}{option};")
    return statements


def end_sessions(database: str, new: str) -> str:
    """Return what ends the sessions of ``database`` as soon as ``swap`` holds its lock, so that none comes back."""
    return f"""\
DO $end$
DECLARE
  target oid := (SELECT oid FROM pg_catalog.pg_database WHERE datname = {literal(database)});
BEGIN
  FOR attempt IN 1..200 LOOP
    IF EXISTS (SELECT FROM pg_catalog.pg_locks WHERE locktype = 'object' AND granted AND objid = target
               AND classid = 'pg_catalog.pg_database'::regclass AND mode = 'AccessExclusiveLock') THEN
      PERFORM pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE datid = target;
      RETURN;
    END IF;
    EXIT WHEN NOT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = {literal(new)});
    PERFORM pg_catalog.pg_sleep(0.05);
  END LOOP;
END
$end$;
"""  # noqa: S608 (names are quoted by literal())


_STATEMENT = re.compile(r'(?:CREATE|ALTER) ROLE (?P<role>"(?:[^"]|"")*"|[^\s";]+)')
_MEMBERSHIP = re.compile(r'GRANT (?P<group>"(?:[^"]|"")*"|[^\s";]+) TO (?P<role>"(?:[^"]|"")*"|[^\s";]+)')


def missing_roles(globals_dump: str, existing: Collection[str]) -> str:
    """Return the statements of a globals dump that make the roles the server does not have.

    A role that exists is left alone: its password is the one the stack uses now, not the one of the backup's day.
    """
    kept = []
    for line in globals_dump.splitlines():
        statement = _STATEMENT.match(line)
        membership = _MEMBERSHIP.match(line)
        if statement is not None and _plain(statement["role"]) not in existing:
            kept.append(line)
        elif membership is not None and not {_plain(membership["group"]), _plain(membership["role"])} <= set(existing):
            kept.append(re.sub(r" GRANTED BY .*;$", ";", line))
    return "".join(f"{line}\n" for line in kept)


def _plain(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
