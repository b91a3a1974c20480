"""The module `secrets` on a real host: what it writes, who may read it, and what it never shows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.bed_host import BedHost

pytestmark = pytest.mark.bed

STACK = "secretstest"
PATH = f"/etc/composeops/secrets/{STACK}.json"
GIVEN = {"name": "SMTP_PASS", "value": "k3Jf82hQzW1mPq", "generate": False}
GENERATED = {"name": "DB_PASSWORD"}


@pytest.fixture(autouse=True)
def clean(host: BedHost) -> Iterator[None]:
    host.run(["rm", "-f", PATH], check=True)
    yield
    host.run(["rm", "-f", PATH], check=True)


def keep(host: BedHost, *secrets: dict[str, Any], check: bool = False, diff: bool = False) -> dict[str, Any]:
    return host.module("composeops.stack.secrets", {"stack": STACK, "secrets": list(secrets)}, check=check, diff=diff)


def values(host: BedHost) -> dict[str, str]:
    return dict(json.loads(host.read(PATH)))


def test_check_apply_check_apply(host: BedHost) -> None:
    plan = ["generate DB_PASSWORD (48 characters)", "write SMTP_PASS as given"]
    checked = keep(host, GENERATED, GIVEN, check=True)
    assert (checked["changed"], checked["plan"]) == (True, plan)
    assert not host.exists(PATH)
    applied = keep(host, GENERATED, GIVEN)
    assert (applied["changed"], applied["plan"]) == (True, plan)
    first = values(host)
    assert len(first["DB_PASSWORD"]) == 48
    assert first["SMTP_PASS"] == GIVEN["value"]
    assert not keep(host, GENERATED, GIVEN, check=True)["changed"]
    assert not keep(host, GENERATED, GIVEN)["changed"]
    assert values(host) == first


def test_root_alone_may_read(host: BedHost) -> None:
    keep(host, GENERATED)
    assert host.run(f"stat -c '%a %U:%G' {PATH} /etc/composeops/secrets", check=True).stdout.splitlines() == [
        "600 root:root",
        "700 root:root",
    ]
    host.run(["chmod", "0644", PATH], check=True)
    assert keep(host, GENERATED)["plan"] == [f"set the mode of {PATH} to 0600 (it is 0644)"]
    assert host.run(f"stat -c %a {PATH}", check=True).stdout.strip() == "600"


def test_no_value_is_shown_however_much_is_asked_for(host: BedHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """The most verbose run with a diff, as it would land in a job's log."""
    playbook = host.directory / "secrets.yml"
    task = {"name": "Keep", "composeops.stack.secrets": {"stack": STACK, "secrets": [GENERATED, GIVEN]}}
    play = {"name": "Secrets", "hosts": host.name, "become": True, "gather_facts": False, "tasks": [task]}
    # The given value comes from the environment, as in production: a value written into a playbook is shown by Ansible.
    text = json.dumps([play]).replace(str(GIVEN["value"]), "{{ lookup('ansible.builtin.env', 'SMTP_PASS') }}")
    playbook.write_text(text, encoding="utf-8")
    monkeypatch.setenv("SMTP_PASS", str(GIVEN["value"]))
    monkeypatch.setenv("ANSIBLE_VERBOSITY", "4")
    run = host.playbook(playbook, diff=True)
    assert run.ok, run.output
    assert "DB_PASSWORD=(sensitive, generated now)" in run.output
    assert [name for name, value in values(host).items() if value in run.output] == []


def test_a_changed_given_value_is_replaced_and_a_generated_one_is_never(host: BedHost) -> None:
    keep(host, GENERATED, GIVEN)
    before = values(host)
    result = keep(host, {**GENERATED, "length": 64}, {**GIVEN, "value": "Zt7yB0vNcR4sLd"})
    assert result["plan"] == ["replace SMTP_PASS: the given value differs from the one on the host"]
    assert values(host) == {**before, "SMTP_PASS": "Zt7yB0vNcR4sLd"}


def test_an_unlisted_secret_is_kept_and_reported(host: BedHost) -> None:
    keep(host, GENERATED, GIVEN)
    before = values(host)
    result = keep(host, GENERATED)
    assert (result["changed"], result["unlisted"]) == (False, ["SMTP_PASS"])
    assert values(host) == before


def test_bad_values_are_refused_together_and_nothing_is_written(host: BedHost) -> None:
    result = keep(host, GENERATED, {"name": "A", "value": "petpass123"}, {"name": "B", "generate": False})
    assert result["failed"]
    assert "A is refused: it is a well-known password" in result["msg"]
    assert "B has no value" in result["msg"]
    assert not host.exists(PATH)


def test_an_unknown_option_is_refused(host: BedHost) -> None:
    result = keep(host, {"name": "A", "lenght": 64})
    assert result["failed"]
    assert "lenght" in result["msg"]
