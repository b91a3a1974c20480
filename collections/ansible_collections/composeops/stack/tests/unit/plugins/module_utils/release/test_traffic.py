# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.release import traffic
from ansible_collections.composeops.stack.plugins.module_utils.release.traffic import Sample, Traffic

LINES = {
    "an answer": ("green;200;0.044", Sample(1, 0, {44: 1})),
    "a failure of the service": ("green;500;0.002", Sample(1, 1, {2: 1})),
    "no service there": ("green;502;0.000", Sample(1, 1, {0: 1})),
    "a failure of nginx before it asked": ("green;502;-", Sample(1, 1, {})),
    "a request that is wrong": ("green;404;0.001", Sample(1, 0, {1: 1})),
    "a client that gave up": ("green;499;0.300", Sample(1, 0, {300: 1})),
    "a WebSocket, however long it was open": ("green;101;361.001", Sample(1, 0, {})),
    "a replica that refused, and one that answered": ("green;200;0.001, 0.020", Sample(1, 0, {21: 1})),
    "an internal redirect": ("green;200;0.001 : 0.020", Sample(1, 0, {21: 1})),
    "a replica without a time": ("green;504;-, 0.500", Sample(1, 1, {500: 1})),
    "something else": ("purple;200;0.1", Sample()),
    "another format": ('127.0.0.1 - - "GET / HTTP/1.1" 200 612', Sample()),
    "a time that is none": ("green;200;soon", Sample(1, 0, {})),
    "an empty line": ("", Sample()),
}


@pytest.mark.parametrize(("line", "expected"), LINES.values(), ids=LINES.keys())
def test_a_line_says_colour_status_and_time(line: str, expected: Sample) -> None:
    found = traffic.parse([line])
    assert found == {"blue": Sample(), "green": expected}


def test_nginx_writes_what_is_read() -> None:
    text = traffic.nginx_format("$colour")
    for variable, value in {"$colour": "blue", "$status": "503", "$upstream_response_time": "1.5"}.items():
        text = text.replace(variable, value)
    assert traffic.parse([text])["blue"] == Sample(1, 1, {1500: 1})


def test_samples_add_up() -> None:
    first = {"blue": Sample(3, 1, {1: 2, 7: 1})}
    second = {"blue": Sample(2, 0, {1: 1, 9: 1}), "green": Sample(1, 1, {4: 1})}
    assert traffic.add(first, second) == {"blue": Sample(5, 1, {1: 3, 7: 1, 9: 1}), "green": Sample(1, 1, {4: 1})}


@pytest.mark.parametrize(
    ("times", "p95"),
    [({}, 0.0), ({8: 1}, 0.008), ({1: 19, 90: 1}, 0.001), ({1: 18, 90: 2}, 0.09), ({5: 950, 3000: 50}, 0.005)],
    ids=["none", "one", "one of twenty is slow", "two of twenty are slow", "just enough are fast"],
)
def test_the_95th_percentile(times: dict[int, int], p95: float) -> None:
    assert Sample(sum(times.values()), 0, times).p95 == p95


def test_slower_is_more_than() -> None:
    assert Sample(6, 0, {10: 1, 20: 2, 21: 3}).slower_than(0.020) == 3


@pytest.fixture
def log(tmp_path: Path) -> Path:
    found = tmp_path / "composeops-shop.log"
    found.write_text("green;500;0.001\n" * 3)
    return found


@pytest.fixture
def following(log: Path) -> Iterator[Traffic]:
    found = Traffic(str(log))
    yield found
    found.close()


def write(path: Path, text: str) -> None:
    with path.open("a") as stream:
        stream.write(text)


def answered(following: Traffic) -> int:
    return following.read()["green"].requests


def test_only_what_is_written_from_now_on_counts_and_once(log: Path, following: Traffic) -> None:
    assert answered(following) == 0
    write(log, "green;200;0.001\n" * 2)
    assert [answered(following), answered(following)] == [2, 0]


def test_half_a_line_counts_when_it_is_whole(log: Path, following: Traffic) -> None:
    write(log, "green;200;0.001\ngreen;5")
    assert answered(following) == 1
    write(log, "00;0.020\n")
    assert following.read()["green"] == Sample(1, 1, {20: 1})


def test_lines_before_during_and_after_a_rotation_count(log: Path, following: Traffic) -> None:
    rotated = log.with_suffix(".log.1")
    write(log, "green;200;0.001\n")
    log.rename(rotated)
    write(rotated, "green;200;0.001\n")
    assert answered(following) == 2
    log.touch()
    write(rotated, "green;200;0.001\ngreen;2")
    assert answered(following) == 1
    write(rotated, "00;0.001\n")
    write(log, "green;200;0.001\n")
    assert answered(following) == 2
    write(log, "green;200;0.001\n")
    assert answered(following) == 1


def test_a_second_rotation_is_followed_too(log: Path, following: Traffic) -> None:
    for number in (1, 2):
        log.rename(log.with_suffix(f".{number}"))
        log.touch()
        write(log, "green;200;0.001\n")
        assert answered(following) == 1


def test_a_log_that_someone_emptied_is_read_from_its_begin(log: Path, following: Traffic) -> None:
    os.truncate(log, 0)
    write(log, "green;200;0.001\n")
    assert answered(following) == 1


def test_the_log_is_empty_afterwards(log: Path) -> None:
    Traffic(str(log)).close()
    assert log.read_text() == ""


def test_a_log_that_is_gone_afterwards_is_no_error(log: Path) -> None:
    following = Traffic(str(log))
    log.unlink()
    assert answered(following) == 0
    following.close()


def test_without_a_log_nobody_can_judge(tmp_path: Path) -> None:
    with pytest.raises(ComposeOpsError, match=r"composeops-shop\.log cannot be read .*run the role edge"):
        Traffic(traffic.path("shop", str(tmp_path)))


TRAEFIK_LINE = '{"ServiceName":"%s","DownstreamStatus":%d,"OriginDuration":%d}\n'


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param(
            [TRAEFIK_LINE % ("shop-web-80-green@file", 200, 12_000_000)],
            {"green": Sample(1, 0, {12: 1})},
            id="answered",
        ),
        pytest.param(
            [TRAEFIK_LINE % ("shop-web-80-blue@file", 502, 1_000_000)], {"blue": Sample(1, 1, {1: 1})}, id="failed"
        ),
        pytest.param([TRAEFIK_LINE % ("shop-web-80-blue@file", 101, 9_000_000)], {"blue": Sample(1)}, id="WebSocket"),
        pytest.param([TRAEFIK_LINE % ("blog-web-80-blue@file", 200, 1)], {}, id="another stack"),
        pytest.param([TRAEFIK_LINE % ("shop-web-80@file", 200, 1)], {}, id="replaced in place"),
        pytest.param(["not json\n", "{}\n"], {}, id="something else"),
    ],
)
def test_lines_of_traefik(lines: list[str], expected: dict[str, Sample]) -> None:
    found = traffic.traefik_parser("shop")(lines)
    assert found == {"blue": Sample(), "green": Sample(), **expected}
