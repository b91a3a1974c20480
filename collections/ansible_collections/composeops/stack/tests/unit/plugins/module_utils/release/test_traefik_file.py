# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.release import traefik_file
from ansible_collections.composeops.stack.plugins.module_utils.release.traefik_file import Choice

HTTP = {
    "services": {
        "shop-web-80-blue": {"loadBalancer": {"servers": [{"url": "http://127.0.0.1:1"}]}},
        "shop-web-80-green": {"loadBalancer": {"servers": [{"url": "http://127.0.0.1:2"}]}},
        "shop-web-80": {
            "weighted": {
                "services": [{"name": "shop-web-80-blue", "weight": 0}, {"name": "shop-web-80-green", "weight": 0}]
            }
        },
    }
}


def weights(text: str) -> dict[str, int]:
    body = json.loads("\n".join(line for line in text.splitlines() if not line.startswith("#")))
    members = body["http"]["services"]["shop-web-80"]["weighted"]["services"]
    return {member["name"].rpartition("-")[2]: member["weight"] for member in members}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        pytest.param(Choice(), {"blue": 100, "green": 0}, id="the first release is blue"),
        pytest.param(Choice("green"), {"blue": 0, "green": 100}, id="green"),
        pytest.param(Choice("blue", "green", 5), {"blue": 95, "green": 5}, id="a canary in green"),
        pytest.param(Choice("green", "blue", 50), {"blue": 50, "green": 50}, id="a canary in blue"),
        pytest.param(Choice("green", "green", 50), {"blue": 0, "green": 100}, id="a canary that serves already"),
    ],
)
def test_weights_of_a_choice(choice: Choice, expected: dict[str, int]) -> None:
    text = traefik_file.render("shop", choice, HTTP)
    assert weights(text) == expected
    assert sum(expected.values()) == 100


@pytest.mark.parametrize("choice", [Choice(), Choice("green"), Choice("blue", "green", 25, "cookie")])
def test_a_file_is_read_back_as_it_was_chosen(choice: Choice) -> None:
    text = traefik_file.render("shop", choice, HTTP)
    found, http = traefik_file.parse(text)
    assert found == choice
    assert traefik_file.render("shop", found, http) == text


def test_rendering_does_not_change_what_it_is_given() -> None:
    before = json.dumps(HTTP)
    traefik_file.render("shop", Choice("green"), HTTP)
    assert json.dumps(HTTP) == before


@pytest.mark.parametrize("text", [None, ""])
def test_nothing_was_chosen_where_there_is_no_file(text: str | None) -> None:
    assert traefik_file.parse(text) == (Choice("blue"), {})


def test_a_stack_that_no_site_leads_to_keeps_its_choice() -> None:
    assert traefik_file.parse(traefik_file.render("shop", Choice("green"), {})) == (Choice("green"), {})


def test_every_content_has_a_marker_of_its_own() -> None:
    texts = [traefik_file.render("shop", Choice(colour), HTTP) for colour in ("blue", "green")]
    texts.append(traefik_file.render("blog", Choice(), HTTP))
    markers = [traefik_file.marker(text) for text in texts]
    assert len(set(markers)) == 3
    assert markers[0].startswith("composeops-file-stack-shop-")


def test_clients_of_a_canary_are_told_apart_by_a_cookie_only_while_it_runs() -> None:
    running = traefik_file.render("shop", Choice("blue", "green", 5, "cookie"), HTTP)
    over = traefik_file.render("shop", Choice("green"), traefik_file.parse(running)[1])
    assert '"name": "composeops_release"' in running
    assert "composeops_release" not in over


@pytest.mark.parametrize(
    ("colour", "percent", "sticky", "message"),
    [
        ("green", 101, "none", "101 % of the requests cannot go to 'green'"),
        ("green", -1, "none", "-1 % of the requests cannot go to 'green'"),
        ("red", 5, "none", "5 % of the requests cannot go to 'red'"),
        ("green", 5, "address", "Traefik does not tell the clients of a canary apart by their addresses"),
    ],
)
def test_a_canary_that_is_refused(colour: str, percent: int, sticky: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        traefik_file.canary_choice("shop", Choice(), colour, percent, sticky)  # type: ignore[arg-type]


def test_a_share_of_nothing_ends_a_canary() -> None:
    assert traefik_file.canary_choice("shop", Choice("blue", "green", 5), "green", 0, "none") == Choice("blue")


def test_names_of_files_and_stacks() -> None:
    assert traefik_file.path("shop-eu", "/d") == "/d/stack-shop-eu.yml"
    assert traefik_file.stack_of(traefik_file.name("shop-eu")) == "shop-eu"
