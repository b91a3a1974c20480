"""What reloads nginx, a change of sites and a renewed certificate, costs no request: connections are drained first."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.faults.petcare import INVENTORY, Petcare
from tests.faults.timeline import Timeline
from tests.faults.under_load import under_load
from tests.faults.variants import OLD, Variant

pytestmark = pytest.mark.bed

GENERATION = "readlink /etc/nginx/composeops/live"
RENEWAL = (
    "for attempt in 1 2 3 4; do REQUESTS_CA_BUNDLE=/etc/composeops/acme-ca.pem certbot renew --force-renewal"
    " --cert-name app.petcare.com --no-random-sleep-on-renew && exit 0; done; exit 1"
)
"""Pebble refuses nonces on purpose, and certbot gives up when that happens twice in a row."""
SERIAL = "openssl x509 -noout -serial -in /etc/nginx/composeops/tls/app.petcare.com/current/fullchain.pem"


def with_header(value: str) -> list[dict[str, Any]]:
    """Return the system's sites, each with a header that tells this change from others."""
    declared = yaml.safe_load((INVENTORY / "group_vars/all/edge.yml").read_text(encoding="utf-8"))["edge_sites"]
    return [{**site, "headers": {"X-Change": value}} for site in declared]


def test_nginx_is_reloaded_without_a_lost_request(petcare: Petcare) -> None:
    def reload_twice(timeline: Timeline) -> None:
        generation, serial = petcare.host.output(GENERATION), petcare.host.output(SERIAL)
        with timeline.window("other sites"):
            run = petcare.play("edge", variant=Variant(OLD), extra={"edge_sites": with_header("first")})
            assert run.ok, run.output
        with timeline.window("a renewed certificate"):
            petcare.host.run(RENEWAL, check=True)
        assert petcare.host.output(GENERATION) != generation
        assert petcare.host.output(SERIAL) != serial

    under_load("edge-reloads", petcare.host.inventory, petcare.back_to_old, reload_twice)
    assert not petcare.host.exists("/run/composeops/edge.draining")
