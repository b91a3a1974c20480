"""Names and labels of everything the bed makes in an engine."""

from __future__ import annotations

LABEL = "composeops.testbed"
ROLE_LABEL = "composeops.testbed.role"
CONTENT_LABEL = "composeops.testbed.content"


def labels(bed: str, **more: str) -> dict[str, str]:
    """The bed's label, and more under it: `labels(id, role="s3")`."""
    return {LABEL: bed, **{f"{LABEL}.{key}": value for key, value in more.items()}}


def container(bed: str, name: str) -> str:
    return f"composeops-testbed-{bed}-{name}"


def volume(bed: str, name: str, purpose: str) -> str:
    return f"composeops-testbed-{bed}-{name}-{purpose}"


def network(bed: str) -> str:
    return f"composeops-testbed-{bed}"


def bridge(bed: str) -> str:
    """An interface name has at most 15 characters."""
    return f"bed-{bed}"[:15]


def image(bed: str, name: str) -> str:
    """Several beds may share one engine, so the tag carries the id."""
    return f"composeops-testbed/{name}:{bed}"


def is_image(bed: str, reference: str) -> bool:
    """Whether `image` made this name."""
    return reference.startswith("composeops-testbed/") and reference.endswith(f":{bed}")
