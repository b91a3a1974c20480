# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.edge import guards
from ansible_collections.composeops.stack.plugins.module_utils.edge.guards import Access, Guard, Limits, Maintenance
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput

BCRYPT = "$2y$05$" + "a" * 53
SHA512 = "$6$salt$" + "b" * 86


def users(password_hash: str, **changes: Any) -> dict[str, Any]:
    return {"basic_auth": {"users": {"alice": password_hash}, **changes}}


def test_nothing_said_guards_nothing() -> None:
    assert guards.parse({"limits": None, "allow": [], "deny": [], "basic_auth": None}, "here") == Guard()


def test_limits_and_networks_are_read() -> None:
    found = guards.parse(
        {"limits": {"rate": "300r/m", "burst": 5, "connections": 9}, "allow": ["10.0.0.7"], "deny": ["2001:db8::/32"]},
        "here",
    )
    assert found == Guard(Limits("300r/m", 5, 9), Access(("10.0.0.7/32",), ("2001:db8::/32",)))


@pytest.mark.parametrize(
    "password_hash", [BCRYPT, SHA512, "$6$rounds=5000$salt$" + "b" * 86], ids=["2y", "6", "rounds"]
)
def test_hashes_that_are_worth_it_are_taken(password_hash: str) -> None:
    auth = guards.parse(users(password_hash), "here").basic_auth
    assert auth is not None
    assert auth.users == (("alice", password_hash),)
    assert password_hash not in repr(auth)


@pytest.mark.parametrize("given", ["open sesame", "{SHA}deadbeef", "$apr1$salt$hash", "$1$salt$hash", BCRYPT[:-1], ""])
def test_anything_else_is_refused_and_not_repeated(given: str) -> None:
    with pytest.raises(InvalidInput, match="neither a bcrypt nor a sha512-crypt hash") as error:
        guards.parse(users(given), "here")
    assert not given or given not in str(error.value)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        pytest.param({"limits": {"rate": "fast"}}, "limits.rate 'fast' is not a rate", id="rate"),
        pytest.param({"limits": {"rate": "0r/s"}}, "limits.rate '0r/s' is not a rate", id="no-rate"),
        pytest.param({"limits": {"burst": 3}}, "limits.burst says nothing without limits.rate", id="burst-alone"),
        pytest.param({"limits": {"connections": 0}}, "connections is 0; it must be at least 1", id="connections"),
        pytest.param({"allow": ["10.0.0.1/8"]}, "allow has '10.0.0.1/8'", id="host-bits"),
        pytest.param({"deny": ["example.com"]}, "deny has 'example.com'", id="name"),
        pytest.param({"basic_auth": {"users": {}}}, "basic_auth has no users", id="no-users"),
        pytest.param({"basic_auth": {"users": {"a:b": BCRYPT}}}, "'a:b' is not a name", id="user"),
        pytest.param(users(BCRYPT, realm='a"b'), "basic_auth.realm", id="realm"),
    ],
)
def test_what_nginx_could_not_mean_is_refused(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        guards.parse(entry, "here")


def test_maintenance_is_on_only_where_it_is_said() -> None:
    assert guards.maintenance({"maintenance_allow": ["10.0.0.1"]}, "here") is None
    assert guards.maintenance({"maintenance": True, "maintenance_allow": ["10.0.0.1"]}, "here") == Maintenance(
        ("10.0.0.1/32",)
    )
