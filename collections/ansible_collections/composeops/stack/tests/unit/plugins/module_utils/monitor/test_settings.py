"""The configuration file: what it may say, and what is said about what it may not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.monitor.model import Policy, Target, Thresholds, Webhook
from ansible_collections.composeops.stack.plugins.module_utils.monitor.settings import load, parse

API = {"name": "api", "type": "http", "url": "http://127.0.0.1/health"}
BACKUP = {"name": "backup", "type": "backup_age", "source": "database"}
SECRET = "https://hooks.slack.example/services/T0/B0/secret"


def test_little_is_needed() -> None:
    settings = parse({"checks": [API, BACKUP]})
    assert settings.policy == Policy(restarts_per_hour=3, backoff=60, grace=60)
    assert settings.thresholds == Thresholds()
    assert (settings.start_delay, settings.interval) == (30, 30)
    api, backup = settings.rules["api"], settings.rules["backup"]
    assert (api.interval, api.retry_interval, api.failures, api.target) == (30, 30, 3, None)
    # What changes in days is not asked for twice a minute.
    assert (backup.interval, backup.retry_interval) == (900, 900)


@pytest.mark.parametrize(
    ("rule", "target"),
    [
        ({"restart": "docker", "stack": "shop", "service": "api"}, Target("docker", stack="shop", service="api")),
        ({"restart": "supervisor", "program": "api"}, Target("supervisor", program="api")),
        ({"restart": "systemd", "unit": "nginx.service"}, Target("systemd", unit="nginx.service")),
        (
            {"restart": "systemd", "unit": "nginx.service", "stack": "shop"},
            Target("systemd", stack="shop", unit="nginx.service"),
        ),
        ({"restart": "none"}, None),
        ({}, None),
    ],
)
def test_rule_names_what_is_restarted(rule: dict[str, str], target: Target | None) -> None:
    assert parse({"checks": [API], "rules": [{"check": "api", **rule}]}).rules["api"].target == target


@pytest.mark.parametrize(
    ("target", "name"),
    [
        (Target("docker", stack="shop", service="api"), "shop/api"),
        (Target("supervisor", program="api"), "api"),
        (Target("systemd", unit="nginx.service"), "nginx.service"),
    ],
)
def test_target_has_a_name(target: Target, name: str) -> None:
    assert target.name == name


@pytest.mark.parametrize(
    ("common", "own", "expected"),
    [
        ({}, {}, (30, 30, 3)),
        ({"interval": 10}, {}, (10, 10, 3)),
        ({"interval": 10, "retry_interval": 2, "failures": 5}, {}, (10, 2, 5)),
        ({"interval": 10, "retry_interval": 2}, {"interval": 60, "failures": 1}, (60, 2, 1)),
        ({"interval": 10}, {"retry_interval": 3}, (10, 3, 3)),
    ],
)
def test_rule_overrides_what_is_common(
    common: dict[str, float], own: dict[str, float], expected: tuple[float, float, int]
) -> None:
    rule = parse({"checks": [API], **common, "rules": [{"check": "api", **own}]}).rules["api"]
    assert (rule.interval, rule.retry_interval, rule.failures) == expected


def test_rule_says_what_a_check_stands_on() -> None:
    rules = parse({"checks": [API, BACKUP], "rules": [{"check": "api", "needs": ["backup"]}]}).rules
    assert (rules["api"].needs, rules["backup"].needs) == (("backup",), ())


def test_webhooks_from_the_file_and_from_files_beside_it(tmp_path: Path) -> None:
    (tmp_path / "url").write_text(f"{SECRET}\n")
    settings = parse(
        {
            "checks": [API],
            "webhooks": [
                {"name": "a", "format": "slack", "url": SECRET},
                {"name": "b", "format": "discord", "url_file": str(tmp_path / "url")},
            ],
        }
    )
    assert settings.webhooks == (Webhook("a", "slack", SECRET), Webhook("b", "discord", SECRET))
    assert SECRET not in repr(settings)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"checks": [API], "intervall": 5}, "the file has no option intervall"),
        ({"checks": [API], "interval": 0}, "interval must be more than 0"),
        ({"checks": [API], "interval": "often"}, "interval must be a number, not 'often'"),
        ({"checks": [API], "grace": -1}, "grace must not be -1"),
        ({"checks": [API], "grace": float("nan")}, "grace must not be nan"),
        ({"checks": {}}, "checks must be a list"),
        ({"checks": [{"name": "x", "type": "http"}]}, "http needs url"),
        ({"checks": [], "thresholds": {"cpu": 0, "memory": 0, "disk": 0}}, "nothing to watch"),
        ({"checks": [API], "thresholds": {"cpu": 101}}, "cpu is a percentage"),
        ({"checks": [API], "thresholds": {"swap": 1}}, "thresholds has no option swap"),
        ({"checks": [API], "rules": [{"check": "nope"}]}, "rule 1 is for the check 'nope', which is not declared"),
        ({"checks": [API], "rules": [{"check": "api"}, {"check": "api"}]}, "two rules for the check api"),
        ({"checks": [API], "rules": [{"check": "api", "every": 5}]}, "rule api has no option every"),
        ({"checks": [API], "rules": [{"check": "api", "restart": "kill"}]}, "restart is one of docker, supervisor"),
        ({"checks": [API], "rules": [{"check": "api", "restart": "docker"}]}, "needs stack and service"),
        (
            {"checks": [API], "rules": [{"check": "api", "restart": "systemd", "unit": "a", "program": "b"}]},
            "restart systemd does not know program",
        ),
        ({"checks": [API], "rules": [{"check": "api", "needs": ["db"]}]}, "rule api needs 'db', which is no other"),
        ({"checks": [API], "rules": [{"check": "api", "needs": ["api"]}]}, "rule api needs 'api', which is no other"),
        ({"checks": [API], "webhooks": [{"name": "a"}]}, "webhook a needs either url or url_file"),
        ({"checks": [API], "webhooks": [{"url": SECRET}]}, "webhook 1 needs a name of its own"),
        ({"checks": [API], "webhooks": [{"name": "a", "url": SECRET, "format": "irc"}]}, "format is one of slack"),
        ({"checks": [API], "webhooks": [{"name": "a", "url_file": "/nowhere"}]}, "webhook a: its URL is not one"),
    ],
)
def test_what_cannot_be_meant_is_refused(content: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(content)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "url", ["hooks.secret", "ftp://h/secret", "https://h/sec ret", "https://h/sécret", "https://h/\n"]
)
def test_wrong_url_of_a_webhook_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse({"checks": [API], "webhooks": [{"name": "a", "url": url}]})
    assert str(caught.value) == "webhook a: its URL is not one."
    assert caught.value.__cause__ is None


def written(path: Path, content: Any, mode: int = 0o600) -> str:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    path.chmod(mode)
    return str(path)


def test_file_with_a_url_must_be_private(tmp_path: Path) -> None:
    content = {"checks": [API], "webhooks": [{"name": "a", "url": SECRET}]}
    assert load(written(tmp_path / "a", content)).webhooks[0].url == SECRET
    with pytest.raises(InvalidInput, match="can be read by others") as caught:
        load(written(tmp_path / "b", content, 0o644))
    assert SECRET not in str(caught.value)


def test_file_without_a_url_may_be_read(tmp_path: Path) -> None:
    assert load(written(tmp_path / "a", {"checks": [API]}, 0o644)).webhooks == ()


@pytest.mark.parametrize("text", ["nonsense", "[]", '{"checks": 1}', '{"checks": [1]}', '{"rules": [1], "checks": []}'])
def test_file_of_another_shape_is_refused_with_its_name(text: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"monitor\.json is wrong") as caught:
        load(written(tmp_path / "monitor.json", text))
    assert "run playbooks/site.yml" in str(caught.value)


def test_missing_file_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(ComposeOpsError, match=r"not configured: .* is missing\. Run playbooks/site\.yml"):
        load(str(tmp_path / "none"))
