# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A stack held by hand: an operator keeps every run away from it, for a reason and for a time.

The file outlives reboots, and ends by itself: what an operator forgot does not stand in the way for ever.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta, timezone

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io import files
from ansible_collections.composeops.stack.plugins.module_utils.release import state

FILE = "hold.json"
DEFAULT_DURATION = "1h"
LONGEST = 7 * 86400
"""Seconds that a hold may last; a longer one is a decision that belongs into the inventory."""

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
DURATION = re.compile(r"(\d+[smhd])+\Z")


@dataclass(frozen=True)
class Hold:
    """Who keeps a stack, why, and until when."""

    holder: str
    reason: str
    since: str
    until: str
    seconds: int
    """For how long it was asked."""

    def __str__(self) -> str:
        return f"{self.holder} until {self.until}: {self.reason}"

    def expired(self, now: datetime) -> bool:
        return datetime.fromisoformat(self.until) <= now


class HeldByHand(ComposeOpsError):
    """An operator holds the stack."""

    def __init__(self, stack: str, hold: Hold) -> None:
        super().__init__(
            f"Stack {stack} is held by {hold.holder} since {hold.since} until {hold.until}: {hold.reason}."
            " Nothing was changed.",
            f"When that is over, `composeops resume {stack}` on the host or playbooks/resume.yml releases it.",
        )


def duration(text: str) -> int:
    """Return the seconds of a duration such as ``45m``, ``2h`` or ``1d12h``."""
    if not DURATION.match(text):
        raise InvalidInput(f"{text!r} is not a duration.", "Write it as 45m, 2h or 1d12h.")
    seconds = sum(int(number) * UNITS[unit] for number, unit in re.findall(r"(\d+)([smhd])", text))
    if not 0 < seconds <= LONGEST:
        raise InvalidInput(f"A stack cannot be held for {text}.", "Choose a time of up to 7d; it can be extended.")
    return seconds


def make(holder: str, reason: str, seconds: int, now: datetime) -> Hold:
    """Return a hold that begins now."""
    reason = " ".join(reason.split())
    if not reason:
        raise InvalidInput("A hold needs a reason.", "Say what others have to know: why nobody may change the stack.")
    return Hold(holder, reason, _text(now), _text(now + timedelta(seconds=seconds)), seconds)


def place(stack: str, there: Hold | None, wanted: Hold, now: datetime, *, extend: bool) -> Hold | None:
    """Return the hold to write, or None where what is there is what is asked for; pure.

    With ``extend``, asking for the same again lets it begin anew. That of another operator is left alone.
    """
    if there is None or there.expired(now):
        return wanted
    if there.holder != wanted.holder:
        raise HeldByHand(stack, there)
    if (there.reason, there.seconds) == (wanted.reason, wanted.seconds) and not extend:
        return None
    return replace(wanted, since=there.since)


def path(stack: str, root: str = state.DIRECTORY) -> str:
    return os.path.join(state.directory(stack, root), FILE)


def read(stack: str, root: str = state.DIRECTORY) -> Hold | None:
    """Return the hold of ``stack``, expired or not, or None; raise where its file cannot be understood."""
    location = path(stack, root)
    text = files.read_text(location)
    if text is None:
        return None
    try:
        return _parse(text)
    except (ValueError, TypeError) as error:
        raise ComposeOpsError(
            f"{location} says that somebody holds stack {stack}, but cannot be understood: {error}.",
            f"Ask who did; then `composeops resume {stack}` removes it.",
        ) from error


def write(stack: str, hold: Hold, root: str = state.DIRECTORY) -> None:
    content = json.dumps(asdict(hold), indent=2) + "\n"
    files.write_atomically(path(stack, root), content.encode(), mode=0o600, uid=os.geteuid(), gid=os.getegid())


def remove(stack: str, root: str = state.DIRECTORY) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path(stack, root))


def in_force(stack: str, root: str = state.DIRECTORY, now: datetime | None = None) -> Hold | None:
    """Return the hold that keeps runs away now, or None."""
    found = read(stack, root)
    return found if found and not found.expired(now or clock()) else None


def keep_out(stack: str, root: str = state.DIRECTORY) -> str:
    """Raise where an operator holds ``stack``. Remove a hold that has expired, and return a sentence that says so."""
    found = read(stack, root)
    if found is None:
        return ""
    if not found.expired(clock()):
        raise HeldByHand(stack, found)
    remove(stack, root)
    return f"{found.holder} held stack {stack} until {found.until} ({found.reason}); that is over, and was removed"


def clock() -> datetime:
    return datetime.now(timezone.utc)


def _parse(text: str) -> Hold:
    found = Hold(**json.loads(text))
    if datetime.fromisoformat(found.until).tzinfo is None:
        raise ValueError("its end has no time zone")
    return found


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
