from __future__ import annotations

import pytest
from sample import faults
from sample.environment import ConfigError
from sample.faults import FaultError, Faults


def test_no_fault_by_default() -> None:
    assert faults.from_environment({}) == faults.NONE


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("UNHEALTHY", "1", Faults(unhealthy=True)),
        ("ERROR_RATE", "0.5", Faults(error_rate=0.5)),
        ("DELAY", "3", Faults(delay=3)),
        ("PATH", "/api/pets", Faults(path="/api/pets")),
        ("FREEZE", "60", Faults(freeze=60)),
        ("CRASH_AFTER", "0", Faults(crash_after=0)),
        ("LEAK", "10", Faults(leak=10)),
        ("VERSION", "0.9.9", Faults(version="0.9.9")),
        ("IGNORE_SIGTERM", "1", Faults(ignore_sigterm=True)),
        ("MIGRATION", "1", Faults(fail_migration=True)),
    ],
)
def test_switch_is_read_from_the_environment(name: str, value: str, expected: Faults) -> None:
    assert faults.from_environment({f"SAMPLE_FAULT_{name}": value}) == expected


@pytest.mark.parametrize(
    ("env", "message"),
    [
        pytest.param({"SAMPLE_FAULT_ERROR_RATE": "2"}, "share from 0 to 1", id="rate"),
        pytest.param({"SAMPLE_FAULT_PATH": "api"}, "start with a slash", id="path"),
        pytest.param({"SAMPLE_FAULT_DELAY": "x"}, "SAMPLE_FAULT_DELAY: 'x' is not a number", id="number"),
    ],
)
def test_wrong_switch_in_the_environment_is_refused(env: dict[str, str], message: str) -> None:
    with pytest.raises((ConfigError, FaultError), match=message):
        faults.from_environment(env)


def test_change_keeps_what_it_does_not_name() -> None:
    before = Faults(unhealthy=True, delay=1)
    assert faults.changed(before, {"delay": 0}) == Faults(unhealthy=True)


def test_crash_can_be_taken_back() -> None:
    assert faults.changed(Faults(crash_after=9), {"crash_after": None}) == faults.NONE


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"unknown": 1}, id="unknown-switch"),
        pytest.param({"unhealthy": 1}, id="number-for-boolean"),
        pytest.param({"delay": True}, id="boolean-for-number"),
        pytest.param({"delay": None}, id="null-for-number"),
        pytest.param({"delay": -1}, id="negative"),
        pytest.param({"delay": float("nan")}, id="nan"),
        pytest.param({"delay": 10**400}, id="huge"),
        pytest.param({"error_rate": 1.5}, id="rate-above-one"),
        pytest.param({"version": 1}, id="number-for-text"),
        pytest.param({"path": "pets"}, id="relative-path"),
    ],
)
def test_wrong_change_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(FaultError):
        faults.changed(faults.NONE, changes)


@pytest.mark.parametrize(
    ("path", "request_path", "expected"),
    [
        ("/", "/health", True),
        ("/api/pets", "/api/pets", True),
        ("/api/pets/", "/api/pets", True),
        ("/api/pets", "/api/pets/7", True),
        ("/api/pets", "/api/petshop", False),
        ("/api/pets", "/api/health", False),
    ],
)
def test_path_limits_errors_and_delays(path: str, request_path: str, expected: bool) -> None:
    switches = Faults(path=path, error_rate=1, delay=2)
    assert switches.fails(request_path, roll=0.99) is expected
    assert switches.seconds_added(request_path) == (2 if expected else 0)


def test_rate_fails_its_share() -> None:
    switches = Faults(error_rate=0.25)
    assert [switches.fails("/x", roll / 4) for roll in range(4)] == [True, False, False, False]
    assert not faults.NONE.fails("/x", 0.0)
