# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Hands the certificate that certbot keeps for a site to nginx, and proves that it is served.

The module runs it after an issuance, certbot's hook after a renewal. It is idempotent and repairs what an interrupted
run left behind.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from typing import Protocol

from ansible_collections.composeops.stack.plugins.module_utils.certificates import lineage as lineages
from ansible_collections.composeops.stack.plugins.module_utils.certificates import provided
from ansible_collections.composeops.stack.plugins.module_utils.certificates.bundle import Bundles
from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import (
    Lineage,
    Observed,
    WantedCertificate,
)
from ansible_collections.composeops.stack.plugins.module_utils.certificates.plan import (
    hsts_configuration,
    reasons_to_deploy,
    unfit,
)
from ansible_collections.composeops.stack.plugins.module_utils.certificates.serving import served_fingerprint
from ansible_collections.composeops.stack.plugins.module_utils.edge.live import LOCK, LOCK_WAIT
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.files import exclusive
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner

SERVING_TIMEOUT = 10.0
POLL = 0.02

Served = Callable[[str], "str | None"]


class Server(Protocol):
    """What deploying needs of nginx."""

    def test_live(self) -> None: ...

    def drained(self) -> contextlib.AbstractContextManager[None]: ...

    def end_draining(self) -> None: ...

    def reload(self) -> None: ...


class Deployment:
    """Observes and deploys the certificates of this host."""

    def __init__(
        self,
        runner: Runner,
        server: Server,
        *,
        bundles: Bundles | None = None,
        certbot_directory: str = lineages.CERTBOT_DIRECTORY,
        served: Served = served_fingerprint,
        lock: str = LOCK,
    ) -> None:
        self._runner = runner
        self._server = server
        self._bundles = bundles or Bundles(runner)
        self._certbot_directory = certbot_directory
        self._served = served
        self._lock = lock

    def observe(self, wanted: WantedCertificate) -> Observed:
        """Return what is kept for a site, by certbot or by the operator, what nginx has, and what answers."""
        site = wanted.site
        return Observed(
            lineage=provided.read(self._runner, wanted.provided)
            if wanted.provided
            else lineages.read_lineage(self._runner, site, self._certbot_directory),
            bundle=self._bundles.read(site),
            served=self._served(site),
        )

    def deploy(self, wanted: WantedCertificate) -> tuple[str, ...]:
        """Bring nginx to serve what certbot keeps; return why that was necessary, or nothing when it was not."""
        with exclusive(self._lock, f"the certificate of {wanted.site}", wait=LOCK_WAIT):
            self._server.end_draining()
            observed = self.observe(wanted)
            reasons = reasons_to_deploy(wanted, observed)
            if reasons and observed.lineage:
                self._check(wanted, observed.lineage)
                self._switch(wanted, observed.lineage)
            return reasons

    def _check(self, wanted: WantedCertificate, lineage: Lineage) -> None:
        current = self._bundles.fullchain(wanted.site)
        present = lineages.describe(self._runner, current).names if os.path.exists(current) else ()
        problem = unfit(wanted, lineage, lineages.public_key(self._runner, lineage.privkey), present)
        if problem:
            raise ComposeOpsError(
                f"{wanted.site}: the certificate in {self._kept_in(wanted)} is not handed to nginx: {problem}.",
                "Provide a fitting one, and run playbooks/site.yml; what served before still does."
                if wanted.provided
                else "Run playbooks/site.yml, which issues a fitting one; what served before still does.",
            )

    def _kept_in(self, wanted: WantedCertificate) -> str:
        if wanted.provided:
            return wanted.provided.certificate
        return os.path.join(self._certbot_directory, "live", wanted.site)

    def _switch(self, wanted: WantedCertificate, lineage: Lineage) -> None:
        site, before = wanted.site, self._bundles.target(wanted.site)
        name = self._bundles.write(site, lineage.fullchain, lineage.privkey, hsts_configuration(wanted, lineage))
        self._bundles.switch(site, name)
        try:
            self._server.test_live()
        except ComposeOpsError as error:
            self._take_back(site, before)
            raise ComposeOpsError(
                f"{site}: {error.message}", "What served before still does; correct the cause and run again."
            ) from error
        try:
            with self._server.drained():
                self._server.reload()
                self._wait_until_served(wanted, lineage.certificate.fingerprint)
        except ComposeOpsError as error:
            self._take_back(site, before)
            self._serve_again(site, error)
        self._bundles.prune(site)

    def _take_back(self, site: str, before: str | None) -> None:
        if before is None:
            self._bundles.remove(site)
        else:
            self._bundles.switch(site, before)
            self._bundles.prune(site)

    def _serve_again(self, site: str, error: ComposeOpsError) -> None:
        try:
            self._server.reload()
        except ComposeOpsError as second:
            raise ComposeOpsError(
                f"{site}: {error.message} What was there before is back on disk, but nginx did not take it: "
                f"{second.message}",
                "Look at `systemctl status nginx` and `nginx -t` on the host now.",
            ) from error
        raise ComposeOpsError(
            f"{site}: {error.message}",
            "What was there before was put back. Is the site declared in edge_sites? Correct the cause and run again.",
        ) from error

    def _wait_until_served(self, wanted: WantedCertificate, fingerprint: str) -> None:
        """Wait for the reload, whose end nginx does not tell, by asking for every name."""
        deadline = time.monotonic() + SERVING_TIMEOUT
        for name in wanted.names:
            while self._served(name) != fingerprint:
                if time.monotonic() > deadline:
                    answered = self._served(name)
                    found = f"one with the fingerprint {answered[:16]}" if answered else "none"
                    raise ComposeOpsError(
                        f"nginx was reloaded, but for {name} it serves {found} and not the certificate on disk "
                        f"({fingerprint[:16]})."
                    )
                time.sleep(POLL)
