"""Who is compared: command lines as data. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

OLD, NEW = "1.0.0", "1.1.0"
RIVALS = "/opt/release-bench"
"""Where the rivals' files are on the host."""


@dataclass(frozen=True)
class Command:
    """An argv to be filled in (``{version}``, ``{inventory}``, ``{in_place}``), run here or on the host as root.

    ``{inventory}`` is the bed's for the host, ``{in_place}`` what in_place.py wrote.
    """

    argv: tuple[str, ...]
    on_host: bool

    def filled_in(self, values: Mapping[str, str]) -> list[str]:
        return [part.format(**values) for part in self.argv]


@dataclass(frozen=True)
class Contestant:
    """One way to bring a new version of the same four services behind the same nginx."""

    name: str
    title: str
    begin: Command
    """Has the old version serving, and everybody else's gone; not measured."""
    upgrade: Command
    end: Command


def playbook(name: str, *arguments: str, overlays: Sequence[str] = ()) -> Command:
    """One of this repository's playbooks, as an operator runs it."""
    inventories = [part for path in ("inventories/petcare", *overlays, "{inventory}") for part in ("-i", path)]
    return Command((".venv/bin/ansible-playbook", *inventories, f"playbooks/{name}.yml", *arguments), on_host=False)


def script(name: str, *arguments: str) -> Command:
    return Command(("bash", f"{RIVALS}/{name}.sh", *arguments), on_host=True)


VERSION = ("-e", "petcare_version={version}")

IN_PLACE = ("{in_place}",)

CONTESTANTS = (
    Contestant(
        name="blue-green",
        title="`deploy.yml`, blue and green",
        begin=playbook("deploy", *VERSION),
        upgrade=playbook("deploy", *VERSION),
        end=playbook("stop"),
    ),
    Contestant(
        name="in-place",
        title="`deploy.yml`, in place",
        begin=playbook("deploy", *VERSION, overlays=IN_PLACE),
        upgrade=playbook("deploy", *VERSION, overlays=IN_PLACE),
        end=playbook("stop", overlays=IN_PLACE),
    ),
    Contestant(
        name="compose",
        title="`docker compose up -d --wait`",
        begin=script("begin", "compose", "{version}"),
        upgrade=script("upgrade-compose", "{version}"),
        end=script("end", "compose"),
    ),
    Contestant(
        name="roll",
        title="scale up, then remove",
        begin=script("begin", "roll", "{version}"),
        upgrade=script("upgrade-roll", "roll", "{version}"),
        end=script("end", "roll"),
    ),
    Contestant(
        name="roll-tuned",
        title="scale up, then remove, nginx tuned for it",
        begin=script("begin", "roll-tuned", "{version}"),
        upgrade=script("upgrade-roll", "roll-tuned", "{version}"),
        end=script("end", "roll-tuned"),
    ),
)
