# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.release.dependencies import with_dependencies

COMPOSE = {
    "services": {
        "web": {"depends_on": {"db": {}}},
        "db": {"depends_on": {"init": {"condition": "service_completed_successfully"}}},
        "init": {},
        "side": {"network_mode": "service:cache", "volumes_from": ["files:ro", "container:other"]},
        "cache": {"pid": "host"},
        "files": {"volumes_from": ["init"]},
    },
    "volumes": {"data": {}},
}


@pytest.mark.parametrize(
    ("only", "found"),
    [
        (["init"], ["init"]),
        (["db"], ["db", "init"]),
        (["side"], ["init", "side", "cache", "files"]),
        (["cache", "db"], ["db", "init", "cache"]),
    ],
    ids=["alone", "depends_on", "shared namespaces and volumes", "two"],
)
def test_services_come_with_what_they_cannot_start_without(only: list[str], found: list[str]) -> None:
    compose = with_dependencies(COMPOSE, only)
    assert sorted(compose["services"]) == sorted(found)
    assert compose["volumes"] == {"data": {}}
    assert len(COMPOSE["services"]) == 6


def test_a_service_that_there_is_not_is_refused() -> None:
    with pytest.raises(InvalidInput, match="has no service dp; it has cache, db,"):
        with_dependencies(COMPOSE, ["dp", "db"])
