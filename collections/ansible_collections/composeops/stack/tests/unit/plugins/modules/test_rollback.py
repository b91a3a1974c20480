# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import argparse
import json
from functools import partial
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.release import active, going_back, rollback_commands
from ansible_collections.composeops.stack.plugins.module_utils.release.deployment import Deployment
from ansible_collections.composeops.stack.plugins.module_utils.release.run import Places
from ansible_collections.composeops.stack.plugins.modules import release_info, rollback
from ansible_collections.composeops.stack.tests.unit.support.colour_host import Host, host_fixture

__all__ = ["host_fixture"]


@pytest.fixture(name="upgraded")
def upgraded_fixture(host: Host, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host in its second release, on which the module acts."""
    places = Places(str(host.root / "locks"), host.places["root"], host.places["secrets"], str(host.root / "audit"))
    monkeypatch.setattr(rollback, "PLACES", places)
    monkeypatch.setattr(rollback, "CommandRunner", lambda: host.engine)
    deployment = partial(Deployment, clock=host.clock, active=host.places["active"])
    monkeypatch.setattr(going_back, "Deployment", deployment)
    host.deploy("1")
    host.deploy("2")
    return host


def run(*, check: bool = False, **options: Any) -> dict[str, Any]:
    validated = ArgumentSpecValidator(rollback.ARGUMENT_SPEC).validate({"name": "shop", **options})
    assert validated.error_messages == []
    return rollback.run(validated.validated_parameters, check=check)


def test_it_is_predicted_then_done_then_told(upgraded: Host) -> None:
    predicted = run(check=True)
    assert (predicted["changed"], predicted["went_back_to"], predicted["release"]) == (True, 1, 2)
    assert upgraded.served() == "web:2"
    result = run()
    assert (result["plan"], result["release"], result["went_back_to"]) == (predicted["plan"], 3, 1)
    assert upgraded.served() == "web:1"
    assert [entry["title"] for entry in result["summary"]] == ["Release 3 of shop", "Releases of shop"]
    assert result["summary"][1]["rows"][0][0] == "* 3"
    assert 0 < result["seconds"]["switch"] <= 1 + active.MARGIN


def lose(host: Host) -> None:
    """Remove the image of the first release, as an administrator may."""
    del host.engine.images["web:1"]


def test_preparing_gets_the_images_and_moves_nothing(upgraded: Host) -> None:
    lose(upgraded)
    predicted = run(check=True, prepare_only=True)
    assert "web:1" not in upgraded.engine.images
    result = run(prepare_only=True)
    assert result["plan"] == predicted["plan"] == ["pull web@sha256:web1-digest, which it ran as web:1"]
    assert (result["changed"], upgraded.served(), upgraded.history()) == (
        True,
        "web:2",
        {2: "active", 1: "superseded"},
    )
    assert upgraded.engine.images["web:1"] == "sha256:web1"
    again = run(prepare_only=True)
    assert (again["changed"], again["plan"]) == (False, [])


def test_an_image_is_pulled_by_its_digest_not_by_its_name(upgraded: Host) -> None:
    lose(upgraded)
    upgraded.engine.registry["web:1"] = "sha256:moved"
    predicted = run(check=True)
    result = run()
    assert result["plan"] == predicted["plan"]
    assert result["plan"][0] == "pull web@sha256:web1-digest, which it ran as web:1"
    assert "pull web:1" not in result["plan"]
    assert (upgraded.served(), upgraded.engine.images["web:1"]) == ("web:1", "sha256:web1")


@pytest.mark.parametrize("options", [{}, {"prepare_only": True}], ids=["at once", "preparing"])
def test_an_image_that_is_gone_for_good_moves_nothing(upgraded: Host, options: dict[str, Any]) -> None:
    lose(upgraded)
    upgraded.engine.withdrawn.add("sha256:web1")
    with pytest.raises(ComposeOpsError, match="It cannot be had again: web@sha256:web1-digest cannot be pulled"):
        run(**options)
    assert (upgraded.served(), upgraded.history()) == ("web:2", {2: "active", 1: "superseded"})


def test_a_rollback_that_fails_leaves_names_as_they_were(upgraded: Host) -> None:
    upgraded.engine.images["web:1"] = "sha256:other"
    upgraded.engine.never_healthy.add("web:1")
    with pytest.raises(ComposeOpsError, match="not ready after"):
        run()
    assert upgraded.engine.images["web:1"] == "sha256:other"
    assert upgraded.served() == "web:2"


def test_a_stack_that_was_never_deployed_is_refused(upgraded: Host) -> None:
    with pytest.raises(InvalidInput, match="Stack blog was never deployed"):
        run(name="blog")


def test_what_was_released_is_reported(upgraded: Host) -> None:
    run()
    found = release_info.run({"name": "shop"}, upgraded.places["root"])
    assert (found["active"], found["colour"], found["warm"], found["changed"]) == (3, "blue", 0, False)
    assert [(entry["number"], entry["status"]) for entry in found["releases"]] == [
        (3, "active"),
        (2, "withdrawn"),
        (1, "superseded"),
    ]
    json.dumps(found)


def test_the_console_goes_back_too(
    upgraded: Host, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(rollback_commands, "PLACES", rollback.PLACES)
    monkeypatch.setattr(rollback_commands, "CommandRunner", lambda: upgraded.engine)
    parser = argparse.ArgumentParser()
    rollback_commands.register(parser.add_subparsers())

    def say(*argv: str) -> str:
        arguments = parser.parse_args(["rollback", "shop", *argv])
        assert arguments.handler(arguments) == 0
        return capsys.readouterr().out

    predicted = say("--check")
    assert upgraded.served() == "web:2"
    done = say()
    assert upgraded.served() == "web:1"
    assert "switch to blue when all of it is healthy and its routes answer" in predicted
    assert done.startswith(predicted[: predicted.index("Releases of shop")])
    assert "Release 3 of shop" in done
    assert '"via": "console"' in (upgraded.root / "audit").read_text()
