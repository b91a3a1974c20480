# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.modules.backup_prune import ARGUMENT_SPEC, wanted

STORE = {"bucket": "backups", "access_key": "i", "secret_key": "s"}


def validated(**params: Any) -> dict[str, Any]:
    found = ArgumentSpecValidator(ARGUMENT_SPEC).validate({"store": STORE, "policy": {"daily": 3}, **params})
    assert found.error_messages == []
    return dict(found.validated_parameters)


def test_what_is_asked_for() -> None:
    policy = {"daily": 3, "sources": [{"name": "mongodb", "hourly": 48}]}
    asked = wanted(validated(policy=policy, sources=["app"], hosts=["h"], unpin=["x"], force_above=80))
    assert (asked.sources, asked.hosts, asked.unpin, asked.force_above) == (("app",), ("h",), ("x",), 80)
    assert (asked.policies.of("app").daily, asked.policies.of("mongodb").daily) == (3, 0)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"force_above": 101}, "no percentage"),
        ({"policy": {}}, "keeps no backup by its age"),
        ({"store": {**STORE, "secret_key": ""}}, r"backup_prune_store\.secret_key is empty"),
    ],
    ids=["percent", "policy", "key"],
)
def test_what_cannot_be_meant_is_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        wanted(validated(**params))


def test_a_misspelt_key_of_a_policy_is_refused() -> None:
    given = {"store": STORE, "policy": {"dialy": 3}}
    assert "dialy" in ArgumentSpecValidator(ARGUMENT_SPEC).validate(given).error_messages[0]
