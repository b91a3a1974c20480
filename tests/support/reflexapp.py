"""What the tests of the Reflex application do to its host and to its database, which is elsewhere."""

from __future__ import annotations

from typing import Any

from tests.integration.bed_host import ROOT, BedHost, PlaybookRun
from tests.support.outside import Outside

SITE = "www.jackcwf.com"
STACK = "reflexapp"
REFLEXAPP = ROOT / "inventories/reflexapp"
FORGET = "DROP SCHEMA public CASCADE; CREATE SCHEMA public;"
PSQL = (
    "IFS= read -r PGPASSWORD; export PGPASSWORD;"
    " exec psql --no-psqlrc --set ON_ERROR_STOP=1 --host pgvctor.jackcwf.com --username working --dbname working"
)


def play(operator: BedHost, name: str, **extra: Any) -> PlaybookRun:
    """Run a playbook as its header says."""
    run = operator.playbook(ROOT / f"playbooks/{name}.yml", inventories=[REFLEXAPP], extra_variables=extra)
    assert run.ok, run.output
    return run


def version(outside: Outside) -> str:
    """The version that serves."""
    return str(outside.https(SITE, "/version").json()["version"])


def forget_everything(operator: BedHost, password: str) -> None:
    """Bring the database back to before any migration."""
    argv = ["docker", "run", "--rm", "--interactive", "--network", "host", "--env", "PGSSLMODE=require"]
    argv += ["--entrypoint", "sh", "postgres:15-alpine", "-c", PSQL]
    operator.run(argv, stdin=f"{password}\n{FORGET}\n", check=True)
