# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Carries a preflight out: looks at the host, the registries and the store, all at once, and changes nothing."""

from __future__ import annotations

import concurrent.futures
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.backup.encoding import recipient
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Store
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io import files
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner
from ansible_collections.composeops.stack.plugins.module_utils.preflight import bucket, confinement, observe, registry
from ansible_collections.composeops.stack.plugins.module_utils.preflight.machine import (
    Requirements,
    clock_problems,
    machine_hints,
    machine_problems,
    name_problems,
)
from ansible_collections.composeops.stack.plugins.module_utils.preflight.model import Deferred, Findings, Hint, Problem
from ansible_collections.composeops.stack.plugins.module_utils.preflight.ports import Wanted, port_problems
from ansible_collections.composeops.stack.plugins.module_utils.release.compose import Compose
from ansible_collections.composeops.stack.plugins.module_utils.secrets import store as secrets_store
from ansible_collections.composeops.stack.plugins.module_utils.secrets.model import SecretSpec
from ansible_collections.composeops.stack.plugins.module_utils.secrets.plan import problems as secret_problems

DOCKER_LOGINS = "/root/.docker/config.json"


@dataclass(frozen=True)
class StackFacts:
    """What a preflight needs to know of one stack."""

    name: str
    compose: str
    source: str
    environment: Mapping[str, str]
    secrets: tuple[SecretSpec, ...]
    images: tuple[str, ...]


@dataclass(frozen=True)
class Request:
    """What is looked at."""

    required: Requirements
    ports: tuple[Wanted, ...]
    names: tuple[str, ...]
    public_addresses: tuple[str, ...]
    stacks: tuple[StackFacts, ...]
    mirrors: tuple[str, ...]
    store: Store | None
    clock_tolerance: float
    skip: frozenset[str] = field(default_factory=frozenset)
    recipients: tuple[str, ...] | None = None
    """Whom backups are encrypted to; None where they are not to be."""


class Preflight:
    """One look at this host."""

    def __init__(self, request: Request, runner: Runner) -> None:
        self._request = request
        self._runner = runner

    def run(self) -> Findings:
        """Return everything found; an error in one subject does not hide the others."""
        subjects: dict[str, Callable[[], Findings]] = {
            "system": self._machine,
            "secrets": self._secrets,
            "ports": self._ports,
            "names": self._names,
            "compose": self._compose,
            "images": self._images,
            "bucket": self._bucket,
        }
        # What the machine is covers several subjects, and costs nothing.
        wanted = {
            subject: look
            for subject, look in subjects.items()
            if subject == "system" or subject not in self._request.skip
        }
        with concurrent.futures.ThreadPoolExecutor(len(wanted) or 1) as pool:
            found = pool.map(lambda subject: _guarded(subject, wanted[subject]), wanted)
            result = sum(found, Findings())
        skip = self._request.skip
        problems = tuple(problem for problem in result.problems if problem.subject not in skip)
        hints = tuple(hint for hint in result.hints if hint.subject not in skip)
        return Findings(problems, result.deferred, hints, result.facts)

    def _machine(self) -> Findings:
        required = self._request.required
        machine = observe.machine(list(required.free_mib))
        return Findings(
            tuple(machine_problems(machine, required)), hints=tuple(machine_hints(machine)), facts=machine.facts
        )

    def _secrets(self) -> Findings:
        found = []
        for stack in self._request.stacks:
            stored = secrets_store.read(stack.name)
            found += [
                Problem(
                    "secrets",
                    f"stack {stack.name}: {sentence}.",
                    "Give it in the inventory's vault.yml, or in the environment of the run.",
                )
                for sentence in secret_problems(stack.secrets, stored)
            ]
        return Findings(tuple(found))

    def _ports(self) -> Findings:
        wanted = self._request.ports
        seen = observe.ports(self._runner, [port.port for port in wanted])
        return Findings(tuple(port_problems(wanted, seen)))

    def _names(self) -> Findings:
        if not self._request.names:
            return Findings()
        resolutions = observe.resolve(self._request.names)
        own = observe.own_addresses(self._runner)
        return Findings(tuple(name_problems(resolutions, own, self._request.public_addresses)))

    def _compose(self) -> Findings:
        """Ask `docker compose config` where it is installed, with stand-ins for secrets that have no value yet."""
        problems, deferred, hints = [], [], []
        if not self._runner.run(["docker", "compose", "version"], check=False).ok:
            return Findings(
                deferred=tuple(
                    Deferred(
                        "compose",
                        f"whether `docker compose config` accepts {stack.source}; it is asked, before the stack "
                        f"{stack.name} is changed, once the engine is installed",
                    )
                    for stack in self._request.stacks
                )
            )
        for stack in self._request.stacks:
            environment = {**{secret.name: "stand-in" for secret in stack.secrets}, **stack.environment}
            with tempfile.TemporaryDirectory(prefix="composeops-") as directory:
                try:
                    canonical = Compose(self._runner, stack.name, directory).canonical(
                        stack.compose, stack.source, directory, environment
                    )
                    hints += self._hints(stack.name, canonical)
                except InvalidInput as error:
                    message = error.message.replace(directory, "the directory beside it")
                    if "no such file" in message or "not found" in message:
                        deferred.append(
                            Deferred("compose", f"{message} The deployment brings the files and looks again")
                        )
                    else:
                        problems.append(Problem("compose", message, error.remedy))
        return Findings(tuple(problems), tuple(deferred), tuple(hints))

    def _hints(self, stack: str, compose: Mapping[str, Any]) -> list[Hint]:
        if "confinement" in self._request.skip:
            return []
        images = {str(service.get("image")) for service in (compose.get("services") or {}).values()}
        found = confinement.hints(
            compose,
            observe.image_users(self._runner, sorted(images)),
            engine_confines=observe.engine_confines(self._runner),
        )
        return [Hint("confinement", f"{stack}/{name} {', '.join(lacking)}") for name, lacking in found.items()]

    def _images(self) -> Findings:
        wanted = {image: stack.name for stack in self._request.stacks for image in stack.images}
        present = self._present_images()
        missing = [image for image in wanted if image not in present]
        if not missing:
            return Findings()
        logins = registry.credentials(files.read_text(DOCKER_LOGINS) or "")
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            refusals = list(
                pool.map(
                    lambda image: registry.refusal(registry.parse_image(image), self._request.mirrors, logins), missing
                )
            )
        problems, deferred = [], []
        for image, refusal in zip(missing, refusals, strict=True):
            if refusal is None:
                continue
            message = f"{image} of stack {wanted[image]} cannot be pulled: {refusal.reason}."
            if refusal.transient:
                deferred.append(Deferred("images", f"{message} The deployment pulls it before it changes anything"))
            else:
                problems.append(Problem("images", message, refusal.remedy))
        return Findings(tuple(problems), tuple(deferred))

    def _present_images(self) -> set[str]:
        listed = self._runner.run(["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}"], check=False)
        return set(listed.stdout.split()) if listed.ok else set()

    def _bucket(self) -> Findings:
        store = self._request.store
        if store is None:
            return Findings()
        before = time.time()
        answer = bucket.try_to_write(store)
        problems = [Problem("bucket", answer.problem, answer.remedy)] if answer.problem else []
        problems += self._recipients()
        if answer.date is not None and "clock" not in self._request.skip:
            # The store's date has whole seconds: its clock was anywhere in that second.
            stated = answer.date.timestamp()
            tolerance = self._request.clock_tolerance + (time.time() - before)
            problems += clock_problems(time.time(), stated, stated + 1, tolerance, "the backup store's")
        return Findings(tuple(problems))

    def _recipients(self) -> list[Problem]:
        """Look at public keys before anything is encrypted to them."""
        wanted = self._request.recipients
        if wanted is None:
            return []
        if not wanted:
            return [Problem("bucket", recipient.NOBODY, recipient.NOBODY_REMEDY)]
        unusable = recipient.problem(wanted)
        return [Problem("bucket", f"backup_recipients: {unusable}", "")] if unusable else []


def _guarded(subject: str, look: Callable[[], Findings]) -> Findings:
    try:
        return look()
    except ComposeOpsError as error:
        return Findings((Problem(subject, error.message, error.remedy),))
