# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.release.passwords import spelled_out

FOUND: dict[str, tuple[dict[str, Any], list[tuple[str, str]]]] = {
    "the seed's database password": (
        {"environment": {"POSTGRES_USER": "petuser", "POSTGRES_PASSWORD": "petpass123"}},
        [("POSTGRES_PASSWORD", "petpass123")],
    ),
    "the seed's redis password": (
        {"command": ["redis-server", "--appendonly", "yes", "--requirepass", "redispass123"]},
        [("--requirepass of its command", "redispass123")],
    ),
    "the seed's Grafana password": (
        {"environment": {"GF_SECURITY_ADMIN_PASSWORD": "admin"}},
        [("GF_SECURITY_ADMIN_PASSWORD", "admin")],
    ),
    "in an address": (
        {"environment": {"DATABASE_URL": "postgres://app:hunter22@db/app"}},
        [("the address in DATABASE_URL", "hunter22")],
    ),
    "with an equals sign": (
        {"entrypoint": ["server", "--password=hunter22"]},
        [("--password of its entrypoint", "hunter22")],
    ),
    "a file is none": ({"environment": {"POSTGRES_PASSWORD_FILE": "/run/secrets/db_password"}}, []),
    "a reference to a secret is none": (
        {"environment": {"DB_PASSWORD": "${DB_PASSWORD}", "URL": "redis://:${REDIS_PASSWORD}@redis"}},
        [],
    ),
    "a reference inside the container is none": (
        {"command": ["sh", "-c", "redis-server --requirepass $$(cat /run/secrets/redis)"]},
        [],
    ),
    "nothing is none": ({"environment": {"SMTP_PASS": "", "TOKEN": None}, "command": None}, []),
    "other words are none": (
        {"environment": {"PASSWORD_POLICY": "long", "MODE": "secret"}, "command": ["serve", "--bypass", "x"]},
        [],
    ),
    "an address without a password is none": ({"environment": {"URL": "http://web:8080/@home"}}, []),
}


@pytest.mark.parametrize(("definition", "expected"), FOUND.values(), ids=FOUND.keys())
def test_finds(definition: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert list(spelled_out(definition)) == expected
