"""Host, clock and names against what is needed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.preflight.machine import (
    Machine,
    Requirements,
    Resolution,
    clock_problems,
    machine_problems,
    name_problems,
)

MACHINE = Machine("debian-13", "Debian GNU/Linux 13 (trixie)", (3, 13), 2000, {"/": 5000, "/var/lib": 5000})
REQUIRED = Requirements(["debian-12", "debian-13"], (3, 10), 900, {"/": 500, "/var/lib": 2000})


def test_host_that_has_what_is_needed_is_no_problem() -> None:
    exactly = replace(MACHINE, python=(3, 10), memory_mib=900, free_mib={"/": 500, "/var/lib": 2000})
    assert machine_problems(MACHINE, REQUIRED) == []
    assert machine_problems(exactly, REQUIRED) == []


@pytest.mark.parametrize(
    ("machine", "subject", "words"),
    [
        (
            replace(MACHINE, system="fedora-43", system_name="Fedora Linux 43"),
            "system",
            ["Fedora Linux 43 (fedora-43)", "debian-12, debian-13"],
        ),
        (replace(MACHINE, python=(3, 9)), "system", ["Python here is 3.9", "3.10"]),
        (replace(MACHINE, memory_mib=512), "memory", ["512 MiB", "900 MiB", "preflight_minimum_memory_mib"]),
        (replace(MACHINE, free_mib={"/": 5000, "/var/lib": 1999}), "disk", ["/var/lib has 1999 MiB", "2000 MiB"]),
    ],
    ids=["system", "python", "memory", "disk"],
)
def test_what_is_missing_is_named(machine: Machine, subject: str, words: list[str]) -> None:
    (problem,) = machine_problems(machine, REQUIRED)
    assert problem.subject == subject
    assert all(word in problem.sentence() for word in words), problem.sentence()


@pytest.mark.parametrize(
    ("host", "words"),
    [
        (100, None),
        (110, None),
        (140, None),
        (70, None),
        (141, "31 s ahead of the controller's"),
        (69, "31 s behind the controller's"),
    ],
    ids=["at-the-beginning", "at-the-end", "tolerated-ahead", "tolerated-behind", "ahead", "behind"],
)
def test_clock_is_compared_with_the_span_in_which_it_was_read(host: float, words: str | None) -> None:
    problems = clock_problems(host, 100, 110, 30, "the controller's")
    assert [words in problem.message for problem in problems if words] == ([True] if words else [])
    assert bool(problems) is (words is not None)


OWN = {"10.0.0.5", "fd00::5"}


@pytest.mark.parametrize(
    ("resolution", "public"),
    [
        (Resolution("a", ("10.0.0.5",)), []),
        (Resolution("a", ("10.0.0.5", "fd00::5")), []),
        (Resolution("a", ("198.51.100.7",)), ["198.51.100.7"]),
    ],
    ids=["own", "both-families", "behind-nat"],
)
def test_name_that_leads_here_is_no_problem(resolution: Resolution, public: list[str]) -> None:
    assert name_problems([resolution], OWN, public) == []


@pytest.mark.parametrize(
    ("resolution", "public", "words"),
    [
        (Resolution("a", error="Name or service not known"), [], "a does not resolve on this host: Name or service"),
        (Resolution("a", ("192.0.2.1",)), [], "a resolves to 192.0.2.1, which is not this host (10.0.0.5, fd00::5)"),
        (Resolution("a", ("10.0.0.5", "192.0.2.1")), [], "a resolves to 192.0.2.1, which is not this host"),
        (Resolution("a", ("127.0.1.1",)), [], "a resolves to 127.0.1.1 on this host, which says nothing"),
        (Resolution("a", ("10.0.0.5",)), ["198.51.100.7"], "a resolves to 10.0.0.5, which is not this host (198.51"),
    ],
    ids=["unknown", "elsewhere", "one-of-two-elsewhere", "loopback", "inside-of-nat"],
)
def test_name_that_leads_elsewhere_is_named(resolution: Resolution, public: list[str], words: str) -> None:
    (problem,) = name_problems([resolution], OWN, public)
    assert problem.subject == "names"
    assert problem.message.startswith(words)
    assert "edge_public_addresses" in problem.remedy
