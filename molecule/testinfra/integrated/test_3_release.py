"""INT-07: another version is deployed from the registry while clients use the system, and taken back again."""

from __future__ import annotations

from typing import Any

from tests.integration.bed_host import ROOT, BedHost, PlaybookRun
from tests.load.attempts import under_load
from tests.load.process import Load
from tests.load.report import Report
from tests.support.containers import containers
from tests.support.outside import Outside

SITE = "integrated.example.com"
INVENTORIES = [ROOT / "inventories/integrated", ROOT / "molecule/integrated/overlay"]
SERVICE_RESTART = 1012


def play(operator: BedHost, name: str, **extra: Any) -> PlaybookRun:
    run = operator.playbook(ROOT / f"playbooks/{name}.yml", inventories=INVENTORIES, extra_variables=extra)
    assert run.ok, run.output
    return run


def version(outside: Outside) -> str:
    return str(outside.https(SITE, "/api/version").json()["version"])


def released_under_load(operator: BedHost) -> Report:
    """Deploy 1.1.0 and go back again while 100 requests a second come in; return what the clients saw."""

    def there_and_back() -> None:
        play(operator, "deploy", integrated_version="1.1.0")
        play(operator, "rollback")

    report, _ = under_load(lambda: Load(operator.inventory, system="integrated", rate=100), there_and_back)
    return report


def test_int_07_release_and_rollback_lose_no_request(operator: BedHost, outside: Outside) -> None:
    assert version(outside) == "1.0.0"
    before = containers(operator.output, "integrated")["app"]["Config"]["Hostname"]
    report = released_under_load(operator)
    print(report)
    assert report.passed, report
    assert version(outside) == "1.0.0"

    # INT-03: the container that was replaced ended in its order, and by itself.
    log = operator.read(f"/var/lib/docker/volumes/integrated_app_logs/_data/{before}/supervisord.log")
    ended = [line.split("stopped: ")[1] for line in log.splitlines() if "stopped: " in line][-4:]
    assert [words.split(" ")[0] for words in ended] == ["healthmonitor", "frontend", "backend", "logkeeper"]
    assert ended[1] == "frontend (exit status 0)"
    assert "SIGKILL" not in " ".join(ended)


def test_int_07_monitors_left_the_release_alone(operator: BedHost) -> None:
    audit = operator.output("composeops audit")
    assert "rollback" in audit
    assert "health monitor" not in audit
