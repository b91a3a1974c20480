"""What the gateway does with requests, through the stand-in (nginx): Kong's file comes from the same declaration."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from tests.integration.bed_host import BedHost
from tests.support.outside import Outside
from tests.support.zviewer import SITE, ask, instances, keys

PAGE = "https://www.zviewer.com"


def test_zvw_02_stand_in_without_a_key_nobody_comes_in(operator: BedHost, outside: Outside) -> None:
    missing = ask(outside, "payments-service", "/version")
    assert (missing.status, missing.json()) == (401, {"message": "No API key found in request"})
    wrong = ask(outside, "payments-service", "/version", key="guessed")
    assert (wrong.status, wrong.json()) == (401, {"message": "Unauthorized"})
    for key in keys(operator).values():
        assert ask(outside, "payments-service", "/version", key=key).status == 200


def test_zvw_02_stand_in_the_service_learns_who_it_is_and_not_the_key(operator: BedHost, outside: Outside) -> None:
    key = keys(operator)["operations"]
    sent = {"X-Consumer-Username": "root", "X-Forwarded-For": "203.0.113.9"}
    headers = ask(outside, "admin-service", "/echo-headers", key=key, headers=sent).json()["headers"]
    assert headers["x-consumer-username"] == "operations"
    assert headers["host"] == SITE
    assert headers["x-forwarded-proto"] == "https"
    assert headers["x-real-ip"] not in ("", "127.0.0.1", "203.0.113.9")
    assert "apikey" not in headers
    assert key not in str(headers)


def test_zvw_02_stand_in_preflight_of_a_page_is_answered_by_the_gateway(outside: Outside) -> None:
    asked = {"Origin": PAGE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "apikey"}
    answer = ask(outside, "payments-service", "/pets", method="OPTIONS", headers=asked)
    assert answer.status in (200, 204)
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "apikey" in answer.headers["access-control-allow-headers"]


def test_zvw_02_stand_in_answers_name_the_page_that_may_read_them(outside: Outside) -> None:
    allowed = ask(outside, "main-server", "/version", headers={"Origin": PAGE})
    assert (allowed.status, allowed.headers["access-control-allow-origin"]) == (200, PAGE)
    # Also of a refusal: the page has to learn that its key is missing.
    refused = ask(outside, "payments-service", "/version", headers={"Origin": PAGE})
    assert (refused.status, refused.headers["access-control-allow-origin"]) == (401, PAGE)
    other = ask(outside, "main-server", "/version", headers={"Origin": "https://evil.example"})
    assert not [name for name in other.headers if name.startswith("access-control")]


def test_zvw_02_stand_in_a_client_above_its_limit_is_told_429(operator: BedHost, outside: Outside) -> None:
    key = keys(operator)["partner"]
    with ThreadPoolExecutor(max_workers=8) as clients:
        asked = [clients.submit(ask, outside, "payments-service", "/version", key) for _ in range(160)]
        answers = [future.result() for future in asked]
    statuses = [answer.status for answer in answers]
    # Two gateways let ten through at once, and ten more each second.
    assert set(statuses) == {200, 429}
    assert statuses.count(200) >= 20
    limited = next(answer for answer in answers if answer.status == 429)
    assert limited.json() == {"message": "API rate limit exceeded"}
    # Others are not touched by it, and it is over soon.
    assert ask(outside, "main-server", "/version").status == 200
    deadline = time.monotonic() + 5
    while ask(outside, "payments-service", "/version", key).status != 200:
        assert time.monotonic() < deadline


def test_zvw_02_stand_in_circuit_opens_when_a_service_is_gone_and_closes_when_it_is_back(
    operator: BedHost, outside: Outside
) -> None:
    names = [container["Name"].removeprefix("/") for container in instances(operator.output)["comments-service"]]
    operator.run(["docker", "stop", "--time", "5", *names], check=True)
    try:
        # The first ones find out, each for a second at most.
        for _ in range(6):
            assert ask(outside, "comments-service", "/version").status == 503
        taken = []
        for _ in range(20):
            began = time.monotonic()
            answer = ask(outside, "comments-service", "/version")
            taken.append(time.monotonic() - began)
            assert (answer.status, answer.json()) == (503, {"message": "no instance of the service is available"})
        assert sorted(taken)[10] < 0.5, taken
        assert ask(outside, "main-server", "/version").status == 200
    finally:
        operator.run(["docker", "start", *names], check=True)
    deadline = time.monotonic() + 30
    while (status := ask(outside, "comments-service", "/version").status) != 200:
        assert time.monotonic() < deadline, status
        time.sleep(0.2)
