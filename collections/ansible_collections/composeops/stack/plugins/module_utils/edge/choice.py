# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How nginx chooses the release of a stack for each request, and what it writes down while a canary runs.

Files decide (``release/active.py``), so neither a switch nor a weight reloads nginx. To look for them took a fifth of
what nginx does for a request, so each worker remembers what it found until the second is over, and whoever changes a
file waits for that (``seen_after``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ansible_collections.composeops.stack.plugins.module_utils.edge.block import block
from ansible_collections.composeops.stack.plugins.module_utils.release import active, traffic
from ansible_collections.composeops.stack.plugins.module_utils.release.colours import BLUE, COLOURS, GREEN

COOKIE = "composeops_release"

MEMORY = (
    "# Which of the files are there that choose a release or let clients go is remembered until the second is over.",
    "# Whoever changes one waits for that.",
    "open_file_cache max=1000;",
    "open_file_cache_valid 1s;",
    "open_file_cache_errors on;",
)
"""What all servers share. Shared by the locations below, too, but for those that have files of their own."""

NO_MEMORY = "open_file_cache off;"
"""For a location with files that visitors get: a new one is there at once."""

CLIENT = (
    "# Who asks, for a canary that clients stay with: the cookie that they bring, or the one that this answer gives",
    "# them. The request that gets the cookie is counted by it too, so its client stays where it went.",
    *block(
        f"map $cookie_{COOKIE} $composeops_client",
        ["default $request_id;", f'"~^[0-9a-f]{{32}}$" $cookie_{COOKIE};'],
    ),
    *block(
        f"map $cookie_{COOKIE} $composeops_new_cookie",
        [
            f'default "{COOKIE}=$request_id; Path=/; Secure; HttpOnly; SameSite=Lax";',
            '"~^[0-9a-f]{32}$" "";',
        ],
    ),
)
"""What all stacks share."""

SPECIAL = "$composeops_special"
"""Empty for a request that has nothing to decide but the flag, which is nearly every one: each look costs time."""

_NOBODY = "none"


def of_request(stack: str) -> list[str]:
    """Return what chooses the colour in each server that leads to ``stack``, while no canary runs."""
    colour, canary, told = (_variable(stack, purpose) for purpose in ("colour", "canary", "told"))
    return [
        "# Files decide, so a release takes over without a reload. A reload closes idle",
        "# connections, and a request that is sent on one at that moment is lost. `if` with nothing but `set` in it is",
        "# safe; what is said against it is about locations.",
        "#",
        "# Whether a canary runs is asked first: its end creates or removes the flag before it takes its files away.",
        f'set {canary} "";',
        f'set {told} "";',
        *block(f"if (-e {active.canary(stack)})", [f"set {SPECIAL} yes;"]),
        *_flag(stack, colour),
        "# Empty unless a canary with cookies runs and the client has none yet.",
        cookie_line(stack),
    ]


def of_canary(stack: str) -> list[str]:
    """Return what chooses the colour for a request that came while a canary runs, at the end of each server."""
    colour, canary, told = (_variable(stack, purpose) for purpose in ("colour", "canary", "told"))
    link = active.canary(stack)
    return [
        *(
            line
            for sticky, mark in active.MARKS.items()
            for line in block(f"if (-f {link}/{mark})", [f"set {told} {sticky};"])
        ),
        *(
            line
            for name in COLOURS
            for line in block(f"if (-f {link}/{name}-{_variable(stack, 'share')})", [f"set {canary} {name};"])
        ),
        "# Asked again: the canary may have ended since, and then this is what it left behind.",
        *_flag(stack, colour),
        *block(f"if ({canary})", [f"set {colour} {canary};"]),
    ]


def _flag(stack: str, colour: str) -> list[str]:
    return [f"set {colour} {BLUE};", *block(f"if (-f {active.flag(stack)})", [f"set {colour} {GREEN};"])]


def cookie_line(stack: str) -> str:
    """Return what gives a client its cookie; a location with headers of its own has to repeat it."""
    return f"add_header Set-Cookie {_variable(stack, 'cookie')} always;"


def of_host(stack: str, upstreams: Sequence[str]) -> list[str]:
    """Return what is said once: the shares of a canary, and the log; ``upstreams`` are those of both colours."""
    told, key, share, asked, tried, cookie = (
        _variable(stack, purpose) for purpose in ("told", "key", "share", "asked", "tried", "cookie")
    )
    shares = [*(f"1% {number};" for number in range(active.SHARES - 1)), f"* {active.SHARES - 1};"]
    names = "|".join(name.replace(".", r"\.") for name in upstreams)
    return [
        "# By what requests are told apart, while a canary runs.",
        *block(
            f"map {told} {key}",
            [f'default "{_NOBODY}";', "none $request_id;", "address $remote_addr;", "cookie $composeops_client;"],
        ),
        "# Of two stacks, not the same clients come first.",
        *block(f'split_clients "{key} {stack}" {share}', shares),
        "",
        "# Not empty for requests that lead to the stack, while a canary runs. Names are compared only then.",
        *block(f"map {told} {tried}", ['"" "";', f"default {asked};"]),
        *block(f"map $proxy_host {asked}", ['default "";', f'"~^({names})$" {told};']),
        *block(f"map {tried} {cookie}", ['default "";', "cookie $composeops_new_cookie;"]),
        "",
        f"log_format composeops_canary_{stack} '{traffic.nginx_format(colour_variable(stack))}';",
        f"access_log {traffic.path(stack)} composeops_canary_{stack} if={tried};",
    ]


def without_logs(tree: Mapping[str, str]) -> dict[str, str]:
    """Return ``tree`` for a test that changes nothing: nginx makes every log file that it is told of, in a test too."""
    begins = f"access_log {traffic.path('')[: -len('.log')]}"
    return {
        path: re.sub(rf"^{re.escape(begins)}\S*", "access_log /dev/null", text, flags=re.M)
        for path, text in tree.items()
    }


def colour_variable(stack: str) -> str:
    """Return the variable with the colour of a stack."""
    return _variable(stack, "colour")


def _variable(stack: str, purpose: str) -> str:
    """Return a variable of a stack; variables have no dashes, and no two stacks get the same one."""
    return f"$composeops_{purpose}_" + stack.replace("_", "_u").replace("-", "_d")
