# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.release.model import Published, Routed, StackRequest
from ansible_collections.composeops.stack.plugins.module_utils.release.refusals import check

TEXT = """\
services:
  web:
    image: web:1
    gpus: all
    network_mode: host
    platform: linux/arm64
    volumes:
      - ../up:/up
    deploy: {replicas: 2}
  other:
    image: other:1
secrets:
  token:
    external: true
configs:
  motto:
    file: ../motto
networks:
  composeops-release: {}
"""


def refused(
    web: dict[str, Any], *, routed: tuple[Routed, ...] = (), published: tuple[Published, ...] = (), **top: Any
) -> str:
    """Return the message for a compose file with this service."""
    request = StackRequest(name="shop", compose=TEXT, routed=routed, published=published)
    with pytest.raises(InvalidInput) as raised:
        check(request, {"services": {"web": web, "other": {}}, **top}, "amd64")
    return str(raised.value)


SERVICES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "gpus": (
        {"gpus": [{"count": -1}]},
        {},
        "compose.yaml line 4: service web has gpus, which the compose of this host ignores. Write"
        " deploy.resources.reservations.devices: [{capabilities: [gpu], count: all}].",
    ),
    "post_start": (
        {"post_start": [{"command": ["x"]}]},
        {},
        "compose.yaml line 2: service web has post_start, which the compose of this host ignores. Do it in the"
        " entrypoint, or in a service of its own that others wait for with depends_on.",
    ),
    "pre_stop": (
        {"pre_stop": [{"command": ["x"]}]},
        {},
        "compose.yaml line 2: service web has pre_stop, which the compose of this host ignores. Do it in the image,"
        " when its stop signal arrives.",
    ),
    "a routed service in the host's network": (
        {"network_mode": "host"},
        {"routed": (Routed("web", 80),)},
        "compose.yaml line 5: service web is routed, and its network_mode host has no port that can be published."
        " Leave out network_mode, or web under routed.",
    ),
    "a published service without a network": (
        {"network_mode": "none"},
        {"published": (Published("web", 80, 8080),)},
        "compose.yaml line 5: service web is published, and its network_mode none has no port that can be published."
        " Leave out network_mode, or web under published.",
    ),
    "only internal networks": (
        {"networks": {"inner": None}},
        {"routed": (Routed("web", 80),), "networks": {"inner": {"internal": True}}},
        "compose.yaml line 2: service web is to be reached, and is in internal networks only, where no port is"
        " published. Add a network to web that is not internal.",
    ),
    "a routed service without replicas": (
        {"deploy": {"replicas": 0}},
        {"routed": (Routed("web", 80),)},
        "compose.yaml line 9: service web is routed and has no replicas. Give it one, or leave web out under routed.",
    ),
    "one port for two": (
        {"scale": 2},
        {"published": (Published("web", 80, 8080),)},
        "compose.yaml line 9: service web has 2 replicas, and only one can be published on a port. List web under"
        " routed, where each has a port.",
    ),
    "a directory above": (
        {"volumes": [{"type": "bind", "source": "../up", "target": "/up"}]},
        {},
        "compose.yaml line 7: service web mounts ../up, which lies above the compose file and is not brought to the"
        " host. Put it beside the compose file, or write the absolute path that it has on the host.",
    ),
    "a relative path in the container": (
        {"volumes": [{"type": "volume", "source": "data", "target": "data"}]},
        {},
        "compose.yaml line 7: service web mounts something at data, which is no absolute path. Write the whole path"
        " that it is to have in the container.",
    ),
    "a relative tmpfs": (
        {"tmpfs": ["/run", "scratch:size=1m"]},
        {},
        "compose.yaml line 2: service web mounts something at scratch, which is no absolute path. Write the whole path"
        " that it is to have in the container.",
    ),
    "an unknown restart policy": (
        {"restart": "sometimes"},
        {},
        "compose.yaml line 2: service web has the restart policy sometimes, which the engine does not know. It knows"
        " no, always, on-failure, unless-stopped.",
    ),
    "attempts of a service that is always restarted": (
        {"deploy": {"restart_policy": {"condition": "any", "max_attempts": 3}}},
        {},
        "compose.yaml line 9: service web is restarted 3 times at most, which the engine only does on failure. Make"
        " on-failure its condition, or leave out the number.",
    ),
    "attempts without a condition": (
        {"restart": "on-failure", "deploy": {"restart_policy": {"max_attempts": 2}}},
        {},
        "compose.yaml line 9: service web is restarted 2 times at most, which the engine only does on failure. Make"
        " on-failure its condition, or leave out the number.",
    ),
    "attempts in the short form": (
        {"restart": "always:3"},
        {},
        "compose.yaml line 2: service web is restarted 3 times at most, which the engine only does on failure. Make"
        " on-failure its condition, or leave out the number.",
    ),
    "another platform": (
        {"platform": "linux/arm64/v8"},
        {},
        "compose.yaml line 6: service web is for linux/arm64/v8, and this host is linux/amd64. Leave out platform where"
        " the image is there for both, or choose another host.",
    ),
    "an external secret": (
        {"secrets": [{"source": "token"}]},
        {"secrets": {"token": {"external": True}}},
        "compose.yaml line 13: secrets.token is external, which only Swarm knows. Write `environment: NAME` and list"
        " NAME under the stack's secrets.",
    ),
    "a secret of the environment in a read-only container": (
        {"read_only": True, "secrets": [{"source": "token"}]},
        {"secrets": {"token": {"environment": "TOKEN"}}},
        "compose.yaml line 2: service web is read_only, and compose cannot put a secret or config there that is no"
        " file. Leave out read_only of web, or give it secrets and configs that are files.",
    ),
    "a written config in a read-only container": (
        {"read_only": True, "configs": [{"source": "motto"}]},
        {"configs": {"motto": {"content": "hello"}}},
        "compose.yaml line 2: service web is read_only, and compose cannot put a secret or config there that is no"
        " file. Leave out read_only of web, or give it secrets and configs that are files.",
    ),
    "a config above": (
        {"configs": [{"source": "motto"}]},
        {"configs": {"motto": {"file": "../motto"}}},
        "compose.yaml line 16: configs.motto is the file ../motto, which lies above the compose file. Put it below"
        " files_directory.",
    ),
    "the network of a release": (
        {},
        {"networks": {"composeops-release": {}}},
        "compose.yaml line 19: the network composeops-release is called as that of a release. Give it another name.",
    ),
}


@pytest.mark.parametrize(("web", "options", "message"), SERVICES.values(), ids=SERVICES.keys())
def test_refuses_with_the_line_and_what_to_write_instead(
    web: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    assert refused(web, **options) == message


def test_tells_everything_at_once() -> None:
    said = refused({"gpus": [{}], "platform": "arm64"})
    assert said.startswith("compose.yaml line 4: service web has gpus")
    assert "; compose.yaml line 6: service web is for arm64" in said


ACCEPTED: dict[str, dict[str, Any]] = {
    "this platform": {"platform": "linux/amd64"},
    "the host's network, routed nowhere": {"network_mode": "host"},
    "another network": {"networks": {"inner": None, "outer": None}},
    "attempts on failure": {"restart": "on-failure:3"},
    "attempts of deploy on failure": {"deploy": {"restart_policy": {"condition": "on-failure", "max_attempts": 3}}},
    "a tmpfs with options": {"tmpfs": "/scratch:size=1m"},
    "an empty list of hooks": {"post_start": []},
    "a secret that nobody uses": {},
    "a read-only container": {"read_only": True},
    "a file in a read-only container": {"read_only": True, "configs": [{"source": "motto"}]},
}


@pytest.mark.parametrize("web", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_accepts(web: dict[str, Any]) -> None:
    routed = () if "network_mode" in web else (Routed("web", 80),)
    request = StackRequest(name="shop", compose=TEXT, routed=routed)
    networks = {"inner": {"internal": True}, "outer": {}}
    compose = {"services": {"web": web}, "secrets": {"token": {"external": True}}, "networks": networks}
    compose |= {"configs": {"motto": {"file": "./motto"}}}
    assert check(request, compose, "amd64") is None  # type: ignore[func-returns-value]


def test_a_service_in_the_default_bridge_can_be_published() -> None:
    request = StackRequest(name="shop", compose=TEXT, routed=(Routed("web", 80),))
    assert check(request, {"services": {"web": {"network_mode": "bridge"}}}, "amd64") is None  # type: ignore[func-returns-value]
