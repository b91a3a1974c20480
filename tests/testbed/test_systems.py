"""Which system a host of the bed plays."""

from __future__ import annotations

from pathlib import Path

import pytest
from testbed import hosts, systems
from testbed.errors import BedError
from testbed.state import State


@pytest.fixture
def inventories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A system `shop`, with a vaulted value beside its sites."""
    monkeypatch.setattr(systems, "INVENTORIES", tmp_path)
    variables = tmp_path / "shop/group_vars/all"
    variables.mkdir(parents=True)
    (tmp_path / "shop/hosts.yml").write_text("composeops:\n  hosts:\n    shop1:\n      ansible_host: shop1.example\n")
    (variables / "edge.yml").write_text("edge_sites:\n  - {name: shop.example, aliases: [www.shop.example]}\n")
    (variables / "vault.yml").write_text("secret: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n")
    return tmp_path


def test_host_has_the_name_and_the_sites_of_its_system(inventories: Path) -> None:
    assert systems.host_name("shop") == "shop1"
    record = hosts.record(State(id="ab12"), "shop-scenario", "trixie", system="shop")
    assert (record.system, record.aliases) == ("shop", ["shop.example", "www.shop.example"])


def test_given_names_win(inventories: Path) -> None:
    record = hosts.record(State(id="ab12"), "old", "trixie", ["test.example"], "shop")
    assert record.aliases == ["test.example"]


def test_unknown_system_is_refused_with_those_there_are(inventories: Path) -> None:
    with pytest.raises(BedError, match="no system 'ship'") as error:
        hosts.record(State(id="ab12"), "new", "trixie", system="ship")
    assert error.value.next_step.endswith("there are shop.")


def test_system_whose_sites_are_not_plain_wants_names(inventories: Path) -> None:
    (inventories / "shop/group_vars/all/edge.yml").write_text('edge_sites: "{{ labels }}"\n')
    with pytest.raises(BedError, match="No site is named"):
        hosts.record(State(id="ab12"), "new", "trixie", system="shop")


def test_the_first_host_plays_petcare() -> None:
    assert systems.host_name(systems.DEFAULT) == "petcare1"
    assert "app.petcare.com" in systems.public_names(systems.DEFAULT)
