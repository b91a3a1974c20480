"""What a contestant's own summary says it did: parsed, because a benchmark that trusts exit codes measures nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass

ANSIBLE_RECAP = re.compile(
    r"^\S+\s+: ok=(?P<ok>\d+)\s+changed=(?P<changed>\d+)\s+unreachable=(?P<unreachable>\d+)\s+failed=(?P<failed>\d+)",
    re.MULTILINE,
)
PYINFRA_TOTAL = re.compile(
    r"Grand total\s+(?P<hosts>[\d-]+)\s+(?P<changed>[\d-]+)\s+(?P<failed>[\d-]+)\s+(?P<unchanged>[\d-]+)"
)
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Recap:
    """How many tasks or operations left the host as it was, changed it, or failed."""

    unchanged: int
    changed: int
    failed: int

    @property
    def nothing_changed(self) -> bool:
        """Whether the run did look at something, and found all of it as wanted."""
        return self.unchanged > 0 and self.changed == 0 and self.failed == 0

    @property
    def converged(self) -> bool:
        """Whether the run changed something and failed nowhere."""
        return self.changed > 0 and self.failed == 0


def parse_ansible(output: str) -> Recap:
    """Read the recap of ansible-playbook, which must be about exactly one host."""
    found = list(ANSIBLE_RECAP.finditer(COLOUR.sub("", output)))
    if len(found) != 1:
        raise ValueError(f"a recap of one host was expected, {len(found)} were found")
    count = {name: int(value) for name, value in found[0].groupdict().items()}
    return Recap(
        unchanged=count["ok"] - count["changed"],
        changed=count["changed"],
        failed=count["failed"] + count["unreachable"],
    )


def parse_pyinfra(output: str) -> Recap:
    """Read the last row of pyinfra's results; a dash in it means none."""
    found = PYINFRA_TOTAL.findall(COLOUR.sub("", output))
    if len(found) != 1:
        raise ValueError(f"one row of totals was expected, {len(found)} were found")
    _, changed, failed, unchanged = (0 if value == "-" else int(value) for value in found[0])
    return Recap(unchanged=unchanged, changed=changed, failed=failed)
