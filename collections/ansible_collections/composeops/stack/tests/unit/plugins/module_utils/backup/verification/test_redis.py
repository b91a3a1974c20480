# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup.damage import Damaged
from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import Manifest
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification import redis
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification.redis import Keys


def manifest(**first: int) -> Manifest:
    invariants: dict[str, Any] = {"first_database": first} if first else {}
    return Manifest("id", "redis", "h", "redis", "", "", (), invariants=invariants)


def test_what_info_says_of_the_keys_is_read() -> None:
    said = {"db0": "keys=5,expires=2,avg_ttl=100,subexpiry=0", "db12": "keys=1,expires=0,avg_ttl=0"}
    assert redis.parse(said) == {0: Keys(5, 2), 12: Keys(1, 0)}


@pytest.mark.parametrize(
    ("first", "loaded", "said"),
    [
        ({"index": 0, "keys": 5, "expiring": 2}, {0: Keys(5, 2)}, "5 keys, 2 of which expire, as in the backup."),
        ({"index": 0, "keys": 0, "expiring": 0}, {}, "0 keys, 0 of which expire, as in the backup."),
        ({"index": 1, "keys": 5, "expiring": 0}, {1: Keys(5, 0), 3: Keys(2, 0)}, "2 keys in others."),
        ({}, {0: Keys(7, 0)}, "7 keys were loaded; the backup does not say how many there were."),
    ],
    ids=["one database", "an empty server", "several", "a head that told nothing"],
)
def test_the_keys_of_the_backup_are_well(first: dict[str, int], loaded: dict[int, Keys], said: str) -> None:
    assert said in redis.check(manifest(**first), loaded)


@pytest.mark.parametrize(
    "loaded",
    [{0: Keys(4, 2)}, {0: Keys(6, 2)}, {0: Keys(5, 1)}, {1: Keys(5, 2)}, {}],
    ids=["one lost", "one more", "one that does not expire", "another database", "nothing"],
)
def test_other_keys_are_damage(loaded: dict[int, Keys]) -> None:
    with pytest.raises(Damaged, match="5 were in it, 2 of which expired"):
        redis.check(manifest(index=0, keys=5, expiring=2), loaded)


def test_the_server_lets_no_key_expire_and_listens_to_nobody() -> None:
    assert redis.ARGUMENTS[redis.ARGUMENTS.index("--replicaof") :] == ["--replicaof", "127.0.0.1", "1"]
    assert redis.ARGUMENTS[redis.ARGUMENTS.index("--port") + 1] == "0"
