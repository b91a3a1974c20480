"""Recaps as the tools print them."""

from __future__ import annotations

import pytest

from benchmarks.converge.recap import Recap, parse_ansible, parse_pyinfra

ANSIBLE = """
TASK [Render files] ************************************************************
ok: [bench] => (item=/srv/bench/orders/environment)

PLAY RECAP *********************************************************************
bench                      : ok={ok}   changed={changed}    unreachable={unreachable}    failed={failed}    skipped=2
"""

PYINFRA = """
--> Results:
    Operation                        Hosts   Success   Error   No Change
    Install packages                 1       -         -       1
    Enable and start logrotate.timer 1       1         -       -
    Grand total                      49      {changed}        {failed}       {unchanged}
"""


def ansible(ok: int, changed: int, unreachable: int = 0, failed: int = 0) -> str:
    return ANSIBLE.format(ok=ok, changed=changed, unreachable=unreachable, failed=failed)


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        pytest.param(ansible(9, 0), Recap(unchanged=9, changed=0, failed=0), id="nothing changed"),
        pytest.param(
            ansible(12, 10), Recap(unchanged=2, changed=10, failed=0), id="changed tasks are among the ok ones"
        ),
        pytest.param(ansible(3, 1, failed=1), Recap(unchanged=2, changed=1, failed=1), id="a failed task"),
        pytest.param(ansible(0, 0, unreachable=1), Recap(unchanged=0, changed=0, failed=1), id="host not reached"),
        pytest.param(
            "\x1b[0;33mbench\x1b[0m : \x1b[0;32mok=2   \x1b[0m \x1b[0;33mchanged=1   \x1b[0m unreachable=0 failed=0",
            Recap(unchanged=1, changed=1, failed=0),
            id="coloured",
        ),
    ],
)
def test_recap_of_ansible(output: str, expected: Recap) -> None:
    assert parse_ansible(output) == expected


@pytest.mark.parametrize(
    "output",
    [
        pytest.param("ERROR! the playbook: site.yml could not be found", id="no recap"),
        pytest.param(ansible(1, 0) + ansible(1, 0), id="recaps of two runs"),
    ],
)
def test_ansible_output_that_says_nothing_clear_is_refused(output: str) -> None:
    with pytest.raises(ValueError, match="a recap of one host was expected"):
        parse_ansible(output)


@pytest.mark.parametrize(
    ("changed", "failed", "unchanged", "expected"),
    [
        pytest.param("-", "-", "49", Recap(unchanged=49, changed=0, failed=0), id="nothing changed"),
        pytest.param("47", "-", "2", Recap(unchanged=2, changed=47, failed=0), id="converged"),
        pytest.param("3", "1", "-", Recap(unchanged=0, changed=3, failed=1), id="a failed operation"),
    ],
)
def test_recap_of_pyinfra(changed: str, failed: str, unchanged: str, expected: Recap) -> None:
    assert parse_pyinfra(PYINFRA.format(changed=changed, failed=failed, unchanged=unchanged)) == expected


def test_pyinfra_output_without_totals_is_refused() -> None:
    with pytest.raises(ValueError, match="one row of totals was expected"):
        parse_pyinfra("--> An internal exception occurred")


@pytest.mark.parametrize(
    ("recap", "nothing_changed", "converged"),
    [
        pytest.param(Recap(unchanged=9, changed=0, failed=0), True, False, id="looked and found all as wanted"),
        pytest.param(Recap(unchanged=0, changed=0, failed=0), False, False, id="did not look at anything"),
        pytest.param(Recap(unchanged=8, changed=1, failed=0), False, True, id="one change"),
        pytest.param(Recap(unchanged=8, changed=1, failed=1), False, False, id="changed, then failed"),
    ],
)
def test_what_a_run_is_counted_as(recap: Recap, nothing_changed: bool, converged: bool) -> None:
    assert (recap.nothing_changed, recap.converged) == (nothing_changed, converged)
