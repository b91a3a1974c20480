# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keeps secrets out of what is shown: logs of containers, messages of commands, diffs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from urllib.parse import quote

SHOWN = "(sensitive)"
SHORTEST = 4
"""A shorter value would mask ordinary words, and is no secret anyway."""


def mask(text: str, secrets: Iterable[str]) -> str:
    """Return ``text`` with every secret replaced, also as it looks inside a URL or a JSON text."""
    forms = set()
    for secret in secrets:
        if len(secret) >= SHORTEST:
            forms |= {secret, quote(secret, safe=""), json.dumps(secret)[1:-1]}
            # A log shows a value of several lines line by line.
            forms |= {line for line in secret.splitlines() if len(line) >= SHORTEST}
    # The longest first: a secret may contain another one.
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, SHOWN)
    return text
