# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.release.images import Image, Images, repository
from ansible_collections.composeops.stack.tests.unit.support.fake_engine import FakeClock, FakeEngine
from ansible_collections.composeops.stack.tests.unit.support.recorded import RecordedRunner

LOCAL = {
    "web:1": ("sha256:aa", ["registry/web@sha256:11"]),
    "db:1": ("sha256:bb", []),
}


def inspect(argv: Sequence[str]) -> tuple[int, str, str]:
    wanted = argv[5:]
    lines = [
        json.dumps({"id": LOCAL[name][0], "digests": LOCAL[name][1], "volumes": {"/data": {}}})
        for name in wanted
        if name in LOCAL
    ]
    missing = [name for name in wanted if name not in LOCAL]
    return bool(missing), "\n".join(lines), "".join(f"Error: No such image: {name}\n" for name in missing)


def test_all_images_in_one_command() -> None:
    runner = RecordedRunner(inspect)
    assert Images(runner).present(["web:1", "db:1", "web:1"]) == {
        "db:1": Image("db:1", "sha256:bb", "sha256:bb", ("/data",)),
        "web:1": Image("web:1", "sha256:aa", "sha256:11", ("/data",)),
    }
    assert len(runner.calls) == 1


@pytest.mark.parametrize(
    ("reference", "digests", "digest"),
    [
        ("registry:5000/web:1", ["mirror/web@sha256:22", "registry:5000/web@sha256:11"], "sha256:11"),
        ("docker.io/library/redis:7", ["redis@sha256:33"], "sha256:33"),
        ("web:1", ["other@sha256:44"], "sha256:44"),
        ("web@sha256:55", ["web@sha256:55"], "sha256:55"),
    ],
    ids=["its own repository", "a familiar name", "only another one's", "pinned"],
)
def test_the_digest_is_that_of_the_repository(reference: str, digests: list[str], digest: str) -> None:
    runner = RecordedRunner(lambda argv: (0, json.dumps({"id": "sha256:aa", "digests": digests, "volumes": None}), ""))
    assert Images(runner).present([reference])[reference].digest == digest


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("web", "web"),
        ("web:1", "web"),
        ("registry:5000/shop/web:1", "registry:5000/shop/web"),
        ("registry:5000/web", "registry:5000/web"),
        ("web:1@sha256:11", "web"),
    ],
)
def test_the_repository_of_a_reference(reference: str, name: str) -> None:
    assert repository(reference) == name


def container(image: str, stack: str) -> dict[str, Any]:
    labels = {"com.docker.compose.project": f"{stack}-blue", "composeops.stack": stack}
    return {"Id": f"{stack}-{image}", "Image": image, "Config": {"Labels": labels}}


def test_images_of_other_containers_are_in_use() -> None:
    engine = FakeEngine(FakeClock(), {})
    assert Images(engine).in_use("shop") == set()
    found = [container("sha256:web1", "shop"), container("sha256:web1", "blog"), container("sha256:web2", "shop")]
    engine.containers = {entry["Id"]: entry for entry in found}
    assert Images(engine).in_use("shop") == {"sha256:web1"}


REMOVALS: dict[str, tuple[dict[str, str], set[str], dict[str, str]]] = {
    "under its name": ({"web:1": "sha256:one", "db:1": "sha256:db"}, set(), {"db:1": "sha256:db"}),
    "without a name": ({"web:1": "sha256:two"}, {"sha256:one"}, {"web:1": "sha256:two"}),
    "named by somebody else": (
        {"web:1": "sha256:two", "mine:1": "sha256:one"},
        set(),
        {"web:1": "sha256:two", "mine:1": "sha256:one"},
    ),
    "gone already": ({"web:1": "sha256:two"}, set(), {"web:1": "sha256:two"}),
}


@pytest.mark.parametrize(("there", "untagged", "left"), REMOVALS.values(), ids=REMOVALS.keys())
def test_an_image_is_removed(there: dict[str, str], untagged: set[str], left: dict[str, str]) -> None:
    engine = FakeEngine(FakeClock(), {}, images=dict(there), untagged=set(untagged))
    assert Images(engine).remove("web:1", "sha256:one") == ""
    assert (engine.images, engine.untagged) == (left, set())


def test_an_image_that_a_container_uses_stays_and_that_is_told() -> None:
    engine = FakeEngine(FakeClock(), {}, images={"web:1": "sha256:one"})
    engine.containers = {"c": container("sha256:one", "blog")}
    assert Images(engine).remove("web:1", "sha256:one").startswith("Image web:1 stays on this host: conflict")


def test_missing_images_are_left_out() -> None:
    assert set(Images(RecordedRunner(inspect)).present(["web:1", "gone:1", "db:1"])) == {"web:1", "db:1"}


def test_no_images_no_command() -> None:
    runner = RecordedRunner()
    assert Images(runner).present([]) == {}
    assert runner.calls == []


def test_every_image_that_cannot_be_pulled_is_named() -> None:
    def pull(argv: Sequence[str]) -> tuple[int, str, str]:
        if argv[-1] == "good:1":
            return 0, argv[-1], ""
        return 1, "", f"Error response from daemon: manifest for {argv[-1]} not found: manifest unknown\n"

    runner = RecordedRunner(pull)
    with pytest.raises(ComposeOpsError) as raised:
        Images(runner).pull(["a:1", "good:1", "b:2"])
    assert "Image a:1 cannot be pulled: manifest for a:1 not found: manifest unknown; Image b:2 cannot" in str(
        raised.value
    )
    assert sorted(call[-1] for call in runner.calls) == ["a:1", "b:2", "good:1"]
