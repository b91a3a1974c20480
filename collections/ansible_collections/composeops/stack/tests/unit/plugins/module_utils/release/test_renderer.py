# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io import sockets
from ansible_collections.composeops.stack.plugins.module_utils.release.compose import Compose
from ansible_collections.composeops.stack.plugins.module_utils.release.model import Routed, StackRequest
from ansible_collections.composeops.stack.plugins.module_utils.release.renderer import Rendered, Renderer
from ansible_collections.composeops.stack.plugins.module_utils.release.state import Endpoint, StackState
from ansible_collections.composeops.stack.tests.unit.support.recorded import RecordedRunner

TEXT = """\
services:
  web:
    image: web:1
networks:
  shared:
    external: true
volumes:
  media:
    external: true
"""


@pytest.fixture(autouse=True)
def nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "listening", lambda: [])


def rendered(
    root: Path, *, there: str = "", replicas: int = 1, existing: Sequence[Endpoint] = (), **top: Any
) -> Rendered:
    """Render a stack of one routed service on a host that has the networks and volumes ``there``."""
    canonical = {"services": {"web": {"image": "web:1", "deploy": {"replicas": replicas}}}, **top}

    def answer(argv: Sequence[str]) -> tuple[int, str, str]:
        return 0, there if "ls" in argv else json.dumps(canonical), ""

    request = StackRequest(name="shop", compose=TEXT, routed=(Routed("web", 80),))
    record = StackState("shop", "shop", "r", "t", endpoints=tuple(existing)) if existing else None
    compose = Compose(RecordedRunner(answer), "shop", "/stacks/shop")
    return Renderer(request, compose, secrets={}, key=b"k", root=str(root)).render(record, [])


SHARED = {"networks": {"shared": {"name": "everyone", "external": True}}}
MEDIA = {"volumes": {"media": {"name": "films", "external": True}}}
MISSING = {
    "a network": (
        SHARED,
        "compose.yaml line 5: networks.shared is external, and this host has no network that is called everyone. Make"
        " it with `docker network create everyone`, or leave out external.",
    ),
    "a volume": (
        MEDIA,
        "compose.yaml line 8: volumes.media is external, and this host has no volume that is called films. Make it with"
        " `docker volume create films`, or leave out external.",
    ),
}


@pytest.mark.parametrize(("top", "message"), MISSING.values(), ids=MISSING.keys())
def test_what_others_make_has_to_be_there(tmp_path: Path, top: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        rendered(tmp_path, there="bridge\nevery\n", **top)
    assert str(raised.value) == message


def test_what_others_made_is_used(tmp_path: Path) -> None:
    assert rendered(tmp_path, there="bridge\neveryone\nfilms\n", **SHARED, **MEDIA).rendering.services


def test_a_service_that_grows_keeps_the_port_that_the_edge_knows(tmp_path: Path) -> None:
    before = [Endpoint("web", 80, "127.0.0.1", 21000)]
    endpoints = rendered(tmp_path, replicas=3, existing=before).rendering.endpoints
    assert [endpoint.host_port for endpoint in endpoints] == [21000, 21001, 21002]
