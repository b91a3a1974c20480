"""What is written for the contestants before they run."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest
import yaml

from benchmarks.converge import resources, workspace
from benchmarks.converge.workspace import Login, Workspace


@pytest.fixture
def written(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "work")


def test_every_file_renders_and_together_they_are_of_the_promised_size(written: Workspace) -> None:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(written.directory / "templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - configuration files, not pages
    )
    rendered = {
        file.path: environment.get_template(file.template).render(written.variables) for file in written.resources.files
    }
    assert len(rendered) == 30
    assert len(set(rendered.values())) == 30
    assert sum(len(content) for content in rendered.values()) == pytest.approx(62 * 1024, rel=0.05)


def test_every_file_has_its_directory_or_a_system_one(written: Workspace) -> None:
    there = {*written.resources.directories, "/etc/systemd/system", "/etc/profile.d"}
    assert {str(Path(file.path).parent) for file in written.resources.files} <= there


def test_plays_read_the_same_list(written: Workspace) -> None:
    listed = yaml.safe_load((written.directory / "files.yml").read_text(encoding="utf-8"))["bench_files"]
    assert [entry["path"] for entry in listed] == [file.path for file in written.resources.files]
    assert {"template", "path", "mode"} == set(listed[0])


def test_one_application_more_is_five_files_more() -> None:
    fewer, more = (resources.resources(names) for names in (["orders"], ["orders", "reports"]))
    assert len(more.files) - len(fewer.files) == 5


def test_a_workspace_starts_empty(tmp_path: Path) -> None:
    first = Workspace(tmp_path / "work")
    first.record({"seconds": 1.0})
    assert not (Workspace(tmp_path / "work").directory / "samples.jsonl").exists()


def test_known_hosts_are_repeated_for_the_port_that_leads_there() -> None:
    known = "10.0.0.5 ssh-ed25519 AAAA\n10.0.0.55 ssh-ed25519 BBBB\n10.0.0.5 ssh-rsa CCCC\n"
    assert workspace.known_hosts_for(known, "10.0.0.5", 40001).splitlines() == [
        "10.0.0.5 ssh-ed25519 AAAA",
        "10.0.0.55 ssh-ed25519 BBBB",
        "10.0.0.5 ssh-rsa CCCC",
        "[127.0.0.1]:40001 ssh-ed25519 AAAA",
        "[127.0.0.1]:40001 ssh-rsa CCCC",
    ]


def test_both_inventories_name_the_same_door() -> None:
    login = Login("127.0.0.1", 40001, "ops", Path("/keys/id"), Path("/keys/known_hosts"))
    assert workspace.ansible_connection(login) == {
        "ansible_host": "127.0.0.1",
        "ansible_port": 40001,
        "ansible_user": "ops",
        "ansible_ssh_private_key_file": "/keys/id",
        "ansible_ssh_common_args": "-o UserKnownHostsFile=/keys/known_hosts -o StrictHostKeyChecking=yes",
    }
    written: dict[str, list[tuple[str, dict[str, object]]]] = {}
    exec(workspace.pyinfra_inventory(login), {}, written)  # noqa: S102 - this is how pyinfra reads it
    ((name, data),) = written["hosts"]
    assert name == "bench"
    assert (data["ssh_hostname"], data["ssh_port"], data["ssh_user"]) == ("127.0.0.1", 40001, "ops")
