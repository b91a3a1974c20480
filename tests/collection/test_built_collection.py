"""Builds the collection as it is published, installs it elsewhere, and uses it there without this repository."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
PLUGINS = ROOT / "collections/ansible_collections/composeops/stack/plugins"
MODULES = sorted(path.stem for path in (PLUGINS / "modules").glob("*.py") if path.stem != "__init__")
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())


class Elsewhere:
    """A directory outside the repository, with the built collection installed and nothing else configured."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        self.environment = {
            **kept,
            "ANSIBLE_COLLECTIONS_PATH": str(directory),
            # The toolchain's own Python path names this repository's collections.
            "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false",
            "ANSIBLE_NOCOLOR": "1",
        }

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(BIN / argv[0]), *argv[1:]],
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Elsewhere:
    directory = tmp_path_factory.mktemp("elsewhere")
    subprocess.run(
        [str(ROOT / "scripts/build-collection"), str(directory)],
        env={**os.environ, "ANSIBLE_GALAXY": str(BIN / "ansible-galaxy")},
        check=True,
        capture_output=True,
    )
    place = Elsewhere(directory)
    (archive,) = directory.glob("composeops-stack-*.tar.gz")
    installed = place.run("ansible-galaxy", "collection", "install", "--offline", "-p", str(directory), str(archive))
    assert installed.returncode == 0, installed.stderr
    return place


def test_ansible_doc_documents_every_module(elsewhere: Elsewhere) -> None:
    listed = elsewhere.run("ansible-doc", "--json", *(f"composeops.stack.{name}" for name in MODULES))
    assert listed.returncode == 0, listed.stderr
    documents = json.loads(listed.stdout)
    assert sorted(documents) == [f"composeops.stack.{name}" for name in MODULES]
    assert [name for name, document in documents.items() if not document["doc"]["description"]] == []


def test_the_archive_holds_every_role_and_no_tests(elsewhere: Elsewhere) -> None:
    collection = elsewhere.directory / "ansible_collections/composeops/stack"
    assert sorted(path.name for path in (collection / "roles").iterdir()) == ROLES
    assert not (collection / "tests").exists()
    assert list(collection.rglob("__pycache__")) == []


def test_a_role_refuses_an_unknown_argument(elsewhere: Elsewhere) -> None:
    playbook = elsewhere.directory / "refused.yml"
    playbook.write_text(
        "- hosts: localhost\n"
        "  gather_facts: false\n"
        "  roles:\n"
        "    - role: composeops.stack.docker_engine\n"
        "      docker_engine_registry_mirrors: {not: a list}\n"
    )
    refused = elsewhere.run("ansible-playbook", "-i", "localhost,", "-c", "local", str(playbook))
    assert refused.returncode != 0
    assert "docker_engine_registry_mirrors" in refused.stdout + refused.stderr


@pytest.mark.bed
def test_a_role_of_the_built_collection_runs_on_a_host(elsewhere: Elsewhere, bed_inventory: Path) -> None:
    playbook = elsewhere.directory / "role.yml"
    playbook.write_text(
        "- hosts: composeops\n  become: true\n  gather_facts: false\n  roles: [composeops.stack.docker_engine]\n"
    )
    applied = elsewhere.run("ansible-playbook", "-i", str(bed_inventory), str(playbook))
    assert applied.returncode == 0, applied.stdout + applied.stderr
    again = elsewhere.run("ansible-playbook", "-i", str(bed_inventory), str(playbook))
    assert "changed=0" in again.stdout, again.stdout + again.stderr
