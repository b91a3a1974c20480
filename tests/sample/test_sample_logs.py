"""SAG-03: how the application logs is a file; the one of the sagacity system, with smaller sizes."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from sample import logs
from sample.environment import ConfigError

PRODUCTION = Path(__file__).resolve().parents[2] / "inventories/sagacity/files/config/logging.toml"


@pytest.fixture
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in [handler for handler in root.handlers if handler not in handlers]:
        handler.close()
    root.handlers, root.level = handlers, level


@pytest.fixture
def configured(tmp_path: Path, _logging_as_before: None) -> Path:
    text = PRODUCTION.read_text(encoding="utf-8").replace("/app/logs", str(tmp_path))
    # A hundred thousandth of the sizes.
    text = text.replace("104857600", "1048").replace("52428800", "524")
    (tmp_path / "logging.toml").write_text(text, encoding="utf-8")
    logs.configure(str(tmp_path / "logging.toml"))
    return tmp_path


def test_sag_03_files_rotate_and_so_many_are_kept(configured: Path) -> None:
    for number in range(500):
        logging.getLogger("desk").error("error %d", number)
    names = sorted(path.name for path in configured.glob("tradingagents*"))
    assert names == [
        *(f"tradingagents.log{suffix}" for suffix in ("", ".1", ".2", ".3", ".4", ".5")),
        *(f"tradingagents_error.log{suffix}" for suffix in ("", ".1", ".2", ".3")),
    ]
    assert max((configured / name).stat().st_size for name in names) <= 1048


def test_sag_03_errors_alone_are_in_the_file_of_errors(configured: Path) -> None:
    logging.getLogger("desk").info("all is well")
    logging.getLogger("desk").critical("nothing is")
    assert "all is well" in (configured / "tradingagents.log").read_text()
    assert "all is well" not in (configured / "tradingagents_error.log").read_text()
    assert "CRITICAL desk: nothing is" in (configured / "tradingagents_error.log").read_text()


@pytest.mark.parametrize("text", ["[other]", "[logging", '[logging.root]\nhandlers = ["none"]'])
def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "logging.toml").write_text(text)
    with pytest.raises(ConfigError, match="SAMPLE_LOG_CONFIG"):
        logs.configure(str(tmp_path / "logging.toml"))
