"""`down` removes what the bed made, and nothing that only looks like it."""

from __future__ import annotations

from pathlib import Path

from testbed import names, traces
from testbed.state import State
from testbed.teardown import Found, image_references, ours

BED = "0a1b2c3d"
OTHER = "ffffffff"
OWN_IMAGE = "aaaa" * 16
FOREIGN_IMAGE = "bbbb" * 16
LAYER = "c" * 12


def test_only_the_beds_label_counts() -> None:
    own = Found("container", "1", names.labels(BED, role="host"))
    other_bed = Found("container", "2", names.labels(OTHER, role="host"))
    stranger = Found("container", "3", {})
    look_alike = Found("volume", f"composeops-testbed-{BED}-x", {})
    network = Found("network", "4", names.labels(BED))
    assert ours([own, other_bed, stranger, look_alike, network], BED, []) == [own, network]


def test_containers_of_a_killed_build_are_found_by_their_image() -> None:
    left_on_image = Found("container", "1", {}, image=f"sha256:{OWN_IMAGE}")
    left_on_layer = Found("container", "2", {}, image=f"sha256:{LAYER}{'0' * 52}")
    stranger = Found("container", "3", {}, image=f"sha256:{FOREIGN_IMAGE}")
    assert ours([left_on_image, left_on_layer, stranger], BED, [OWN_IMAGE, LAYER]) == [left_on_image, left_on_layer]


def test_an_image_of_no_interest_is_not_named_by_an_empty_list() -> None:
    assert ours([Found("container", "1", {}, image=f"sha256:{FOREIGN_IMAGE}")], BED, []) == []


def test_images_go_by_the_beds_names_so_that_other_names_keep_them() -> None:
    state = State(id=BED, pulled=["debian:trixie-slim"], layers=[LAYER])
    labels = names.labels(BED)
    images = [
        Found("image", "sha256:1", labels, tags=(names.image(BED, "host-trixie"), "someone/else:1")),
        Found("image", "sha256:2", labels, tags=("<none>:<none>",)),
        Found("image", "sha256:3", {}, tags=(names.image(BED, "nginx"), "nginx:alpine")),
        Found("image", "sha256:4", {}, tags=("postgres:15-alpine",)),
        Found("image", "sha256:5", names.labels(OTHER), tags=(names.image(OTHER, "nginx"),)),
        Found("image", "sha256:6", {}, tags=()),
    ]
    assert image_references(images, state) == [
        names.image(BED, "host-trixie"),
        names.image(BED, "nginx"),
        "sha256:2",
        "debian:trixie-slim",
        LAYER,
    ]


def test_traces_are_removed_inner_first_and_kept_where_something_else_lives(tmp_path: Path) -> None:
    outer, inner, key = tmp_path / "docker", tmp_path / "docker" / "plugins", tmp_path / "docker" / "key.json"
    shared = tmp_path / "shared"
    watched = traces.absent([str(outer), str(inner), str(key), str(shared)])
    inner.mkdir(parents=True)
    key.write_text("{}")
    shared.mkdir()
    (shared / "of-another-engine").touch()
    traces.remove(watched)
    assert not outer.exists()
    assert (shared / "of-another-engine").exists()


def test_what_was_there_before_is_no_trace(tmp_path: Path) -> None:
    before = tmp_path / "docker"
    before.mkdir()
    assert traces.absent([str(before)]) == []


def test_containers_of_a_hosts_engine_are_known_from_its_data(tmp_path: Path) -> None:
    assert traces.nested_containers(tmp_path) == []
    (tmp_path / "containers" / "abc").mkdir(parents=True)
    assert traces.nested_containers(tmp_path) == ["abc"]


def test_left_control_groups_go_and_the_neighbours_stay(tmp_path: Path) -> None:
    for group in ("docker/abc/inner", "docker/neighbour"):
        (tmp_path / "memory" / group).mkdir(parents=True)
    traces.remove_nested(["abc", "never-started"], [str(tmp_path / "memory")])
    assert [entry.name for entry in (tmp_path / "memory" / "docker").iterdir()] == ["neighbour"]
