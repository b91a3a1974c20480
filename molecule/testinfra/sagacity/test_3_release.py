"""SAG-07: a release is backed up for, tried on some, given to everyone and taken back, while clients use the system."""

from __future__ import annotations

import threading
import time
import uuid
from typing import Any

from tests.integration.bed_host import ROOT, BedHost, PlaybookRun
from tests.load.attempts import under_load
from tests.load.process import Load
from tests.load.report import Report
from tests.support.outside import Outside

SITE = "sagacity.example.com"
INVENTORIES = [ROOT / "inventories/sagacity", ROOT / "molecule/sagacity/overlay"]


def play(operator: BedHost, name: str, **extra: Any) -> PlaybookRun:
    run = operator.playbook(ROOT / f"playbooks/{name}.yml", inventories=INVENTORIES, extra_variables=extra)
    assert run.ok, run.output
    return run


def version(outside: Outside) -> str:
    return str(outside.https(SITE, "/api/version").json()["version"])


class Writer:
    """Writes documents and work, one after the other, and remembers what was acknowledged."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self.documents: list[str] = []
        self.work: list[str] = []
        self.refused: list[str] = []

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _write(self) -> None:
        while not self._stop.wait(0.4):
            token = uuid.uuid4().hex
            try:
                stored = self._outside.https(SITE, f"/api/documents/{token}", method="PUT", body={"name": "Sage"})
                queued = self._outside.https(SITE, "/api/queue", method="POST", body={"id": token, "seconds": 0.05})
            except OSError as error:
                self.refused.append(repr(error))
                continue
            if (stored.status, queued.status) == (200, 202):
                self.documents.append(token)
                self.work.append(token)
            else:
                self.refused.append(f"{stored.status} {queued.status}")


def released_under_load(operator: BedHost, outside: Outside) -> tuple[Report, Writer, PlaybookRun]:
    """Deploy 1.1.0 through its canary and go back again; return what the clients saw."""

    def there_and_back() -> tuple[Writer, PlaybookRun]:
        with Writer(outside) as writer:
            deployed = play(operator, "deploy", sagacity_version="1.1.0")
            assert version(outside) == "1.1.0"
            play(operator, "rollback")
        return writer, deployed

    report, outcome = under_load(lambda: Load(operator.inventory, system="sagacity", rate=60), there_and_back)
    return report, *outcome


def test_sag_07_release_is_backed_up_tried_on_some_and_taken_back_without_a_lost_request(
    operator: BedHost, outside: Outside
) -> None:
    assert version(outside) == "1.0.0"
    before = operator.output("composeops list mongodb")
    report, writer, deployed = released_under_load(operator, outside)
    print(report)
    assert report.passed, report
    assert version(outside) == "1.0.0"

    # The backup came first, and the canary was judged.
    assert len(operator.output("composeops list mongodb").splitlines()) > len(before.splitlines())
    steps = deployed.output
    assert "backup" in steps
    assert "canary" in steps
    assert "before any request goes to" in steps, "the old worker does not end first"

    # No acknowledged write is lost, and every item of the queue is done, by whichever worker.
    assert writer.refused == []
    assert len(writer.documents) > 10
    lost = [token for token in writer.documents if outside.https(SITE, f"/api/documents/{token}").status != 200]
    assert lost == []
    deadline = time.monotonic() + 60
    while [token for token in writer.work if outside.https(SITE, f"/api/work/{token}").status != 200]:
        assert time.monotonic() < deadline, "the queue is not done"
        time.sleep(0.2)
    assert outside.https(SITE, "/api/queue").json()["waiting"] == 0
