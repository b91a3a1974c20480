from __future__ import annotations

import pytest

from benchmarks.edge.measurement import Sample, Unusable, read
from benchmarks.edge.report import page, verdicts

PRINTED = """\
Running 4s test @ https://edge.bench.example.com:443/api/pets
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    10.08ms   20.21ms 242.90ms   89.70%
  Latency Distribution
     50%  907.00us
     99%  {tail}
  21942 requests in 4.05s, 24.13MB read
{failures}Requests/sec:   5419.84
Transfer/sec:      5.96MB
"""


@pytest.mark.parametrize(("tail", "seconds"), [("850.00us", 0.00085), ("104.35ms", 0.10435), ("1.20s", 1.2)])
def test_what_wrk_prints_is_read(tail: str, seconds: float) -> None:
    found = read("ours", PRINTED.format(tail=tail, failures=""))
    assert (found.contestant, found.rate) == ("ours", 5419.84)
    assert found.tail == pytest.approx(seconds)


@pytest.mark.parametrize(
    "printed",
    [
        PRINTED.format(tail="1.00ms", failures="  Non-2xx or 3xx responses: 7\n"),
        PRINTED.format(tail="1.00ms", failures="  Socket errors: connect 0, read 3, write 0, timeout 0\n"),
        "unable to connect",
    ],
    ids=["answers-that-are-errors", "connections-that-fail", "nothing"],
)
def test_a_turn_with_failures_counts_for_nothing(printed: str) -> None:
    with pytest.raises(Unusable, match="ours"):
        read("ours", printed)


def taken(**rates: float) -> list[Sample]:
    return [Sample(name.replace("_", "-"), rate, 0.01) for name, rate in rates.items()]


@pytest.mark.parametrize(
    ("samples", "missed"),
    [
        pytest.param(taken(ours=95, minimal=100, minimal_keepalive=100, traefik=900), 0, id="just met"),
        pytest.param(taken(ours=94, minimal=90, minimal_keepalive=100), 1, id="slower than one"),
        pytest.param(taken(ours=1), 0, id="nobody to compare with"),
        pytest.param(taken(minimal=1), 0, id="without ours"),
    ],
)
def test_what_is_required(samples: list[Sample], missed: int) -> None:
    assert len(verdicts(samples)) == missed


def test_the_page_has_a_row_for_each_contestant_that_took_part() -> None:
    text = page([*taken(ours=100, traefik=50), *taken(ours=120)], {"turns": "few"})
    assert "| composeops.stack, a stack in two colours | 110 (100 to 120) | 1.00 | 10.0 (10.0 to 10.0) |" in text
    assert "| Traefik by hand | 50 (50 to 50) | 2.20 | 10.0 (10.0 to 10.0) |" in text
    assert "by hand, `proxy_pass`" not in text
