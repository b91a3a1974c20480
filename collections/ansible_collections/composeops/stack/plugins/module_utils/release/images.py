# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The images of a stack on this host, and how they get here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.docker import PROJECT_LABEL, STACK_LABEL
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Completed, Runner
from ansible_collections.composeops.stack.plugins.module_utils.release import disk

PULL_TIMEOUT = 1800.0
PARALLEL_PULLS = 3
_FORMAT = '{"id": {{json .Id}}, "digests": {{json .RepoDigests}}, "volumes": {{json .Config.Volumes}}}'
_OWNED = f'{{{{.Image}}}} {{{{index .Config.Labels "{PROJECT_LABEL}"}}}} {{{{index .Config.Labels "{STACK_LABEL}"}}}}'
_TAGS = "{{json .RepoTags}}"


@dataclass(frozen=True)
class Image:
    """An image that this host has."""

    reference: str
    identifier: str
    digest: str
    """The registry's digest, or the image id where the image never was in a registry."""
    volumes: tuple[str, ...] = ()
    """Paths that the image declares as volumes: where nothing is mounted, a new container gets an empty one."""


class Images:
    """The image store of this host's engine."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def present(self, references: Iterable[str]) -> dict[str, Image]:
        """Return those of ``references`` that this host has."""
        wanted = sorted(set(references))
        if not wanted:
            return {}
        completed = self._inspect(wanted)
        if completed.ok:
            lines = completed.stdout.splitlines()
            return {reference: _image(reference, line) for reference, line in zip(wanted, lines, strict=True)}
        # Which ones are missing is only clear one by one.
        found = {}
        for reference in wanted:
            completed = self._inspect([reference])
            if completed.ok:
                found[reference] = _image(reference, completed.stdout)
        return found

    def pull(self, references: Sequence[str]) -> None:
        """Pull every reference, or raise with all that could not be pulled."""
        with ThreadPoolExecutor(max_workers=PARALLEL_PULLS) as executor:
            failures = [failure for failure in executor.map(self._pull, references) if failure]
        if failures:
            full = any(disk.is_full(failure) for failure in failures)
            remedy = (
                disk.MAKE_ROOM
                if full
                else (
                    "Check the names and tags, and that this host reaches the registry and may read from it"
                    " (docker login as root)."
                )
            )
            raise ComposeOpsError(f"{'; '.join(failures)}.", f"{remedy} Nothing was changed.")

    def bring_back(self, reference: str, identifier: str, digest: str, *, rename: bool = True) -> str:
        """Get exactly the image that a reference once named, and ``rename`` it so; return why that is not possible."""
        if self._named(reference, identifier):
            return ""
        if self._named(identifier, identifier):
            if rename:
                self.name(identifier, reference)
            return ""
        if not digest:
            return "its digest in a registry is not known"
        exact = f"{repository(reference)}@{digest}"
        completed = self._runner.run(["docker", "pull", "--quiet", exact], timeout=PULL_TIMEOUT, check=False)
        if not completed.ok:
            return f"{exact} cannot be pulled: {_complaint(completed)}"
        if not self._named(exact, identifier):
            return f"{exact} is another image than it was"
        if rename:
            self.name(exact, reference)
        return ""

    def name(self, image: str, reference: str) -> None:
        """Give an image a name, which it takes from the one that has it."""
        if "@" not in reference:
            self._runner.run(["docker", "tag", image, reference])

    def in_use(self, except_stack: str) -> set[str]:
        """Return the ids of the images of all containers of this host but those of a stack."""
        argv = ["docker", "ps", "--all", "--quiet", "--no-trunc"]
        containers = self._runner.run(argv).stdout.split()
        if not containers:
            return set()
        argv = ["docker", "inspect", "--type", "container", "--format", _OWNED, *containers]
        # A container may end between the two calls; what is left is still the truth.
        lines = self._runner.run(argv, check=False).stdout.splitlines()
        owned = [line.split(" ") for line in lines]
        return {image for image, *labels in owned if except_stack not in labels}

    def remove(self, reference: str, identifier: str) -> str:
        """Remove the image that a release ran, under the name it had; return why it stays, where it does.

        An image that somebody else gave a name stays, and so does one that a container uses.
        """
        if self._named(reference, identifier):
            completed = self._runner.run(["docker", "image", "rm", reference], check=False)
        else:
            inspected = self._runner.run(["docker", "image", "inspect", "--format", _TAGS, identifier], check=False)
            if not inspected.ok or json.loads(inspected.stdout or "[]"):
                return ""
            completed = self._runner.run(["docker", "image", "rm", identifier], check=False)
        return "" if completed.ok else f"Image {reference} stays on this host: {_complaint(completed)}"

    def _named(self, reference: str, identifier: str) -> bool:
        found = self.present([reference]).get(reference)
        return found is not None and found.identifier == identifier

    def _pull(self, reference: str) -> str:
        completed = self._runner.run(["docker", "pull", "--quiet", reference], timeout=PULL_TIMEOUT, check=False)
        if completed.ok:
            return ""
        return f"Image {reference} cannot be pulled: {_complaint(completed)}"

    def _inspect(self, references: Sequence[str]) -> Completed:
        return self._runner.run(["docker", "image", "inspect", "--format", _FORMAT, *references], check=False)


def _image(reference: str, line: str) -> Image:
    content = json.loads(line)
    digests = content["digests"] or []
    # The same image may have come from several repositories.
    own = [digest for digest in digests if _familiar(digest.partition("@")[0]) == _familiar(repository(reference))]
    digest = [*own, *digests][0].rpartition("@")[2] if digests else content["id"]
    return Image(reference, content["id"], digest, tuple(sorted(content["volumes"] or {})))


def repository(reference: str) -> str:
    """Return a reference without its tag and digest."""
    name = reference.partition("@")[0]
    directory, slash, last = name.rpartition("/")
    return f"{directory}{slash}{last.partition(':')[0]}"


def _familiar(name: str) -> str:
    """Return a repository as the engine shows it: those of Docker's own registry without its name."""
    return name.removeprefix("index.docker.io/").removeprefix("docker.io/").removeprefix("library/")


def _complaint(completed: Completed) -> str:
    said = " ".join(completed.stderr.split()).removeprefix("Error response from daemon: ").rstrip(".")
    return said or "no reason given"
