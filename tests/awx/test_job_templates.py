"""Playbooks as AWX job templates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.bed


def test_site_shows_progress_without_a_terminal(converged: Any) -> None:
    # Installing the packages of a bare host takes longer than the second between two signs of life.
    assert "still running: " in converged.output


def test_site_in_check_mode_predicts_without_a_terminal(job: Callable[..., Any]) -> None:
    ran = job("site", arguments="--check --diff")
    assert ran.status == "successful", ran.output
    assert "check app (http https://app.petcare.com/)" in ran.output


def test_deploy_ends_with_its_tables(job: Callable[..., Any]) -> None:
    ran = job("deploy")
    assert ran.status == "successful", ran.output
    tables = ran.output[ran.output.index("PLAY RECAP") :]
    for words in ("Services of petcare", "healthy", "Web addresses", "https://app.petcare.com/"):
        assert words in tables, words


def test_status_changes_nothing(job: Callable[..., Any]) -> None:
    ran = job("status")
    assert ran.status == "successful", ran.output
    assert ran.changed == 0
    assert "Backups" in ran.output


def test_inventory_that_was_imported_serves_as_well(job: Callable[..., Any], imported: str) -> None:
    ran = job("deploy", inventory=imported, arguments="--check", petcare_version="1.0.0")
    assert ran.status == "successful", ran.output
    assert ran.changed == 0


def test_misspelt_survey_variable_fails_the_job_with_its_name(job: Callable[..., Any]) -> None:
    ran = job("logs", servise="backend")
    assert ran.status == "failed"
    assert "-e servise is given, but nothing reads it. Did you mean service?" in ran.output


def test_prune_keeps_what_is_young_and_says_why(job: Callable[..., Any]) -> None:
    for arguments, said in (("--check --diff", "younger than 1 d"), ("", "Retention")):
        ran = job("prune", arguments=arguments, only_source="database")
        assert ran.status == "successful", ran.output
        assert ran.changed == 0
        assert said in ran.output


def test_recover_refuses_a_host_that_serves(job: Callable[..., Any]) -> None:
    ran = job("recover")
    assert ran.status == "failed"
    assert "This host is not empty: stack petcare is deployed." in ran.output
    assert "-e overwrite=true" in ran.output
