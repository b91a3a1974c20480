# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from ansible_collections.composeops.stack.plugins.module_utils.certificates import metrics
from ansible_collections.composeops.stack.plugins.module_utils.certificates.metrics import Sample
from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import Observed, WantedCertificate

NOW = datetime(2026, 11, 22, tzinfo=timezone.utc)


def test_every_site_has_its_end_what_is_served_and_its_failures() -> None:
    text = metrics.render([Sample("a.test", 1800000000, True, 0), Sample("b.test", 0, False, 3)], NOW)
    assert [line for line in text.splitlines() if not line.startswith("#")] == [
        'composeops_certificate_not_after_timestamp_seconds{site="a.test"} 1800000000',
        'composeops_certificate_served{site="a.test"} 1',
        'composeops_certificate_served{site="b.test"} 0',
        'composeops_certificate_failed_attempts{site="a.test"} 0',
        'composeops_certificate_failed_attempts{site="b.test"} 3',
        "composeops_certificates_observed_timestamp_seconds 1795305600",
    ]
    assert text.count("# TYPE") == text.count("# HELP") == 4


def test_the_file_is_written_whole_or_nothing_is_said(tmp_path: Path) -> None:
    sites = [(WantedCertificate("a.test", ("a.test",)), Observed())]
    path = tmp_path / "metrics/certificates.prom"
    metrics.write(sites, NOW, path=str(path), memory=str(tmp_path))
    assert 'served{site="a.test"} 0' in path.read_text()
    (tmp_path / "file").write_text("")
    metrics.write(sites, NOW, path=str(tmp_path / "file/certificates.prom"), memory=str(tmp_path))
