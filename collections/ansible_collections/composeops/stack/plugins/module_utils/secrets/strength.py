# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which values are no secrets: those that everybody tries first, and those that were never filled in."""

from __future__ import annotations

import re

WELL_KNOWN = frozenset(
    {
        "123456789012",
        "admin",
        "administrator",
        "adminadmin",
        "changeit",
        "changeme",
        "default",
        "guest",
        "letmein",
        "mypassword",
        "passw0rd",
        "password",
        "password123",
        "petpass",
        "petpass123",
        "postgres",
        "qwertyuiop",
        "redispass",
        "redispass123",
        "root",
        "secret",
        "secretkey",
        "supersecret",
        "test",
        "toor",
    }
)
"""Compared without case and without what people put between and behind: digits, dashes, exclamation marks."""

# What examples write where a value belongs: your-app-password, <password>, {{ password }}, ${PASSWORD}, xxxxxxxx, TODO.
PLACEHOLDER = re.compile(
    r"your[-_ ].*|<.*>|\{\{.*\}\}|\$\{.*\}|\$\w+|x+|\*+|\.+"
    r"|(?:todo|fixme|tbd|example|placeholder|replace[-_ ]?me|insert[-_ ]).*",
    re.IGNORECASE,
)
FEWEST_DIFFERENT_CHARACTERS = 5


def weakness(value: str, minimum_length: int) -> str | None:
    """Return why ``value`` is no secret, in words that do not give it away, or None where it may be one."""
    if PLACEHOLDER.fullmatch(value.strip()):
        return "it is a placeholder that was never filled in"
    if _bare(value) in WELL_KNOWN or value.lower() in WELL_KNOWN:
        return "it is a well-known password"
    if len(value) < minimum_length:
        return f"it has {len(value)} characters, and at least {minimum_length} are needed"
    if len(set(value)) < FEWEST_DIFFERENT_CHARACTERS:
        return "it repeats a few characters"
    if "\0" in value:
        return "it contains a null character, which no environment or file format carries"
    return None


def _bare(value: str) -> str:
    return re.sub(r"[\W_]|\d+\W*$", "", value.lower())
