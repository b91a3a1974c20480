# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from ansible_collections.composeops.stack.plugins.filter.backup_wal import backup_wal_units


def test_each_cluster_has_a_service_that_sends_its_log() -> None:
    (unit,) = backup_wal_units([{"name": "a", "type": "postgres"}, {"name": "b", "type": "postgres_cluster"}])
    assert (unit["name"], unit["enabled"], unit["state"]) == ("composeops-wal@b.service", True, "started")
    assert "/etc/composeops/backup.json" in unit["restart_on"]


def test_an_absent_source_has_none() -> None:
    (unit,) = backup_wal_units([{"name": "b", "state": "absent"}])
    assert (unit["name"], unit["enabled"], unit["state"]) == ("composeops-wal@b.service", False, "stopped")
