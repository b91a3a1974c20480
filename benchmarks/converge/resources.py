"""The rendered files every contestant is asked for: one list and one set of templates, written before the run.

The templates of sites are written beside them; only whole hosts use those, each in the contestant's own way.

Each application gets its own template, because that is what every contestant takes: a template, the inventory's
variables and a destination. (Loop variables would be a matter of each contestant's own language.)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

TEMPLATES = Path(__file__).parent / "plays" / "templates"
APPLICATIONS_HOME = "/srv/bench"

MODE_OF_APPLICATION_FILE = {
    "environment": "0640",
    "logging.yaml": "0644",
    "maintenance.sh": "0755",
    "proxy.conf": "0644",
    "settings.ini": "0640",
}
DESTINATION_OF_HOST_FILE = {
    "bench-report.service": "/etc/systemd/system/bench-report.service",
    "bench-report.timer": "/etc/systemd/system/bench-report.timer",
    "bench-worker.service": "/etc/systemd/system/bench-worker.service",
    "logrotate.conf": "/etc/bench/logrotate.conf",
    "profile.sh": "/etc/profile.d/bench.sh",
}


@dataclass(frozen=True)
class RenderedFile:
    """One file on the host: its template's file name, its path and its mode."""

    template: str
    path: str
    mode: str


@dataclass(frozen=True)
class Resources:
    """What is written beside the contestants' plays before they run."""

    files: tuple[RenderedFile, ...]
    directories: tuple[str, ...]
    templates: dict[str, str]
    """Content by file name."""


def resources(applications: Iterable[str], templates: Path = TEMPLATES) -> Resources:
    """Multiply the templates of an application by the applications and add those of the host."""
    names = sorted(applications)
    files: list[RenderedFile] = []
    contents: dict[str, str] = {}
    for name in names:
        for kind, mode in MODE_OF_APPLICATION_FILE.items():
            template = f"{name}-{kind}.j2"
            selection = f"{{% set name = '{name}' %}}\n{{% set application = bench_applications['{name}'] %}}\n"
            contents[template] = selection + (templates / "application" / f"{kind}.j2").read_text(encoding="utf-8")
            files.append(RenderedFile(template, f"{APPLICATIONS_HOME}/{name}/{kind}", mode))
    for kind, destination in DESTINATION_OF_HOST_FILE.items():
        template = f"{kind}.j2"
        contents[template] = (templates / "host" / template).read_text(encoding="utf-8")
        files.append(RenderedFile(template, destination, "0644"))
    contents.update({path.name: path.read_text(encoding="utf-8") for path in (templates / "services").iterdir()})
    directories = ("/etc/bench", *(f"{APPLICATIONS_HOME}/{name}" for name in ("", *names)))
    return Resources(tuple(files), tuple(path.rstrip("/") for path in directories), contents)


def write(wanted: Resources, directory: Path) -> None:
    """Write the templates, and the list of them as variables, where the contestants look for both."""
    (directory / "templates").mkdir(parents=True, exist_ok=True)
    for name, content in wanted.templates.items():
        (directory / "templates" / name).write_text(content, encoding="utf-8")
    variables = {
        "bench_files": [dataclasses.asdict(file) for file in wanted.files],
        "bench_directories": [{"path": path, "mode": "0755"} for path in wanted.directories],
    }
    (directory / "files.yml").write_text(yaml.safe_dump(variables, sort_keys=False), encoding="utf-8")
