"""Health document, tokens, request bodies, page, migrations: each a function from values to a value."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta, timezone

import pytest
from sample import health, migrations, page, pets, tokens
from sample.pets import PetError
from sample.tokens import TokenError

NOON = datetime(2025, 11, 12, 12, 30, tzinfo=timezone(timedelta(hours=2)))


@pytest.mark.parametrize(("healthy", "status"), [(True, "healthy"), (False, "unhealthy")])
def test_rfx_03_health_document(healthy: bool, status: str) -> None:
    assert health.document(
        healthy=healthy,
        now=NOON,
        service="backend",
        environment="production",
        database=health.CONNECTED,
        git_commit="3692de12",
        version="1.0.0",
    ) == {
        "status": status,
        "timestamp": "2025-11-12T10:30:00Z",
        "service": "backend",
        "environment": "production",
        "database": "connected",
        "git_commit": "3692de12",
        "version": "1.0.0",
    }


@pytest.mark.parametrize(
    ("database", "schema_ready", "told_unhealthy", "expected"),
    [
        pytest.param(health.CONNECTED, True, False, True, id="connected"),
        pytest.param(health.CONNECTED, False, False, False, id="schema-missing"),
        pytest.param(health.DISCONNECTED, True, False, False, id="database-down"),
        pytest.param(health.NOT_CONFIGURED, False, False, True, id="no-database"),
        pytest.param(health.CONNECTED, True, True, False, id="told-unhealthy"),
    ],
)
def test_health_follows_database_and_switch(
    database: str, schema_ready: bool, told_unhealthy: bool, expected: bool
) -> None:
    assert health.is_healthy(database, schema_ready, told_unhealthy) is expected


def test_token_is_good_for_whoever_has_the_key() -> None:
    assert tokens.subject_of("key", tokens.issue("key", "rex", expires=100), now=99) == "rex"


def test_token_is_a_standard_one() -> None:
    header = tokens.issue("key", "rex", expires=100).split(".")[0]
    assert json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4))) == {"alg": "HS256", "typ": "JWT"}


@pytest.mark.parametrize(
    ("token", "now"),
    [
        pytest.param(tokens.issue("other", "rex", 100), 0, id="other-key"),
        pytest.param(tokens.issue("key", "rex", 100), 100, id="expired"),
        pytest.param("x.y", 0, id="two-parts"),
        pytest.param("é.y.z", 0, id="not-ascii"),
        pytest.param("", 0, id="empty"),
    ],
)
def test_bad_token_is_refused(token: str, now: int) -> None:
    with pytest.raises(TokenError):
        tokens.subject_of("key", token, now)


def test_pet_is_read() -> None:
    assert pets.parse({"name": "Rex", "species": "dog", "request_id": "r-1"}) == pets.NewPet("Rex", "dog", "r-1")


def test_pets_without_request_id_are_different_requests() -> None:
    assert pets.parse({"name": "Rex"}).request_id != pets.parse({"name": "Rex"}).request_id


@pytest.mark.parametrize(
    "body",
    [
        pytest.param([], id="list"),
        pytest.param({}, id="no-name"),
        pytest.param({"name": 1}, id="number"),
        pytest.param({"name": ""}, id="empty"),
        pytest.param({"name": "x" * 201}, id="long"),
        pytest.param({"name": "a\0b"}, id="nul"),
        pytest.param({"name": "\ud800"}, id="half-surrogate"),
        pytest.param({"name": "Rex", "owner": "me"}, id="unknown-field"),
    ],
)
def test_wrong_pet_is_refused(body: object) -> None:
    with pytest.raises(PetError):
        pets.parse(body)


def test_page_escapes_what_it_shows() -> None:
    html = page.render("portal", "1.0.0", '"><script>')
    assert '<span id="version">1.0.0</span>' in html
    assert "<script>" not in html


def test_migrations_are_numbered_from_one_without_gaps() -> None:
    assert [number for number, _ in migrations.MIGRATIONS] == list(range(1, migrations.HEAD + 1))


def test_only_missing_migrations_are_pending() -> None:
    assert migrations.pending(set()) == migrations.MIGRATIONS
    assert migrations.pending({number for number, _ in migrations.MIGRATIONS}) == ()
