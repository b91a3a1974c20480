"""Readers for single environment variables. Each error names the variable and says what to write instead."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

Environment = Mapping[str, str]

TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"0", "false", "no", "off", ""})


class ConfigError(Exception):
    """The environment does not describe an application that can start."""


def text(env: Environment, name: str, default: str = "") -> str:
    """An empty value counts as unset: compose writes `NAME=` for a variable nobody defined."""
    return env.get(name) or default


def secret(env: Environment, name: str) -> str:
    """NAME_FILE is preferred to NAME: a file stays out of `docker inspect`."""
    path = env.get(f"{name}_FILE")
    if not path:
        return text(env, name)
    try:
        value = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"{name}_FILE: cannot read {path}: {reason}") from error
    if not value:
        raise ConfigError(f"{name}_FILE: {path} is empty")
    return value


def number(env: Environment, name: str, default: float, minimum: float = 0.0) -> float:
    raw = text(env, name)
    if not raw:
        return default
    try:
        value = float(raw)
    except ValueError:
        raise ConfigError(f"{name}: {raw!r} is not a number") from None
    # Written this way round so that nan is refused too.
    if not minimum <= value < float("inf"):
        raise ConfigError(f"{name}: {raw} is out of range, write a finite number of at least {minimum:g}")
    return value


def boolean(env: Environment, name: str, default: bool = False) -> bool:
    raw = env.get(name)
    if not raw:
        return default
    if raw.lower() in TRUE:
        return True
    if raw.lower() in FALSE:
        return False
    raise ConfigError(f"{name}: {raw!r} is neither true nor false, write 1 or 0")


def port(raw: str, name: str) -> int:
    if not raw.isdecimal() or not 1 <= int(raw) <= 65535:
        raise ConfigError(f"{name}: {raw!r} is not a port, write a number from 1 to 65535")
    return int(raw)


def require(env: Environment, names: str) -> None:
    """Every name listed in REQUIRED_ENV must have a value, its own or a file's."""
    wanted = [name for name in names.replace(",", " ").split() if name]
    missing = [name for name in wanted if not secret(env, name)]
    if missing:
        raise ConfigError(f"required environment is missing: set {', '.join(missing)} (or NAME_FILE)")
