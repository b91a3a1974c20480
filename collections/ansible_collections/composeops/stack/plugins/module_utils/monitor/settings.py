# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads the monitor's configuration and refuses what cannot be meant."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.checks import declaration
from ansible_collections.composeops.stack.plugins.module_utils.checks.model import Check
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io import files
from ansible_collections.composeops.stack.plugins.module_utils.io.http import parse_url
from ansible_collections.composeops.stack.plugins.module_utils.monitor.model import (
    BACKENDS,
    FORMATS,
    RARELY,
    Policy,
    Rule,
    Settings,
    Target,
    Thresholds,
    Webhook,
)

PATH = "/etc/composeops/monitor.json"
"""Written by the role `monitor`."""
REMEDY = "Correct the monitor_* variables and run playbooks/site.yml, or correct the file."
SHORTEST_INTERVAL = 0.1

NEEDED: Mapping[str, tuple[str, ...]] = {
    "docker": ("stack", "service"),
    "supervisor": ("program",),
    "systemd": ("unit",),
    "none": (),
}
"""What a restart needs to know, by backend."""


def load(path: str) -> Settings:
    """Return the settings in a file; one that holds a webhook's URL must be readable by its owner alone."""
    text = files.read_text(path)
    if text is None:
        raise ComposeOpsError(f"The monitor is not configured: {path} is missing.", "Run playbooks/site.yml first.")
    try:
        content = json.loads(text)
        settings = parse(content)
    except InvalidInput as error:
        raise InvalidInput(f"{path} is wrong: {error.message}", REMEDY) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidInput(f"{path} is wrong: {error}.", REMEDY) from error
    open_to = stat.S_IMODE(os.stat(path).st_mode) & 0o077
    if open_to and any("url" in webhook for webhook in content.get("webhooks", [])):
        raise InvalidInput(
            f"{path} holds the URL of a webhook and can be read by others.", f"Run chmod 600 {path}, or use url_file."
        )
    return settings


def parse(content: Mapping[str, Any], read: Callable[[str], str | None] = files.read_text) -> Settings:
    """Return the settings of what a configuration file says; ``read`` reads the files that it names."""
    raw = _Options(content, "the file")
    interval = raw.positive("interval", 30)
    checks = declaration.parse(raw.list("checks"))
    settings = Settings(
        host=raw.text("host", os.uname().nodename),
        rules=_rules(checks, raw, interval),
        ca=raw.text("ca"),
        start_delay=raw.number("start_delay", 30),
        interval=interval,
        policy=Policy(
            restarts_per_hour=int(raw.number("restarts_per_hour", 3)),
            backoff=raw.number("backoff", 60),
            grace=raw.number("grace", 60),
        ),
        thresholds=_thresholds(_Options(raw.mapping("thresholds"), "thresholds")),
        webhooks=_webhooks(raw.list("webhooks"), read),
        webhook_ca=raw.text("webhook_ca"),
        supervisor_url=raw.text("supervisor_url"),
        state_directory=raw.text("state_directory", "/var/lib/composeops/monitor"),
        metrics_file=raw.text("metrics_file"),
    )
    raw.no_more()
    if not settings.rules and not settings.thresholds.any:
        raise InvalidInput("there is nothing to watch: no check and no threshold.")
    return settings


def _rules(checks: Sequence[Check], raw: _Options, interval: float) -> dict[str, Rule]:
    retry = raw.number("retry_interval", 0)
    failures = int(raw.positive("failures", 3))
    known = {check.name: check for check in checks}
    own: dict[str, _Options] = {}
    for position, declared in enumerate(raw.list("rules"), 1):
        options = _Options(declared, f"rule {declared.get('check') or position}")
        name = options.text("check")
        if name not in known:
            raise InvalidInput(f"rule {position} is for the check {name!r}, which is not declared.")
        if name in own:
            raise InvalidInput(f"there are two rules for the check {name}.")
        own[name] = options
    rules = {check.name: _rule(check, own.get(check.name), interval, retry, failures) for check in checks}
    for rule in rules.values():
        for name in rule.needs:
            if name not in rules or name == rule.name:
                raise InvalidInput(f"rule {rule.name} needs {name!r}, which is no other declared check.")
    return rules


def _rule(check: Check, options: _Options | None, interval: float, retry: float, failures: int) -> Rule:
    usual = max(interval, RARELY.get(check.type, 0))
    if options is None:
        return Rule(check, usual, retry or usual, failures)
    interval = options.positive("interval", usual)
    rule = Rule(
        check,
        interval,
        options.number("retry_interval", retry) or interval,
        int(options.positive("failures", failures)),
        _target(options),
        tuple(str(name) for name in options.list("needs")),
    )
    options.no_more()
    return rule


def _target(options: _Options) -> Target | None:
    backend = options.choice("restart", BACKENDS, "none")
    target = Target(
        backend=backend,
        stack=options.text("stack"),
        service=options.text("service"),
        program=options.text("program"),
        unit=options.text("unit"),
    )
    given = {name for name in ("service", "program", "unit") if getattr(target, name)}
    missing = [name for name in NEEDED[backend] if not getattr(target, name)]
    if missing:
        raise InvalidInput(f"{options.label}: restart {backend} needs {' and '.join(missing)}.")
    if excess := sorted(given - set(NEEDED[backend])):
        raise InvalidInput(f"{options.label}: restart {backend} does not know {', '.join(excess)}.")
    return None if backend == "none" else target


def _thresholds(raw: _Options) -> Thresholds:
    usual = Thresholds()
    thresholds = Thresholds(
        cpu=raw.percent("cpu", usual.cpu),
        memory=raw.percent("memory", usual.memory),
        disk=raw.percent("disk", usual.disk),
        margin=raw.percent("margin", usual.margin),
        failures=int(raw.positive("failures", usual.failures)),
        disks=tuple(str(path) for path in raw.list("disks", list(usual.disks))),
    )
    raw.no_more()
    return thresholds


def _webhooks(declared: Sequence[Mapping[str, Any]], read: Callable[[str], str | None]) -> tuple[Webhook, ...]:
    webhooks: list[Webhook] = []
    for position, entry in enumerate(declared, 1):
        options = _Options(entry, f"webhook {entry.get('name') or position}")
        name, form = options.text("name"), options.choice("format", FORMATS, "json")
        url, url_file = options.text("url"), options.text("url_file")
        options.no_more()
        if not name or any(name == other.name for other in webhooks):
            raise InvalidInput(f"{options.label} needs a name of its own.")
        if bool(url) == bool(url_file):
            raise InvalidInput(f"{options.label} needs either url or url_file.")
        webhooks.append(Webhook(name, form, _url(options.label, url or (read(url_file) or "").strip())))
    return tuple(webhooks)


def _url(label: str, url: str) -> str:
    """Return a webhook's URL; what is wrong with it is said without repeating it."""
    wrong = f"{label}: its URL is not one."
    if not url or not url.isascii() or not url.isprintable() or " " in url:
        raise InvalidInput(wrong)
    try:
        scheme = parse_url(url).scheme
    except InvalidInput:
        raise InvalidInput(wrong) from None
    if scheme not in ("http", "https"):
        raise InvalidInput(wrong)
    return url


class _Options:
    """Options of one part of the file: typed reading, and nothing left unread."""

    def __init__(self, raw: Mapping[str, Any], label: str) -> None:
        if not isinstance(raw, Mapping):
            raise InvalidInput(f"{label} is not a mapping.")
        self.label = label
        self._raw = {name: value for name, value in raw.items() if value is not None}
        self._read: set[str] = set()

    def text(self, name: str, default: str = "") -> str:
        value = self._get(name, default)
        if not isinstance(value, (str, int, float)):
            raise InvalidInput(f"{self.label}: {name} must be a text.")
        return str(value)

    def number(self, name: str, default: float) -> float:
        value = self._get(name, default)
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise InvalidInput(f"{self.label}: {name} must be a number, not {value!r}.") from None
        if not 0 <= number < float("inf"):
            raise InvalidInput(f"{self.label}: {name} must not be {number:g}.")
        return number

    def positive(self, name: str, default: float) -> float:
        number = self.number(name, default)
        if number < SHORTEST_INTERVAL:
            raise InvalidInput(f"{self.label}: {name} must be more than {number:g}.")
        return number

    def percent(self, name: str, default: float) -> float:
        number = self.number(name, default)
        if number > 100:  # noqa: PLR2004 (per cent)
            raise InvalidInput(f"{self.label}: {name} is a percentage and cannot be {number:g}.")
        return number

    def choice(self, name: str, choices: Sequence[Any], default: str) -> Any:
        value = self.text(name, default)
        if value not in choices:
            raise InvalidInput(f"{self.label}: {name} is one of {', '.join(choices)}, not {value}.")
        return value

    def list(self, name: str, default: Sequence[Any] = ()) -> Sequence[Any]:
        value = self._get(name, default)
        if not isinstance(value, (list, tuple)):
            raise InvalidInput(f"{self.label}: {name} must be a list.")
        return value

    def mapping(self, name: str) -> Mapping[str, Any]:
        value = self._get(name, {})
        if not isinstance(value, Mapping):
            raise InvalidInput(f"{self.label}: {name} must be a mapping.")
        return value

    def no_more(self) -> None:
        """Raise for options that nothing read."""
        if unknown := sorted(set(self._raw) - self._read):
            raise InvalidInput(f"{self.label} has no option {', '.join(unknown)}.")

    def _get(self, name: str, default: Any) -> Any:
        self._read.add(name)
        return self._raw.get(name, default)
