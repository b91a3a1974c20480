"""Declared checks to models, and everything that is wrong with them at once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.checks.declaration import parse, serialise
from ansible_collections.composeops.stack.plugins.module_utils.checks.model import (
    CHECKS,
    REQUIRED,
    BackupAgeCheck,
    CertificateCheck,
    Check,
    ContainerCheck,
    Expectation,
    ExposureCheck,
    HttpCheck,
    LogCheck,
    MongoCheck,
    PostgresCheck,
    RedisCheck,
    TcpCheck,
    TcpExpectation,
    WebsocketCheck,
)
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput

URL = "https://app.example/"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"type": "http", "url": URL}, HttpCheck("a", url=URL)),
        (
            {"type": "http", "url": URL, "connect_to": "127.0.0.1", "expect": {"status": 204, "json": {"n": 1}}},
            HttpCheck("a", url=URL, connect_to="127.0.0.1", expect=Expectation(status=(204,), json={"n": "1"})),
        ),
        (
            {"type": "http", "url": URL, "expect": {"status": ["200", 301], "headers": {"Location": "/x"}}},
            HttpCheck("a", url=URL, expect=Expectation(status=(200, 301), headers={"Location": "/x"})),
        ),
        ({"type": "websocket", "url": "wss://m/ws"}, WebsocketCheck("a", url="wss://m/ws")),
        ({"type": "tcp", "host": "h", "port": "22"}, TcpCheck("a", host="h", port=22)),
        (
            {"type": "tcp", "host": "h", "port": 5432, "expect": {"state": "closed"}},
            TcpCheck("a", host="h", port=5432, expect=TcpExpectation("closed")),
        ),
        (
            {"type": "certificate", "host": "h", "names": ["b"], "min_days": "21"},
            CertificateCheck("a", host="h", names=("b",), min_days=21),
        ),
        (
            {"type": "postgres", "stack": "s", "service": "db", "user": "u", "database": "d"},
            PostgresCheck("a", stack="s", service="db", user="u", database="d"),
        ),
        (
            {"type": "redis", "stack": "s", "service": "r", "password_secret": "P"},
            RedisCheck("a", stack="s", service="r", password_secret="P"),
        ),
        ({"type": "container", "stack": "s"}, ContainerCheck("a", stack="s")),
        ({"type": "backup_age", "source": "db", "max_age": "2d"}, BackupAgeCheck("a", source="db", max_age="2d")),
        ({"type": "mongo", "stack": "s", "service": "db"}, MongoCheck("a", stack="s", service="db")),
        (
            {"type": "log", "stack": "s", "pattern": "^PANIC", "window": "1h", "most": 2},
            LogCheck("a", stack="s", pattern="^PANIC", window="1h", most=2),
        ),
        (
            {"type": "exposure", "host": "h", "ports": [22, 80], "allowed": [22]},
            ExposureCheck("a", host="h", ports=(22, 80), allowed=(22,)),
        ),
    ],
    ids=[
        *("http", "http-expectation", "http-list-of-texts", "websocket", "tcp-text-port", "tcp-closed", "certificate"),
        *("postgres", "redis", "container", "backup-age", "mongo", "log", "exposure"),
    ],
)
def test_declaration_becomes_a_check(raw: dict[str, Any], expected: Check) -> None:
    assert parse([{"name": "a", **raw}]) == (expected,)


def test_what_is_none_was_not_given() -> None:
    raw = {"name": "a", "type": "http", "url": URL, "port": None, "expect": {"status": None, "body": "ok"}}
    assert parse([raw]) == (HttpCheck("a", url=URL, expect=Expectation(body="ok")),)


def test_common_options_belong_to_every_type() -> None:
    (check,) = parse([{"name": "a", "type": "container", "stack": "s", "timeout": 3, "attempts": "5", "interval": 0}])
    assert (check.timeout, check.attempts, check.interval) == (3.0, 5, 0.0)


@pytest.mark.parametrize("kind", [kind for kind in CHECKS if REQUIRED[kind]])
def test_every_type_names_what_it_needs(kind: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        parse([{"name": "a", "type": kind}])
    assert f"{kind} needs {', '.join(REQUIRED[kind])}." in str(raised.value)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"type": "htttp"}, "its type must be one of http, websocket"),
        ({}, "its type must be one of"),
        ({"type": "tcp", "host": "h", "port": 1, "url": URL}, "tcp has no option url; it has attempts, expect"),
        ({"type": "http", "url": URL, "expect": {"state": "open"}}, "expect has no option state"),
        ({"type": "http", "url": URL, "expect": 200}, "expect cannot be 200"),
        ({"type": "http", "url": URL, "timeout": 0}, "timeout must be more than 0"),
        ({"type": "http", "url": URL, "attempts": 0}, "attempts at least 1"),
        ({"type": "http", "url": "app.example"}, "is not an absolute URL"),
        ({"type": "http", "url": "wss://app.example/"}, "a http URL begins with http or https, not wss"),
        ({"type": "websocket", "url": URL}, "a websocket URL begins with ws or wss, not https"),
        ({"type": "tcp", "host": "h", "port": 1, "expect": {"state": "shut"}}, "open or closed, not shut"),
        ({"type": "tcp", "host": "h", "port": "ssh"}, "invalid literal"),
        ({"type": "backup_age", "source": "db", "max_age": "a day"}, "'a day' is not a duration"),
        ({"type": "verified_age", "source": "db", "max_age": "a week"}, "'a week' is not a duration"),
        ({"type": "wal_lag", "source": "db", "max_age": "soon"}, "'soon' is not a duration"),
        ({"type": "mongo", "stack": "s", "service": "db", "user": "root"}, "belong together"),
        ({"type": "log", "stack": "s", "pattern": "("}, "pattern is no regular expression"),
        ({"type": "log", "stack": "s", "pattern": ""}, "must not be empty"),
        ({"type": "log", "stack": "s", "window": "0s"}, "window must be more than 0"),
        ({"type": "log", "stack": "s", "most": -1}, "most not negative"),
    ],
    ids=[
        *("misspelled-type", "no-type", "option-of-another-type", "expectation-of-another-type", "expectation-shape"),
        *("no-time", "no-attempt", "no-url", "http-scheme", "websocket-scheme", "tcp-state", "port-name", "duration"),
        *("duration-of-proof", "duration-of-lag"),
        *("mongo-half-a-login", "log-no-pattern", "log-empty-pattern", "log-no-window", "log-negative"),
    ],
)
def test_wrong_declaration_is_refused_with_its_name(raw: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        parse([{"name": "front page", **raw}])
    assert "check front page: " in str(raised.value)
    assert message in str(raised.value)


def test_everything_wrong_is_said_at_once() -> None:
    with pytest.raises(InvalidInput) as raised:
        parse(
            [
                {"type": "http", "url": URL},
                {"name": "b", "type": "tcp"},
                {"name": "c", "type": "container", "stack": "s"},
            ]
        )
    assert "check 1: http needs name." in str(raised.value)
    assert "check b: tcp needs host, port." in str(raised.value)
    assert "check c" not in str(raised.value)


def test_names_are_unique() -> None:
    with pytest.raises(InvalidInput, match="check a: there are two of this name"):
        parse([{"name": "a", "type": "container", "stack": "s"}, {"name": "a", "type": "container", "stack": "t"}])


def test_what_is_kept_is_what_was_given_and_reads_back() -> None:
    raw = {"name": "a", "type": "http", "url": URL, "port": None, "expect": {"status": [204], "body": None}}
    text = serialise([raw], "PEM")
    assert json.loads(text) == {
        "checks": [{"name": "a", "type": "http", "url": URL, "expect": {"status": [204]}}],
        "ca": "PEM",
    }
    assert parse(json.loads(text)["checks"]) == parse([raw])
