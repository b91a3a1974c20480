"""Runs the tests that need real hosts: modules in groups and whole systems, each on a bare host of its own.

Usage: bed_test.py [GROUP ...]; without groups, all of them. Two groups run at a time; each writes a log below
.cache/tests, whose end is shown when the group has ended. Those that put load on a host run alone, at the end.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
LOGS = ROOT / ".cache/tests"
BED = Path(os.environ.get("COMPOSEOPS_TESTBED_DIR", ".testbed"))
INTEGRATION = "tests/integration"

# Longest first, so that no core waits for the last group.
GROUPS = {
    "stack": ["test_secrets.py", "test_stack.py", "test_stack_info.py", "test_release.py"],
    "backup": ["test_backup.py", "test_backup_info.py", "test_backup_restore.py"],
    "drill": ["test_backup_verify.py"],
    "recover": ["test_recover.py"],
    "accidents": ["test_backup_accidents.py", "test_backup_prune.py"],
    "edge": [
        "test_nginx_sites.py",
        "test_nginx_options.py",
        "test_nginx_reloads.py",
        "test_certificates.py",
        "test_certificate_authorities.py",
    ],
    "pitr": ["test_backup_point_in_time.py"],
    "lock": ["test_stack_lock.py"],
    "compose": ["test_compose_files.py"],
    "host": ["test_host_state.py", "test_program.py", "test_confirmed_state.py", "test_bans.py"],
    "checks": ["test_checks.py", "test_preflight.py"],
    "monitor": ["test_monitor.py"],
}
ELSEWHERE = {
    "bed": "tests/testbed",
    "collection": "tests/collection",
    "awx": "tests/awx",
    "documentation": "tests/documentation",
    "supervisor": "tests/monitor",
    # The same on the other release of Debian.
    "debian12": "tests/documentation",
}
RELEASES = {"debian12": "bookworm"}
# Names that lead to a group's host, beside those of the pet-care system.
ALIASES = {"documentation": "shop.example.com", "debian12": "shop.example.com"}
# Whole systems, each a scenario of molecule and a group of the same name.
SYSTEMS = sorted(path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml"))
# Beside anything else, clients of a busy machine would be all that they measure.
ALONE = {"faults": "tests/faults"}


def files_of(group: str) -> list[str]:
    """Return what pytest is to collect for a group."""
    directories = {**ELSEWHERE, **ALONE}
    return [directories[group]] if group in directories else [f"{INTEGRATION}/{name}" for name in GROUPS[group]]


def unlisted() -> list[str]:
    """Return the integration tests that no group runs."""
    listed = {name for names in GROUPS.values() for name in names}
    return sorted(path.name for path in (ROOT / INTEGRATION).glob("test_*.py") if path.name not in listed)


def environment(**more: str) -> dict[str, str]:
    return {
        **os.environ,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "PYTHONPATH": str(ROOT / "molecule"),
        **more,
    }


def bed(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "testbed", *arguments]


def commands_of(group: str, host: str) -> list[list[str]]:
    """Return what runs a group; a scenario boots and removes its host by itself."""
    if group in SYSTEMS:
        return [[str(BIN / "molecule"), "test", "--scenario-name", group]]
    alias = ["--alias", ALIASES[group]] if group in ALIASES else []
    release = ["--release", RELEASES[group]] if group in RELEASES else []
    return [
        bed("host", "add", host, *alias, *release),
        [str(BIN / "pytest"), "-q", "-m", "bed", "--durations=5", *files_of(group)],
        bed("host", "remove", host),
    ]


def run_group(group: str) -> tuple[str, bool, float]:
    """Run one group on a host of its own and return its name, whether it passed, and its seconds."""
    host, started = f"test-{group}", time.monotonic()
    own = {} if group in SYSTEMS else {"COMPOSEOPS_BED_INVENTORY": str(BED / f"inventory-{host}")}
    with (LOGS / f"{group}.log").open("w") as log:
        statuses = [
            subprocess.run(
                command,
                cwd=ROOT,
                env=environment(**own),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
            ).returncode
            for command in commands_of(group, host)
        ]
    return group, not any(statuses), time.monotonic() - started


def show(group: str, passed: bool, seconds: float) -> None:
    lines = (LOGS / f"{group}.log").read_text().splitlines()
    print(f"== {group}: {'passed' if passed else 'FAILED'} after {seconds:.0f} s (.cache/tests/{group}.log)")
    print("\n".join(lines[-12:] if passed else lines[-250:]), flush=True)


def main() -> int:
    names = [*GROUPS, *SYSTEMS, *ELSEWHERE, *ALONE]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=", ".join(names))
    groups = parser.parse_args().groups or names
    if unknown := sorted(set(groups) - set(names)):
        parser.error(f"there is no group {', '.join(unknown)}; there are {', '.join(names)}")
    if forgotten := unlisted():
        print(f"scripts/bed_test.py lists no group for {', '.join(forgotten)}; add it to GROUPS.", file=sys.stderr)
        return 1
    LOGS.mkdir(parents=True, exist_ok=True)
    subprocess.run(bed("up"), cwd=ROOT, env=environment(), check=True)
    failed = []
    with ThreadPoolExecutor(max_workers=2) as pool:
        running = [pool.submit(run_group, group) for group in groups if group not in ALONE]
        for future in as_completed(running):
            group, passed, seconds = future.result()
            show(group, passed, seconds)
            failed += [] if passed else [group]
    for group in groups:
        if group in ALONE:
            _, passed, seconds = run_group(group)
            show(group, passed, seconds)
            failed += [] if passed else [group]
    if failed:
        print(f"Failed: {', '.join(failed)}. One group alone: make bed-test GROUPS={failed[0]}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
