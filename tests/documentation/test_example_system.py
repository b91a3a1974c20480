"""docs/example-system.md works as it is written: its files are brought to a bare host by the commands that it names."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.integration.bed_host import ROOT, BedHost, PlaybookRun
from tests.support.outside import Outside

pytestmark = pytest.mark.bed

PAGE = (ROOT / "docs/example-system.md").read_text(encoding="utf-8")
SITE = "shop.example.com"
NEWER = """\
deb http://deb.debian.org/debian trixie main
deb http://deb.debian.org/debian-security trixie-security main
"""
PINNED = """\
Package: *
Pin: release n=trixie*
Pin-Priority: 100

Package: docker.io docker-cli docker-compose containerd
Pin: release n=trixie*
Pin-Priority: 990
"""
"""The engine of Debian 13 for Debian 12, whose own is too old: as roles/docker_engine/README.md says."""


@pytest.fixture(name="system", scope="module")
def system_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The inventory, as somebody has it who copied every file of the page."""
    directory = tmp_path_factory.mktemp("documented")
    files = re.findall(r"^`inventories/shop/(\S+)`\n\n```\w+\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(files) == PAGE.count("`inventories/shop/")
    for name, text in files:
        path = directory / "inventories/shop" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return directory / "inventories/shop"


@pytest.fixture(name="operator", scope="module")
def operator_fixture(bed_inventory: Path) -> Iterator[BedHost]:
    """Who runs the commands; the host of the bed, to which the site's name leads, plays the one of the page."""
    # A short name: ssh puts its control socket there.
    with tempfile.TemporaryDirectory(prefix="composeops-") as name:
        overlay = Path(name) / "bed"
        shutil.copytree(bed_inventory, overlay)
        hosts = overlay / "hosts.yml"
        played = BedHost(bed_inventory, Path(name)).name
        hosts.write_text(hosts.read_text(encoding="utf-8").replace(f"{played}:", "shop1:"), encoding="utf-8")
        found = BedHost(overlay, Path(name))
        if 'VERSION_ID="12"' in found.read("/etc/os-release"):
            found.write("/etc/apt/sources.list.d/engine.list", NEWER)
            found.write("/etc/apt/preferences.d/engine", PINNED)
        yield found


@pytest.fixture(name="outside", scope="module")
def outside_fixture(operator: BedHost) -> Outside:
    variables = yaml.safe_load((operator.inventory / "group_vars/all.yml").read_text(encoding="utf-8"))
    return Outside(operator.address, variables["verify_ca"])


def commands() -> list[list[str]]:
    """Return playbook and options of every command of the page, in order."""
    lines = re.findall(r"^ansible-playbook -i inventories/shop playbooks/(.*)$", PAGE, re.MULTILINE)
    return [line.split() for line in lines]


def play(operator: BedHost, system: Path, playbook: str, *options: str) -> PlaybookRun:
    run = operator.playbook(
        ROOT / "playbooks" / playbook,
        inventories=[system],
        extra_variables={"shop_directory": str(system)},
        arguments=options,
    )
    assert run.ok, run.output
    return run


def test_the_commands_bring_the_system_to_a_bare_host_and_verify_it(
    operator: BedHost, outside: Outside, system: Path
) -> None:
    names = [name for name, *_ in commands()]
    assert names == ["site.yml", "site.yml", "verify.yml"]
    for name, *options in commands():
        play(operator, system, name, *options)
    answer = outside.https(SITE)
    assert (answer.status, b"We are open" in answer.body) == (200, True)
    assert "shop-database" in operator.output("composeops list")


def test_a_second_run_changes_nothing_and_check_mode_knows(operator: BedHost, system: Path) -> None:
    assert play(operator, system, "site.yml").changed == []
    assert play(operator, system, "site.yml", "--check", "--diff").changed == []


def test_another_page_is_released(operator: BedHost, outside: Outside, system: Path) -> None:
    page = system / "files/page/index.html"
    page.write_text(page.read_text(encoding="utf-8").replace("open", "closed"), encoding="utf-8")
    play(operator, system, "deploy.yml")
    assert b"We are closed" in outside.https(SITE).body
