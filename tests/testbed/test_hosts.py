"""Hosts: names, ssh files, names in DNS, rules of the firewall, inventories."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.composeops.stack.plugins.module_utils.backup.encoding import recipient
from testbed import acme, database, engine, firewall, hosts, inventory, packages, status, store, trees
from testbed.cli import main
from testbed.errors import BedError
from testbed.state import HostRecord, NetworkRecord, State, StateDirectory

NETWORK = NetworkRecord(name="n", bridge="bed-x", subnet="10.213.7.0/24", mtu=1400)


@pytest.fixture
def state() -> State:
    return State(
        id="0a1b2c3d",
        network=NETWORK,
        hosts={
            "petcare1": HostRecord("trixie", ["app.petcare.com"], 20),
            "old": HostRecord("bookworm", ["app.petcare.com"], 21),
        },
    )


@pytest.mark.parametrize("name", ["registry", "s3", "acme", "acme-x", "Host", "a_b", "", "-a", "a" * 40])
def test_impossible_host_names_are_refused(state: State, name: str) -> None:
    with pytest.raises(BedError, match="cannot be a host's name"):
        hosts.record(state, name, "trixie", [])


@pytest.mark.parametrize("alias", ["", "localhost", "a b.com", "x..y", "a.b\n10.0.0.1 evil"])
def test_impossible_dns_names_are_refused(state: State, alias: str) -> None:
    with pytest.raises(BedError, match="not a DNS name"):
        hosts.record(state, "new", "trixie", [alias])


def test_a_new_host_takes_the_next_address(state: State) -> None:
    state.hosts["new"] = hosts.record(state, "new", "trixie", ["app.petcare.com"])
    assert hosts.address(state, "new") == "10.213.7.22"


def test_each_host_is_alone_with_its_public_names(state: State) -> None:
    text = acme.names_file(state.hosts["old"], "old", "10.213.7.21", {"s3": "10.213.7.11"})
    assert text == "10.213.7.21 old old.testbed app.petcare.com\n10.213.7.11 s3.testbed\n"


def test_a_system_whose_database_is_elsewhere_finds_it_under_its_own_name(state: State, tmp_path: Path) -> None:
    state.hosts["app"] = HostRecord("trixie", ["www.jackcwf.com"], 22, system="reflexapp")
    assert database.public_names(state, "app") == {"pgvctor.jackcwf.com": "10.213.7.212"}
    assert database.public_names(state, "old") == {}
    text = acme.names_file(state.hosts["app"], "app", "10.213.7.22", {}, database.public_names(state, "app"))
    assert text.splitlines()[1:] == ["10.213.7.212 pgvctor.jackcwf.com"]
    password = database.variables(StateDirectory(tmp_path), state, "app")["reflexapp_database_password"]
    assert len(password) >= 24
    assert database.variables(StateDirectory(tmp_path), state, "app") == {"reflexapp_database_password": password}
    assert database.variables(StateDirectory(tmp_path), state, "old") == {}


def test_known_hosts_lines_drop_the_comment() -> None:
    keys = "ssh-ed25519 AAAA root@petcare1\n\necdsa-sha2-nistp256 BBBB root@petcare1\n"
    assert hosts.known_host_lines("10.213.7.20", keys) == [
        "10.213.7.20 ssh-ed25519 AAAA\n",
        "10.213.7.20 ecdsa-sha2-nistp256 BBBB\n",
    ]


def test_ssh_configuration_checks_host_keys(tmp_path: Path) -> None:
    text = hosts.ssh_config(StateDirectory(tmp_path), {"petcare1": "10.213.7.20"})
    assert text.startswith("Host petcare1\n    HostName 10.213.7.20\n")
    assert "StrictHostKeyChecking yes" in text


def test_firewall_rules_are_found_again_by_the_beds_name() -> None:
    for rule in firewall.rules("0a1b2c3d", NETWORK):
        assert "composeops.testbed=0a1b2c3d" in rule.argv("-C")
    nat = firewall.rules("0a1b2c3d", NETWORK)[0].argv("-I")
    assert nat[:6] == ("iptables", "--wait", "10", "-t", "nat", "-I")
    assert nat[-1] == "MASQUERADE"


def test_private_engine_leaves_iptables_and_the_default_bridge_alone(tmp_path: Path) -> None:
    argv = engine.dockerd(tmp_path, tmp_path / "run").argv
    assert {"--iptables=false", "--ip6tables=false", "--ip-forward=false"} <= set(argv)
    assert argv[argv.index("--bridge") + 1] == "none"
    paths = [argument for argument in argv if argument.startswith(("/", "unix:///"))]
    assert all(argument.removeprefix("unix://").startswith(f"{tmp_path}/") for argument in paths)
    assert len(paths) == 6


def test_sockets_move_to_run_when_the_state_directory_is_deep() -> None:
    assert engine.run_directory(Path("/srv/bed"), "x") == Path("/srv/bed/engine/run")
    assert engine.run_directory(Path("/srv") / ("deep" * 20), "x") == Path("/run/composeops-testbed-x")


def test_remote_engines_are_refused() -> None:
    with pytest.raises(BedError, match="reaches its containers by address"):
        engine.machine_url({"DOCKER_HOST": "ssh://elsewhere"})


def test_mounts_below_the_engine_are_found_with_odd_names(tmp_path: Path) -> None:
    table = tmp_path / "mounts"
    table.write_text(
        "overlay /a/b/engine/x\\040y overlay rw 0 0\nproc /proc proc rw 0 0\nx /a/b/engineer/z ext4 rw 0 0\n"
    )
    assert trees.mounts_below([Path("/a/b/engine")], table) == ["/a/b/engine/x y"]


def test_missing_packages_are_those_of_missing_programs() -> None:
    assert packages.missing(packages.ENGINE, lambda program: None) == ["containerd", "docker.io", "iptables"]
    assert packages.missing(packages.ENGINE, lambda program: f"/usr/bin/{program}") == []


def test_every_host_has_an_overlay_that_plays_the_systems_host(state: State, tmp_path: Path) -> None:
    directory = StateDirectory(tmp_path)
    directory.create()
    for host in state.hosts:
        directory.write(acme.root_file(host), f"ROOT OF {host}\n")
    directory.write(acme.HTTPS_CA, "CA\n")
    directory.write("s3-ca.pem", "S3\n")
    assert inventory.write(directory, state) == ["inventory-old", "inventory"]
    document = yaml.safe_load((directory / "inventory-old" / "hosts.yml").read_text())
    connection = document["all"]["children"]["composeops"]["hosts"]["petcare1"]
    assert connection["ansible_host"] == "10.213.7.21"
    variables = yaml.safe_load((directory / "inventory-old" / "group_vars" / "all.yml").read_text())
    assert variables["edge_acme_directory"] == "https://10.213.7.121:14000/dir"
    assert variables["verify_ca"] == "ROOT OF old\n"
    assert variables["docker_engine_mtu"] == 1400
    assert variables["backup_store"]["access_key"] == store.keys(directory)[0]
    assert variables["backup_prune_store"]["access_key"] == store.prune_keys(directory)[0]
    assert store.keys(directory) != store.prune_keys(directory)
    assert [recipient.is_public_key(key) for key in variables["backup_recipients"]] == [True, True]
    assert variables["backup_identity"].splitlines()[0] == f"# public key: {variables['backup_recipients'][0]}"
    assert (directory / "age/operator.key").stat().st_mode & 0o777 == 0o600
    assert (directory / "acme-root.pem").read_text() == "ROOT OF petcare1\n"
    first = (directory / "inventory" / "group_vars" / "all.yml").read_text()
    inventory.write(directory, state)
    assert (directory / "inventory" / "group_vars" / "all.yml").read_text() == first


def test_settings_of_the_whole_machine_are_left_alone() -> None:
    defaults = "baseline_sysctl: {vm.swappiness: 10, net.core.somaxconn: 4096, kernel.kptr_restrict: 2}\n"
    assert inventory.own_kernel_settings(defaults) == {"net.core.somaxconn": 4096}


def test_the_baseline_role_still_has_network_settings_to_test() -> None:
    settings = inventory.own_kernel_settings(inventory.BASELINE_DEFAULTS.read_text())
    assert settings
    assert all(key.startswith("net.") for key in settings)


def test_tables_are_aligned() -> None:
    assert status.table(("NAME", "STATE"), [("a-long-name", "running")]) == "NAME         STATE\na-long-name  running"


def test_commands_without_a_bed_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COMPOSEOPS_TESTBED_DIR", str(tmp_path / "none"))
    assert main(["status"]) == 1
    assert main(["down"]) == 0
    assert "nothing to remove" in capsys.readouterr().out
    assert main(["host", "stop", "petcare1"]) == 1
    assert "next: Run `bed up` first." in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
