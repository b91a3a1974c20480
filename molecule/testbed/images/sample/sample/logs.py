"""Logging to standard output, and to a file where one is asked for."""

from __future__ import annotations

import logging
import logging.config
import logging.handlers
import sys
from pathlib import Path

import tomllib

from sample.config import Config
from sample.environment import ConfigError

ACCESS = "sample.access"
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def start(config: Config) -> None:
    if config.log_config:
        configure(config.log_config)
        logging.getLogger(ACCESS).disabled = not config.access_log
        return
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stdout)]
    if config.log_file:
        try:
            # Follows a rotation by renaming, which is how logrotate works without `copytruncate`.
            handlers.append(logging.handlers.WatchedFileHandler(config.log_file))
        except OSError as error:
            raise ConfigError(f"SAMPLE_LOG_FILE: cannot write {config.log_file}: {error.strerror}") from error
    logging.basicConfig(level=logging.INFO, format=FORMAT, handlers=handlers)
    logging.getLogger(ACCESS).disabled = not config.access_log


def configure(path: str) -> None:
    """Log as a TOML file says in its table `logging`: the form of logging.config.dictConfig."""
    try:
        logging.config.dictConfig({"version": 1, **tomllib.loads(Path(path).read_text(encoding="utf-8"))["logging"]})
    except (OSError, KeyError, ValueError) as error:
        raise ConfigError(f"SAMPLE_LOG_CONFIG: {path} is no configuration of logging: {error}") from error
