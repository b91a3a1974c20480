from __future__ import annotations

import pytest

from benchmarks.backup.report import Sample, page, verdicts


def taken(**seconds: float) -> list[Sample]:
    return [Sample("backup", name, value, 100_000_000, 60_000_000) for name, value in seconds.items()]


@pytest.mark.parametrize(
    ("samples", "missed"),
    [
        pytest.param(taken(ours=10, pipeline=9.5, restic=15), [], id="just met"),
        pytest.param(taken(ours=10, pipeline=9.4, restic=20), ["0.94 times"], id="slower than the pipeline"),
        pytest.param(taken(ours=10, pipeline=10, restic=14), ["1.40 times"], id="not fast enough beside restic"),
        pytest.param([Sample("backup", "ours", 10, 200_000_000, 1)], ["200 MB of memory"], id="too much memory"),
        pytest.param(taken(ours=10), [], id="nobody to compare with"),
    ],
)
def test_what_is_required(samples: list[Sample], missed: list[str]) -> None:
    found = verdicts(samples)
    assert len(found) == len(missed)
    assert all(part in sentence for part, sentence in zip(missed, found, strict=True))


def test_the_page_has_a_row_for_each_contestant_that_took_part() -> None:
    samples = [*taken(ours=10, restic=20), Sample("restore", "ours", 5, 1, 1)]
    text = page(samples, {"dump": "1 GB"}, 1_000_000_000)
    assert "| `composeops backup run` | 10.0 (10.0 to 10.0) | 100 | 1.00 | 100 | 60 |" in text
    assert "| `restic backup --stdin-from-command`, first backup | 20.0 (20.0 to 20.0) | 50 | 2.00 | 100 | 60 |" in text
    assert "rclone" not in text
    assert "## Restore" in text
