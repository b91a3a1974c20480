"""Alerts as the services take them."""

from __future__ import annotations

import json

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.monitor.model import Alert
from ansible_collections.composeops.stack.plugins.module_utils.monitor.payloads import body

AT = 1_700_000_000.5
ALERT = Alert("failing", "api", "api is failing", "It failed.", AT, "petcare1")


def test_slack() -> None:
    assert json.loads(body("slack", ALERT)) == {
        "text": "*\N{POLICE CARS REVOLVING LIGHT} petcare1: api is failing*",
        "attachments": [
            {"color": "#CC0000", "fallback": "It failed.", "text": "It failed.", "mrkdwn_in": [], "ts": 1700000000}
        ],
    }


def test_discord() -> None:
    assert json.loads(body("discord", ALERT)) == {
        "username": "composeops",
        "embeds": [
            {
                "title": "\N{POLICE CARS REVOLVING LIGHT} petcare1: api is failing",
                "description": "It failed.",
                "color": 0xCC0000,
                "timestamp": "2023-11-14T22:13:20.500Z",
            }
        ],
        "allowed_mentions": {"parse": []},
    }


def test_json() -> None:
    assert json.loads(body("json", ALERT)) == {
        "version": 1,
        "kind": "failing",
        "good": False,
        "host": "petcare1",
        "subject": "api",
        "title": "api is failing",
        "text": "It failed.",
        "at": "2023-11-14T22:13:20.500Z",
    }


@pytest.mark.parametrize("kind", ["recovered", "resource_recovered"])
def test_good_news_is_green(kind: str) -> None:
    good = Alert(kind, "api", "api recovered", "It passes.", AT)  # type: ignore[arg-type]
    slack, discord = json.loads(body("slack", good)), json.loads(body("discord", good))
    assert slack["attachments"][0]["color"] == "#2EB67D"
    assert discord["embeds"][0]["color"] == 0x2EB67D
    assert "\N{WHITE HEAVY CHECK MARK}" in slack["text"]


def test_words_of_a_service_are_not_commands_of_slack() -> None:
    evil = Alert("failing", "a", "a <!channel> & more", "<https://evil|click> & @here", AT)
    sent = json.loads(body("slack", evil))
    assert sent["text"] == "*\N{POLICE CARS REVOLVING LIGHT} a &lt;!channel&gt; &amp; more*"
    assert sent["attachments"][0]["text"] == "&lt;https://evil|click&gt; &amp; @here"


def test_words_of_a_service_are_not_markdown_of_discord() -> None:
    embed = json.loads(body("discord", Alert("failing", "a", "my_api_v2 is failing", "**x** [a](b) `c`", AT)))[
        "embeds"
    ][0]
    assert embed["title"].endswith(r"my\_api\_v2 is failing")
    assert embed["description"] == r"\*\*x\*\* \[a\]\(b\) \`c\`"


def test_long_words_are_cut_where_the_services_would_refuse_them() -> None:
    long = Alert("failing", "a", "t" * 1000, "x" * 10_000, AT)
    embed = json.loads(body("discord", long))["embeds"][0]
    assert (len(embed["title"]), len(embed["description"])) == (256, 4096)
    assert len(json.loads(body("slack", long))["attachments"][0]["text"]) == 3000
