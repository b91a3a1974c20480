# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Finds where a service is called by a name: in values and files, a host is only a word in a text; pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

# What is said of a host, in the name of a variable, before a word of a command or in a line of a configuration.
_HOST_WORDS = (
    r"(?:hosts?|hostnames?|addr|addrs|address|addresses|servers?|upstreams?|endpoints?|brokers?|peers?|nodes?"
    r"|targets?|proxy|proxy_pass|ur[il]s?)"
)
_HOST_VARIABLE = re.compile(rf"(?:^|_){_HOST_WORDS}$", re.IGNORECASE)
_BETWEEN_HOSTS = re.compile(r"[\s,;]+")


def names_of(stack: str, service: str, definition: Mapping[str, Any], replicas: int) -> set[str]:
    """Return what other containers can call a service when all of a stack is one project."""
    names = {service, str(definition.get("container_name") or ""), str(definition.get("hostname") or "")}
    for options in (definition.get("networks") or {}).values():
        names.update((options or {}).get("aliases") or [])
    names.update(container_names(stack, service, replicas))
    return names - {""}


def container_names(stack: str, service: str, replicas: int) -> list[str]:
    """Return what compose would have called the containers of a service."""
    return [f"{stack}-{service}-{number}" for number in range(1, replicas + 1)]


def meet(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether two services are in a network together, where the one has a name for the other."""
    return bool(set(first.get("networks") or {}) & set(second.get("networks") or {}))


def mentions(definition: Mapping[str, Any], files: Mapping[str, str], names: Collection[str]) -> Iterator[str]:
    """Yield where a service's definition, or one of the ``files`` that it reads, has one of ``names`` as a host."""
    for variable, value in (definition.get("environment") or {}).items():
        text = str(value or "")
        words = _BETWEEN_HOSTS.split(text) if _HOST_VARIABLE.search(variable) else []
        if _is_host_in(text, names) or set(words) & set(names):
            yield f"in {variable}"
    health = (definition.get("healthcheck") or {}).get("test")
    texts = {"command": definition.get("command"), "entrypoint": definition.get("entrypoint"), "health check": health}
    for key, words_of in texts.items():
        if _is_host_in(_as_text(words_of), names):
            yield f"in its {key}"
    for path, text in files.items():
        if _is_host_in(text, names):
            yield f"in {path}"


def _as_text(words: str | Sequence[Any] | None) -> str:
    return words if isinstance(words, str) else " ".join(str(word) for word in words or ())


def _is_host_in(text: str, names: Collection[str]) -> bool:
    """Whether a text has one of ``names`` in an address, with a port, or after a word that announces a host."""
    if not any(name in text for name in names):
        return False
    name = f"(?:{'|'.join(re.escape(name) for name in sorted(names))})"
    in_address = rf"//(?:[^/@\s]*@)?{name}(?![\w.-])"
    with_port = rf"(?<![\w./-]){name}:\d{{1,5}}(?![\w.])"
    announced = rf"(?i:(?<![a-z]){_HOST_WORDS})[\"']?(?:\s*[=:]\s*|\s+)[\"'\[]*{name}(?![\w.:/-])"
    return re.search(f"{in_address}|{with_port}|{announced}", text) is not None
