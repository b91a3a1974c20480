# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What has to change between the nginx configuration of a host and the one wanted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ansible_collections.composeops.stack.plugins.module_utils.edge.model import ServiceTarget, Site
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput


@dataclass(frozen=True)
class Observed:
    """What is on the host before anything changes."""

    files: Mapping[str, str] = field(default_factory=dict)
    """Relative path to content of the tree that ``live`` names."""
    generation: int | None = None
    """The number of that tree; None before the first."""
    loaded: int | None = None
    """The number of the tree that the running nginx answers with; None when it does not answer."""
    draining: bool = False
    """Whether a killed run left the flag with which nginx closes every connection after its answer."""
    bundles: frozenset[str] = frozenset()
    """Sites that have a TLS bundle, be it a placeholder."""


@dataclass(frozen=True)
class FileChange:
    """One file of the tree: None before means new, None after means removed."""

    path: str
    before: str | None
    after: str | None

    @property
    def sentence(self) -> str:
        verb = "add" if self.before is None else "remove" if self.after is None else "change"
        return f"{verb} {describe(self.path)}"


@dataclass(frozen=True)
class Plan:
    """The steps that lead from the observed to the wanted state, in the order they are done."""

    placeholders: tuple[str, ...] = ()
    files: tuple[FileChange, ...] = ()
    reload: str = ""
    """Why nginx must load what is on disk although no file changes; empty when it need not."""
    obsolete_bundles: tuple[str, ...] = ()
    end_draining: bool = False

    @property
    def changed(self) -> bool:
        return bool(self.placeholders or self.files or self.reload or self.obsolete_bundles or self.end_draining)

    @property
    def sentences(self) -> list[str]:
        return [
            *(["let connections be kept open again: a run was killed while it drained them"] * self.end_draining),
            *(f"make a placeholder certificate for {site}, until its own is there" for site in self.placeholders),
            *(change.sentence for change in self.files),
            *([self.reload] if self.reload else []),
            *(f"remove the TLS files of {site}, which is no longer declared" for site in self.obsolete_bundles),
        ]

    def diff(self, base: str) -> list[dict[str, str]]:
        """Return the changes the way Ansible shows them; ``base`` is the directory the paths are relative to."""
        return [
            {
                "before_header": f"{base}/{change.path}",
                "after_header": f"{base}/{change.path}",
                "before": change.before or "",
                "after": change.after or "",
            }
            for change in self.files
        ]


def make_plan(sites: Iterable[Site], wanted: Mapping[str, str], observed: Observed) -> Plan:
    """Compare the rendered tree with the observed one."""
    names = {site.name for site in sites}
    files = tuple(
        FileChange(path, observed.files.get(path), wanted.get(path))
        for path in sorted({*wanted, *observed.files})
        if observed.files.get(path) != wanted.get(path)
    )
    return Plan(
        placeholders=tuple(sorted(names - observed.bundles)),
        files=files,
        reload="" if files else _reason_to_reload(observed),
        obsolete_bundles=tuple(sorted(observed.bundles - names)),
        end_draining=observed.draining,
    )


def require_endpoints(sites: Iterable[Site], known: Iterable[ServiceTarget]) -> None:
    """Raise naming the first route whose service listens nowhere on this host."""
    available = set(known)
    for site in sites:
        for route in site.routes:
            target = route.target
            if isinstance(target, ServiceTarget) and target not in available:
                routed = ", ".join(
                    sorted(f"{one.service}:{one.port}" for one in available if one.stack == target.stack)
                )
                raise InvalidInput(
                    f"edge_sites: site {site.name}, route {route.path}: service {target.service} of stack "
                    f"{target.stack} is not reached at port {target.port} on this host; "
                    f"the stack routes {routed or 'nothing'} here.",
                    "Deploy the stack first (playbooks/deploy.yml), or list the service under `routed`.",
                )


def describe(path: str) -> str:
    """Return what an operator calls a file of the tree."""
    directory, _, name = path.rpartition("/")
    stem = name.removesuffix(".conf")
    if directory == "sites":
        return f"site {stem}"
    if directory == "upstreams":
        return f"upstreams of stack {stem}"
    if not directory and stem.startswith("canary-"):
        return f"canaries of stack {stem.removeprefix('canary-')}"
    return f"shared settings {path}"


def _reason_to_reload(observed: Observed) -> str:
    if observed.loaded == observed.generation:
        return ""
    if observed.loaded is None:
        return "load the configuration: the running nginx does not answer for it"
    return f"load the configuration: nginx still serves generation {observed.loaded}, not {observed.generation}"
