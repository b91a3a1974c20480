# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The gateway as Kong reads it without a database: its declarative file, format 3.0; pure."""

from __future__ import annotations

from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.gateway.model import KEY_HEADER, Cors, Gateway, Service

BROKEN = (502, 503, 504)
"""Answers that count against an instance: what a proxy or an overloaded service says. A 500 is an answer."""


def document(gateway: Gateway) -> dict[str, Any]:
    """Return the content of kong.yml."""
    return {
        "_format_version": "3.0",
        "_transform": True,
        "services": [_service(service) for service in gateway.services],
        "upstreams": [_upstream(service) for service in gateway.services],
        "plugins": [_cors(gateway.cors)] if gateway.cors else [],
        "consumers": [
            {"username": consumer.name, "keyauth_credentials": [{"key": consumer.mark}]}
            for consumer in gateway.consumers
        ],
    }


def _upstream_name(service: Service) -> str:
    """Return the name of a service's upstream, which must not be one that resolves."""
    return f"{service.name}.upstream"


def _service(service: Service) -> dict[str, Any]:
    plugins: list[dict[str, Any]] = []
    if service.key_required:
        plugins.append(
            {"name": "key-auth", "config": {"key_names": [KEY_HEADER], "key_in_query": False, "hide_credentials": True}}
        )
    if service.rate_limit:
        limit = {service.rate_limit.per: service.rate_limit.requests}
        plugins.append({"name": "rate-limiting", "config": {**limit, "limit_by": "ip", "policy": "local"}})
    return {
        "name": service.name,
        "protocol": "http",
        "host": _upstream_name(service),
        "port": service.port,
        # Once more on another instance where no connection came about.
        "retries": 2,
        "connect_timeout": service.connect_timeout * 1000,
        "write_timeout": service.read_timeout * 1000,
        "read_timeout": service.read_timeout * 1000,
        "routes": [
            {
                "name": service.name,
                "protocols": ["http"],
                "paths": list(service.paths),
                "strip_path": False,
                "preserve_host": True,
            }
        ],
        "plugins": plugins,
    }


def _upstream(service: Service) -> dict[str, Any]:
    breaker = service.circuit_breaker
    failures = {"tcp_failures": breaker.failures, "timeouts": breaker.failures, "http_failures": breaker.failures}
    return {
        "name": _upstream_name(service),
        "algorithm": "least-connections",
        "targets": [{"target": f"{service.name}:{service.port}", "weight": 100}],
        "healthchecks": {
            # What requests meet opens the circuit; the probe alone closes it.
            "passive": {"type": "http", "unhealthy": {**failures, "http_statuses": list(BROKEN)}},
            "active": {
                "type": "http",
                "http_path": service.health_path,
                "timeout": service.connect_timeout,
                "healthy": {"interval": 0, "successes": 1, "http_statuses": [200]},
                "unhealthy": {"interval": breaker.seconds, **failures, "http_statuses": [429, *BROKEN]},
            },
        },
    }


def _cors(cors: Cors) -> dict[str, Any]:
    return {
        "name": "cors",
        "config": {
            "origins": list(cors.origins),
            # Those that a preflight may ask for; OPTIONS itself is one of them in Kong's list.
            "methods": [*cors.methods, "OPTIONS"],
            "headers": list(cors.headers),
            "credentials": cors.credentials,
            "max_age": cors.max_age,
            "preflight_continue": False,
        },
    }
