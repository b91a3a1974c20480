# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The images of a stack on this host, and how they get here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Completed, Runner

PULL_TIMEOUT = 1800.0
PARALLEL_PULLS = 3
_FORMAT = '{"id": {{json .Id}}, "digests": {{json .RepoDigests}}}'


@dataclass(frozen=True)
class Image:
    """An image that this host has."""

    reference: str
    identifier: str
    digest: str
    """The registry's digest, or the image id where the image never was in a registry."""


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
            raise ComposeOpsError(
                f"{'; '.join(failures)}.",
                "Check the names and tags, and that this host reaches the registry and may read from it"
                " (docker login as root). Nothing was changed.",
            )

    def _pull(self, reference: str) -> str:
        completed = self._runner.run(["docker", "pull", "--quiet", reference], timeout=PULL_TIMEOUT, check=False)
        if completed.ok:
            return ""
        said = " ".join(completed.stderr.split()).removeprefix("Error response from daemon: ").rstrip(".")
        return f"Image {reference} cannot be pulled: {said or 'no reason given'}"

    def _inspect(self, references: Sequence[str]) -> Completed:
        return self._runner.run(["docker", "image", "inspect", "--format", _FORMAT, *references], check=False)


def _image(reference: str, line: str) -> Image:
    content = json.loads(line)
    digests = content["digests"] or []
    digest = digests[0].rpartition("@")[2] if digests else content["id"]
    return Image(reference, content["id"], digest)
