# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.composeops.stack.plugins.filter.sites import FilterModule, sites_from_labels

ROOT = Path(__file__).resolve().parents[8]
COMPOSE = (ROOT / "inventories/reflexapp/compose.yaml").read_text(encoding="utf-8")


def test_rfx_01_labels_of_the_compose_file_are_its_sites() -> None:
    (site,) = sites_from_labels(COMPOSE, "reflexapp", {"APP_DOMAIN": "www.jackcwf.com"})
    assert (site["name"], site["redirect_to_https"]) == ("www.jackcwf.com", True)
    assert {route["path"]: route["port"] for route in site["routes"]} == {"/": 3000, "/_event": 8000}


@pytest.mark.parametrize("name", ["reflexapp", "reflexapp-test", "reflexapp-development"])
def test_rfx_07_environments_differ_in_one_file(name: str) -> None:
    own = ROOT / "inventories" / name / "group_vars/all"
    of_production = ROOT / "inventories/reflexapp/group_vars/all"
    shared = {path.name for path in own.iterdir() if path.resolve().parent == of_production} - {"environment.yml"}
    assert {path.name for path in own.iterdir()} == {*shared, "environment.yml"}
    here, there = (yaml.safe_load((place / "environment.yml").read_text()) for place in (own, of_production))
    assert set(here) == set(there)


@pytest.mark.parametrize(
    ("compose", "message"),
    [
        ("services: {app: {labels: {traefik.http.routers.x.rule: 'Host(`$$D`)'}}}", "at which port"),
        ("services: {app: {labels: {traefik.http.routers.x.rule: 'Host(`${D}`)'}}}", "has no value"),
        ("services: {app: {labels: [traefik.x=1]}}", "traefik.x is not understood"),
        ("no services", "cannot be read"),
        ("{", "cannot be read"),
    ],
)
def test_what_is_wrong_is_said(compose: str, message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=message):
        sites_from_labels(compose, "shop", {})


def test_a_name_that_no_certificate_can_have_is_refused() -> None:
    compose = (
        "services: {app: {labels: {traefik.http.routers.x.rule: 'Host(`localhost`)',"
        " traefik.http.services.x.loadbalancer.server.port: 80}}}"
    )
    with pytest.raises(AnsibleFilterError, match="is not a full host name"):
        sites_from_labels(compose, "shop", {})


def test_certificates_are_told_names_and_no_hash_of_a_password() -> None:
    users = {"users": {"a": "b"}}
    route = {"path": "/", "stack": "shop", "service": "web", "port": 80}
    site = {"name": "a.test", "aliases": ["b.test"], "hsts": "never", "basic_auth": users}
    certified = FilterModule().filters()["certified_sites"]
    assert certified([{**site, "routes": [{**route, "basic_auth": users}]}]) == [
        {"name": "a.test", "aliases": ["b.test"], "hsts": "never", "routes": [route]}
    ]
