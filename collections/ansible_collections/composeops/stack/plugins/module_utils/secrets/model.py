# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a stack's inventory says about its secrets."""

from __future__ import annotations

from dataclasses import dataclass, field

DEFAULT_LENGTH = 48
MINIMUM_LENGTH = 12


@dataclass(frozen=True)
class SecretSpec:
    """One secret by name: given by a vault or the environment of the run, or generated on the host."""

    name: str
    value: str = field(default="", repr=False)
    """The given value; empty counts as not given, because that is what an unset variable turns into."""
    length: int = DEFAULT_LENGTH
    """Characters of a generated value."""
    generate: bool = True
    """Whether a missing value may be generated; False for what somebody else issued."""
    minimum_length: int = MINIMUM_LENGTH
    """A given value that is shorter is weak."""
