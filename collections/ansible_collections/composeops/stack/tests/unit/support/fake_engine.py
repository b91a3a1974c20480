# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A Docker engine with compose that lives in memory, so that whole deployments, and deaths in between, run in a test.

The compose text given to it is JSON in the canonical form, because it only interpolates and does not normalise.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.errors import CommandError
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Completed
from ansible_collections.composeops.stack.plugins.module_utils.release.images import repository

_VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)\}")


class Killed(BaseException):
    """SIGKILL, as far as the code under test can tell: nothing catches it."""


@dataclass
class FakeClock:
    """A clock that moves when somebody sleeps."""

    time: float = 1_700_000_000.0

    def now(self) -> float:
        return self.time

    def elapsed(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


@dataclass
class FakeEngine:
    """Answers the command lines of this collection. ``registry`` maps references to image ids."""

    clock: FakeClock
    registry: dict[str, str]
    images: dict[str, str] = field(default_factory=dict)
    untagged: set[str] = field(default_factory=set)
    """Ids of images that have no name any more."""
    refused_pulls: dict[str, str] = field(default_factory=dict)
    """References that cannot be pulled, with what the engine says."""
    withdrawn: set[str] = field(default_factory=set)
    """Ids of images that the registry does not have any more."""
    containers: dict[str, dict[str, Any]] = field(default_factory=dict)
    networks: list[str] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)
    never_healthy: set[str] = field(default_factory=set)
    """Images whose containers never become healthy."""
    crashing: set[str] = field(default_factory=set)
    """Images whose containers end at once and are restarted again and again."""
    refusing: dict[str, str] = field(default_factory=dict)
    """Services that compose cannot start, with what it says."""
    logs: dict[str, str] = field(default_factory=dict)
    migration: tuple[int, str, str] = (0, "", "")
    """How a command of its own in a container ends."""
    running: bool = True
    calls: list[list[str]] = field(default_factory=list)
    before_each: Callable[[], None] = lambda: None
    started: int = 0

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str | None = None,
        environment: Mapping[str, str] | None = None,
        directory: str | None = None,
        timeout: float = 0,
        check: bool = True,
    ) -> Completed:
        self.before_each()
        self.calls.append(list(argv))
        returncode, stdout, stderr = self._answer(list(argv), stdin or "", dict(environment or {}))
        if check and returncode:
            raise CommandError(f"{' '.join(argv)} failed: {stderr}", returncode=returncode, stderr=stderr)
        return Completed(tuple(argv), returncode, stdout, stderr)

    def count(self, *words: str) -> int:
        """Return how often a command line with these words was run."""
        return sum(all(word in call for word in words) for call in self.calls)

    def of(self, service: str) -> dict[str, Any]:
        return next(found for found in self.containers.values() if self._service(found) == service)

    def stop(self, service: str, exit_code: int = 0) -> None:
        """End a container, as a crash or an operator would."""
        self.of(service)["State"].update(Status="exited", Running=False, ExitCode=exit_code)

    def _answer(self, argv: list[str], stdin: str, environment: dict[str, str]) -> tuple[int, str, str]:
        if not self.running:
            return 1, "", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock."
        if argv[1] == "compose":
            return self._compose(argv, stdin, environment)
        handler: dict[str, Callable[[list[str]], tuple[int, str, str]]] = {
            "ps": self._ps,
            "inspect": self._inspect,
            "image": self._image,
            "pull": self._pull,
            "tag": self._tag,
            "logs": lambda words: (0, self.logs.get(self._service(self.containers[words[-1]]), ""), ""),
            "stop": lambda _: (0, "", ""),
            "rm": self._remove,
            "version": lambda _: (0, "26.1.5", ""),
            "network": lambda words: (0, "\n".join(self._of_project(self.networks, words)), ""),
            "volume": self._volume,
        }
        return handler[argv[1]](argv)

    def _ps(self, argv: list[str]) -> tuple[int, str, str]:
        if "--quiet" in argv:
            return 0, "\n".join(self.containers), ""
        return 0, "\n".join(map(self._listed, self.containers.values())), ""

    def _inspect(self, argv: list[str]) -> tuple[int, str, str]:
        if "--format" in argv:
            found = [self.containers[identifier] for identifier in argv[6:]]
            return 0, "\n".join(f"{entry['Image']} {self._listed(entry).partition(' ')[2]}" for entry in found), ""
        return 0, json.dumps([self._now(self.containers[identifier]) for identifier in argv[4:]]), ""

    def _image(self, argv: list[str]) -> tuple[int, str, str]:
        if argv[2] == "rm":
            return self._image_rm(argv[3])
        wanted = argv[5:]
        if "RepoTags" in argv[4]:
            tags = [name for name, identifier in self.images.items() if identifier == wanted[0] and "@" not in name]
            return (0, json.dumps(tags), "") if wanted[0] in self.untagged or tags else (1, "", "Error: No such image")
        missing = [reference for reference in wanted if self._image_id(reference) is None]
        lines = [
            json.dumps(
                {
                    "id": self._image_id(name),
                    "digests": [f"{repository(name)}@{self._image_id(name)}-digest"],
                    "volumes": None,
                }
            )
            for name in wanted
            if name not in missing
        ]
        return bool(missing), "\n".join(lines), "".join(f"Error: No such image: {name}\n" for name in missing)

    def _pull(self, argv: list[str]) -> tuple[int, str, str]:
        reference = argv[-1]
        unknown = f"Error response from daemon: manifest for {reference} not found: manifest unknown\n"
        if "@" in reference:
            identifier = reference.partition("@")[2].removesuffix("-digest")
            if identifier in self.withdrawn:
                return 1, "", unknown
            self._name(reference, identifier)
            return 0, reference, ""
        if reference in self.refused_pulls:
            return 1, "", f"Error response from daemon: {self.refused_pulls[reference]}\n"
        if reference not in self.registry:
            return 1, "", unknown
        self._name(reference, self.registry[reference])
        return 0, reference, ""

    def _tag(self, argv: list[str]) -> tuple[int, str, str]:
        identifier = self._image_id(argv[2])
        assert identifier is not None, argv
        self._name(argv[3], identifier)
        return 0, "", ""

    def _name(self, reference: str, identifier: str) -> None:
        before = self.images.get(reference)
        self.images[reference] = identifier
        if before and before not in self.images.values():
            self.untagged.add(before)

    def _image_id(self, name: str) -> str | None:
        known = {*self.untagged, *self.images.values()}
        return self.images.get(name) or (name if name in known else None)

    def _image_rm(self, name: str) -> tuple[int, str, str]:
        identifier = self._image_id(name)
        others = [other for other, found in self.images.items() if found == identifier and other != name]
        if identifier in {found["Image"] for found in self.containers.values()} and not others:
            return 1, "", "Error response from daemon: conflict: unable to remove repository reference: in use\n"
        self.images.pop(name, None)
        for other in others:
            if "@" in other:
                del self.images[other]
        self.untagged.discard(name)
        return 0, f"Untagged: {name}", ""

    def _remove(self, argv: list[str]) -> tuple[int, str, str]:
        for identifier in argv[2:]:
            del self.containers[identifier]
        return 0, "", ""

    def _compose(self, argv: list[str], stdin: str, environment: dict[str, str]) -> tuple[int, str, str]:
        if "config" in argv:
            return self._config(argv, stdin, environment)
        action = next(word for word in argv if word in ("up", "run", "start", "stop", "restart", "down"))
        project = argv[argv.index("--project-name") + 1]
        own = [
            found for found in self.containers.values() if self._labels(found)["com.docker.compose.project"] == project
        ]
        if action == "down":
            for container in own:
                del self.containers[container["Id"]]
            self.networks = [name for name in self.networks if not name.startswith(f"{project}_")]
            return 0, "", ""
        if action == "up":
            return self._up(argv, project)
        if action == "run":
            return self.migration
        named = argv[argv.index(action) + 1 :]
        for container in own:
            if named and self._labels(container)["com.docker.compose.service"] not in named:
                continue
            if action == "stop":
                container["State"].update(Status="exited", Running=False)
            else:
                self._start(container)
        return 0, "", ""

    def _config(self, argv: list[str], stdin: str, environment: dict[str, str]) -> tuple[int, str, str]:
        if "--quiet" in argv:
            return 0, "", ""
        names = _VARIABLE.findall(stdin)
        warnings = [
            f'time="x" level=warning msg="The \\"{name}\\" variable is not set. Defaulting to a blank string."\n'
            for name in names
            if name not in environment
        ]
        text = _VARIABLE.sub(lambda found: environment.get(found.group(1), ""), stdin)
        try:
            json.loads(text)
        except ValueError:
            return 15, "", "yaml: line 3: did not find expected ',' or ']'\n"
        return 0, text, "".join(warnings)

    def _up(self, argv: list[str], project: str) -> tuple[int, str, str]:
        with open(argv[argv.index("--file") + 1], encoding="utf-8") as stream:
            document = json.load(stream)
        declared = document["services"]
        external = {entry["name"] for entry in document.get("volumes", {}).values() if entry.get("external")}
        for name in sorted(external - set(self.volumes)):
            return 1, "", f'external volume "{name}" not found'
        with open(argv[argv.index("--env-file") + 1], encoding="utf-8") as stream:
            stream.read()
        for service in argv[argv.index("never") + 1 :]:
            if service in self.refusing:
                return 1, "", self.refusing[service]
            definition = declared[service]
            existing = [
                found
                for found in self.containers.values()
                if self._labels(found)["com.docker.compose.project"] == project
                and self._labels(found)["com.docker.compose.service"] == service
            ]
            same = [found for found in existing if self._as_declared(found, definition)]
            if same:
                self._start(same[0])
                continue
            for found in existing:
                del self.containers[found["Id"]]
            self._create(project, service, definition)
        return 0, "", ""

    def _as_declared(self, container: dict[str, Any], definition: dict[str, Any]) -> bool:
        labels = container["Config"]["Labels"]
        same_label: bool = labels["composeops.revision"] == definition["labels"]["composeops.revision"]
        return same_label and container["Image"] == self.images[definition["image"]]

    def _create(self, project: str, service: str, definition: dict[str, Any]) -> None:
        self.started += 1
        identifier = f"{service}-{self.started}"
        self.containers[identifier] = {
            "Id": identifier,
            "Name": f"/{project}-{service}-1",
            "Image": self.images[definition["image"]],
            "RestartCount": 0,
            "State": {"Status": "created", "ExitCode": 0},
            "HostConfig": {
                "PortBindings": {
                    f"{port['target']}/tcp": [{"HostIp": port["host_ip"], "HostPort": port["published"]}]
                    for port in definition.get("ports", [])
                }
            },
            "Config": {
                "Image": definition["image"],
                "Labels": {
                    "com.docker.compose.project": project,
                    "com.docker.compose.service": service,
                    **definition["labels"],
                },
            },
            "checked": "healthcheck" in definition,
        }
        self._start(self.containers[identifier])

    def _start(self, container: dict[str, Any]) -> None:
        container["State"].update(Status="running", Running=True, ExitCode=0, since=self.clock.now())

    def _now(self, container: dict[str, Any]) -> dict[str, Any]:
        """Let time pass for a container: healthy after two seconds, unless it is told otherwise."""
        state = container["State"]
        state["StartedAt"] = datetime.fromtimestamp(state.get("since", 0), timezone.utc).strftime(
            "%Y-%m-%dT%H:%M:%S.%fZ"
        )
        image = container["Config"]["Image"]
        age = self.clock.now() - state.get("since", 0)
        if image in self.crashing and state["Status"] in ("running", "restarting"):
            container["RestartCount"] = int(age)
            state.update(Status="restarting", ExitCode=1)
        if container["checked"] and state["Status"] == "running":
            healthy = age >= 2 and image not in self.never_healthy
            state["Health"] = {"Status": "healthy" if healthy else "starting", "Log": []}
        if image in self.never_healthy and "Health" in state:
            state["Health"]["Log"] = [{"ExitCode": 1, "Output": "HTTP 503"}]
        return container

    def _listed(self, container: dict[str, Any]) -> str:
        labels = self._labels(container)
        return f"{container['Id']} {labels['com.docker.compose.project']} {labels.get('composeops.stack', '')}"

    def _volume(self, argv: list[str]) -> tuple[int, str, str]:
        if argv[2] == "create":
            self.volumes = sorted({*self.volumes, argv[-1]})
            return 0, argv[-1], ""
        return 0, "\n".join(self._of_project(self.volumes, argv)), ""

    @staticmethod
    def _of_project(names: list[str], argv: list[str]) -> list[str]:
        project = argv[argv.index("--filter") + 1].rpartition("=")[2]
        return [name for name in names if name.startswith(f"{project}_")]

    @staticmethod
    def _labels(container: dict[str, Any]) -> dict[str, str]:
        labels: dict[str, str] = container["Config"]["Labels"]
        return labels

    def _service(self, container: dict[str, Any]) -> str:
        labels = self._labels(container)
        return labels.get("composeops.service", labels["com.docker.compose.service"])
