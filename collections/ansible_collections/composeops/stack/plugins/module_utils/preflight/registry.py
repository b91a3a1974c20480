# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Asks registries whether images can be pulled, before there is an engine to pull them."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io import http

DOCKER_HUB = "docker.io"
_HUB_HOST = "registry-1.docker.io"

MANIFESTS = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
_IMAGE = re.compile(
    r"(?P<path>[a-zA-Z0-9](?:[\w.:/-]*?[a-zA-Z0-9])?)(?::(?P<tag>[\w][\w.-]{0,127}))?(?:@(?P<digest>\w+:[0-9a-f]{32,}))?\Z"
)
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_OK, _UNAUTHORIZED, _FORBIDDEN, _TOO_MANY = 200, 401, 403, 429


@dataclass(frozen=True)
class Image:
    """An image's name, taken apart as the engine does it."""

    registry: str
    repository: str
    reference: str

    def __str__(self) -> str:
        separator = "@" if ":" in self.reference else ":"
        return f"{self.registry}/{self.repository}{separator}{self.reference}"


@dataclass(frozen=True)
class Refusal:
    """Why an image cannot be pulled."""

    reason: str
    remedy: str
    transient: bool = False
    """The registry did not want to say; the image may be there."""


def parse_image(text: str) -> Image:
    """Take an image's name apart; Docker Hub is meant where no registry is named."""
    match = _IMAGE.match(text)
    if match is None:
        raise InvalidInput(f"{text!r} is not the name of an image.", "Write name:tag.")
    first, _, rest = match["path"].partition("/")
    if rest and ("." in first or ":" in first or first == "localhost"):
        registry, repository = first, rest
    else:
        registry, repository = DOCKER_HUB, match["path"] if rest else f"library/{match['path']}"
    if registry in (DOCKER_HUB, "index.docker.io"):
        registry = DOCKER_HUB
        repository = repository if "/" in repository else f"library/{repository}"
    return Image(registry, repository, match["digest"] or match["tag"] or "latest")


def credentials(configuration: str) -> dict[str, str]:
    """Return the Basic credentials by registry that `docker login` wrote to its configuration file."""
    try:
        entries = json.loads(configuration or "{}").get("auths") or {}
        return {_registry_of(name): str(entry["auth"]) for name, entry in entries.items() if entry.get("auth")}
    except (ValueError, AttributeError) as error:
        raise InvalidInput(
            "/root/.docker/config.json on the host is not what `docker login` writes.", "Log in again."
        ) from error


def refusal(image: Image, mirrors: Sequence[str], logins: Mapping[str, str], timeout: float = 10) -> Refusal | None:
    """Return why ``image`` cannot be pulled, or None where a mirror or its registry has it.

    As the engine does, mirrors are asked first and for images of Docker Hub alone.
    """
    said = []
    bases = [*(mirrors if image.registry == DOCKER_HUB else ()), _base(image.registry)]
    transient = False
    for base in bases:
        try:
            status = _manifest_status(base, image, logins.get(image.registry, ""), timeout)
        except ComposeOpsError as error:
            said.append(error.message.rstrip("."))
            continue
        if status == _OK:
            return None
        transient = transient or status == _TOO_MANY
        said.append(f"{base} answered {status}{_meaning(status)}")
    return Refusal("; ".join(said), _remedy(image, said), transient)


def _manifest_status(base: str, image: Image, login: str, timeout: float) -> int:
    """Return the status with which a registry answers for an image, after the login it asks for."""
    url = f"{base.rstrip('/')}/v2/{image.repository}/manifests/{quote(image.reference, safe=':')}"
    headers = {"Accept": MANIFESTS}
    answer = http.request(url, method="HEAD", headers=headers, timeout=timeout)
    if answer.status != _UNAUTHORIZED:
        return answer.status
    authorization = _authorization(answer.headers.get("www-authenticate", ""), image, login, timeout)
    if not authorization:
        return answer.status
    return http.request(url, method="HEAD", headers={**headers, "Authorization": authorization}, timeout=timeout).status


def _authorization(challenge: str, image: Image, login: str, timeout: float) -> str:
    """Answer a registry's challenge, with the host's login where there is one."""
    scheme, _, rest = challenge.partition(" ")
    if scheme.lower() == "basic":
        return f"Basic {login}" if login else ""
    parameters = dict(_CHALLENGE.findall(rest))
    if scheme.lower() != "bearer" or "realm" not in parameters:
        return ""
    query = urlencode({"service": parameters.get("service", ""), "scope": f"repository:{image.repository}:pull"})
    headers = {"Authorization": f"Basic {login}"} if login else {}
    answer = http.request(f"{parameters['realm']}?{query}", headers=headers, timeout=timeout)
    try:
        document = json.loads(answer.body)
        return f"Bearer {document.get('token') or document['access_token']}"
    except (ValueError, KeyError, AttributeError):
        return ""


def _base(registry: str) -> str:
    if registry == DOCKER_HUB:
        return f"https://{_HUB_HOST}"
    # The engine, too, speaks HTTP to registries on the loopback.
    local = registry.partition(":")[0] in ("localhost", "127.0.0.1")
    return f"{'http' if local else 'https'}://{registry}"


def _registry_of(name: str) -> str:
    """Return the registry of a login; Docker Hub's is a URL for historical reasons."""
    host = name.partition("://")[2] or name
    host = host.partition("/")[0]
    return DOCKER_HUB if host in ("index.docker.io", "docker.io", _HUB_HOST) else host


def _meaning(status: int) -> str:
    return {
        404: " (not there)",
        _UNAUTHORIZED: " (not there, or a login is needed)",
        _FORBIDDEN: " (the login may not pull it)",
        _TOO_MANY: " (too many requests)",
    }.get(status, "")


def _remedy(image: Image, said: Sequence[str]) -> str:
    if any("login" in sentence for sentence in said):
        registry = "" if image.registry == DOCKER_HUB else f" {image.registry}"
        return f"Correct the image or its tag, or log in on the host: `docker login{registry}`."
    return "Push the image, correct its name or tag in the compose file, or open the way to the registry."


def basic(user: str, password: str) -> str:
    """Return a login as `docker login` keeps it."""
    return base64.b64encode(f"{user}:{password}".encode()).decode()
