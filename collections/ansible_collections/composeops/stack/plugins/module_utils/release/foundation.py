# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What data is restored into on an empty host: the volumes of a stack, and the services that keep data in them.

It leaves no release. What follows is the first deployment, which finds what one that was killed would have left; its
migration runs on what was restored.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from ansible_collections.composeops.stack.plugins.module_utils.release import state
from ansible_collections.composeops.stack.plugins.module_utils.release.deployment import Deployment, require_secrets
from ansible_collections.composeops.stack.plugins.module_utils.release.history import History
from ansible_collections.composeops.stack.plugins.module_utils.release.model import RolloutPolicy, StackRequest


@dataclass(frozen=True)
class Foundation:
    """What was done, or would be."""

    plan: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        return bool(self.plan)


def alone(request: StackRequest, services: Collection[str]) -> StackRequest:
    """Return a request for ``services`` alone, replaced in place, with nothing that a release of all would do."""
    return replace(
        request,
        routed=(),
        published=tuple(port for port in request.published if port.service in services),
        overlapping=(),
        consumers=(),
        rollout=RolloutPolicy(),
        migration=None,
    )


def lay(deployment: Deployment, services: Collection[str], *, check: bool) -> Foundation:
    """Make all volumes, and start ``services`` where there are any; where the stack was deployed, do nothing."""
    name = deployment.request.name
    if state.read_state(name, deployment.root) is not None:
        return Foundation()
    observed = deployment.observe()
    if not observed.engine:
        return Foundation(("make the volumes", *(f"start {service}" for service in services)))
    volumes = deployment.volumes()
    there = set(deployment.docker.volumes(name))
    said = [f"make volume {volume.name}" for volume in volumes if volume.name not in there]
    if said and not check:
        deployment.rollout.make_volumes([volume for volume in volumes if volume.name not in there])
    if services:
        if not check:
            require_secrets(deployment)
            deployment.prepare()
        target = deployment.target(observed)
        plan = deployment.plan(observed, target)
        # That nothing is on record is as it should be.
        changes = replace(plan, record=False).sentences()
        said += changes
        if changes and not check:
            deployment.apply(observed, target, plan)
            state.forget_state(name, deployment.root)
            history = History(name, deployment.root)
            history.forget([release.number for release in history.all()])
    return Foundation(tuple(said))
