# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is shown of a stack: the state of its services as data and as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.release.colour_plan import STEPS
from ansible_collections.composeops.stack.plugins.module_utils.release.containers import Container
from ansible_collections.composeops.stack.plugins.module_utils.release.history import Release
from ansible_collections.composeops.stack.plugins.module_utils.release.state import StackState
from ansible_collections.composeops.stack.plugins.module_utils.release.takeover import Outcome

COLUMNS = ["service", "image", "digest", "state", "health", "ports"]
DIGEST_CHARACTERS = 12


def service_states(
    containers: Mapping[str, Sequence[Container]], declared: Mapping[str, str], digests: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Return one entry for each service that is declared or has containers.

    ``declared`` maps services to images, ``digests`` services to what was deployed of them.
    """
    return [
        _state(name, containers.get(name, []), declared.get(name, ""), digests.get(name, ""))
        for name in sorted({*declared, *containers})
    ]


def summary(stack: str, states: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the table that is shown at the end of a play."""
    rows = [
        [
            state["name"],
            state["image"],
            state["digest"].removeprefix("sha256:")[:DIGEST_CHARACTERS] or "-",
            state["state"],
            state["health"] or "-",
            " ".join(state["ports"]) or "-",
        ]
        for state in states
    ]
    return {"title": f"Services of {stack}", "columns": COLUMNS, "rows": rows}


RELEASE_COLUMNS = ["release", "began", "colour", "status", "seconds", "images", "remark"]
WIDTH = 118
"""Of the table of releases: 120 columns, and it is shown indented."""
IMAGES_WIDTH = 30
ACTIVE = "*"


def releases_summary(stack: str, releases: Sequence[Release], record: StackState | None) -> dict[str, Any]:
    """Return the table of the releases of a stack, the newest first; it fits into 120 columns."""
    rows = [
        [
            f"{ACTIVE} {release.number}" if record and release.number == record.release else f"  {release.number}",
            release.created_at[:16].replace("T", " "),
            release.colour or "-",
            release.status + (", warm" if record and record.warm and release.number == record.warm_release else ""),
            f"{sum(release.seconds.values()):.1f}" if release.seconds else "-",
            _fitting(" ".join(sorted({_short_name(image) for image in release.images.values()})), IMAGES_WIDTH),
            release.reason.removeprefix(f"Stack {stack}: ") or "-",
        ]
        for release in releases
    ]
    before = len(RELEASE_COLUMNS) - 1
    used = sum(max(len(row[index]) for row in [RELEASE_COLUMNS, *rows]) + 2 for index in range(before))
    fitting = [[*row[:before], _fitting(row[before], max(WIDTH - used, len(RELEASE_COLUMNS[before])))] for row in rows]
    return {"title": f"Releases of {stack}", "columns": RELEASE_COLUMNS, "rows": fitting}


def timeline(stack: str, outcome: Outcome) -> list[dict[str, Any]]:
    """Return the table of how long each step of a release took; none where nothing was released."""
    if not outcome.released:
        return []
    rows = [[step, f"{outcome.seconds[step]:.2f}"] for step in STEPS if step in outcome.seconds]
    rows.append(["all", f"{sum(outcome.seconds.values()):.2f}"])
    return [{"title": f"Release {outcome.release} of {stack}", "columns": ["step", "seconds"], "rows": rows}]


def _short_name(reference: str) -> str:
    """Return an image without its registry and digest."""
    return reference.partition("@")[0].rpartition("/")[2]


def _fitting(text: str, width: int) -> str:
    """Return text that is no wider than a column, without line breaks."""
    line = " ".join(text.split())
    return line if len(line) <= width else f"{line[: width - 1]}…"


def _state(name: str, containers: Sequence[Container], image: str, digest: str) -> dict[str, Any]:
    return {
        "name": name,
        "image": containers[0].image if containers else image,
        "image_id": containers[0].image_id if containers else "",
        "digest": digest,
        "state": _several([_status(container) for container in containers]) or "absent",
        "health": _several([container.health for container in containers]),
        "ok": bool(containers) and all(_is_well(container) for container in containers),
        "restarts": sum(container.restart_count for container in containers),
        "containers": [container.name for container in containers],
        "ports": [str(port) for container in containers for port in container.ports],
    }


def _is_well(container: Container) -> bool:
    """Whether a container runs and is healthy as far as that is checked, or was a job that ended well."""
    if container.running:
        return container.health in ("", "healthy")
    return container.status == "exited" and container.exit_code == 0 and not container.restarts and not container.health


def _status(container: Container) -> str:
    return f"exited ({container.exit_code})" if container.status == "exited" else container.status


def _several(values: Sequence[str]) -> str:
    """Return one word for replicas that agree, and all of them where they differ."""
    if len(set(values)) <= 1:
        return f"{len(values)} {values[0]}" if len(values) > 1 and values[0] else (values[0] if values else "")
    return ", ".join(values)
