# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Headers that tell browsers to be careful, which nginx adds where neither service nor inventory say something else."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.composeops.stack.plugins.module_utils.edge.block import block
from ansible_collections.composeops.stack.plugins.module_utils.edge.model import Route, Site

DEFAULTS = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "SAMEORIGIN"),
    ("Referrer-Policy", "strict-origin-when-cross-origin"),
)
_ONCE = {*(name.lower() for name, _ in DEFAULTS), "content-security-policy", "permissions-policy"}
"""What browsers want to be told once: the site's own takes the place of the service's."""


def of_host() -> list[str]:
    """Return what is said once: each default, unless the service sent a header of that name."""
    return [
        "# Empty where the service says something itself: a header that comes twice is one that browsers may ignore.",
        *(
            line
            for name, value in DEFAULTS
            for line in block(f"map $upstream_http_{_word(name)} {_variable(name)}", [f'"" "{value}";', 'default "";'])
        ),
    ]


def of_site(site: Site, *, without: Iterable[str] = ()) -> list[str]:
    """Return what every answer of ``site`` gets, but for names that a route gives itself."""
    missing = {name.lower() for name in without}
    own = {name.lower() for name, _ in site.headers}
    return [
        *(f'add_header {name} "{value}" always;' for name, value in site.headers if name.lower() not in missing),
        *(
            f"add_header {name} {_variable(name)} always;"
            for name, _ in DEFAULTS
            if name.lower() not in own and name.lower() not in missing
        ),
    ]


def replaced(site: Site, route: Route) -> list[str]:
    """Return the headers of the service that clients do not get, because the route or the site has its own."""
    of_route = [name for name, _ in route.headers]
    known = {name.lower() for name in of_route}
    return [
        *of_route,
        *(name for name, value in site.headers if value and name.lower() in _ONCE and name.lower() not in known),
    ]


def _variable(name: str) -> str:
    return f"$composeops_default_{_word(name)}"


def _word(name: str) -> str:
    return name.lower().replace("-", "_")
