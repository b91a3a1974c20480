# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.release.availability import (
    Absent,
    absent,
    bring_back,
    names_given_back,
)
from ansible_collections.composeops.stack.plugins.module_utils.release.history import Release
from ansible_collections.composeops.stack.plugins.module_utils.release.images import Images
from ansible_collections.composeops.stack.tests.unit.support.fake_engine import FakeClock, FakeEngine

RELEASE = Release(
    3,
    "t",
    "superseded",
    "r3",
    images={"web": "web:1"},
    digests={"web": "sha256:one-digest"},
    identifiers={"web:1": "sha256:one"},
)
GONE = Absent("web:1", "sha256:one", "sha256:one-digest")
MOVED = Absent("web:1", "sha256:one", "sha256:one-digest", "sha256:two")
UNKNOWN = Absent("web:1", "sha256:one", "")


@pytest.fixture(name="engine")
def engine_fixture() -> FakeEngine:
    return FakeEngine(FakeClock(), {"web:1": "sha256:two"})


@pytest.mark.parametrize(
    ("present", "found"),
    [
        ({"web:1": "sha256:one", "other": "x"}, []),
        ({}, [GONE]),
        ({"web:1": "sha256:two"}, [MOVED]),
    ],
    ids=["there", "gone", "moved"],
)
def test_which_images_are_not_here(present: dict[str, str], found: list[Absent]) -> None:
    assert absent(RELEASE, present) == found


def test_an_image_that_is_gone_is_got_by_its_digest(engine: FakeEngine) -> None:
    bring_back(Images(engine), "shop", RELEASE, [GONE])
    assert engine.images["web:1"] == "sha256:one"
    assert engine.count("pull", "web@sha256:one-digest") == 1
    assert GONE.sentence == "pull web@sha256:one-digest, which it ran as web:1"


def test_a_name_that_moved_moves_back(engine: FakeEngine) -> None:
    engine.images["web:1"] = "sha256:two"
    bring_back(Images(engine), "shop", RELEASE, [MOVED])
    assert engine.images["web:1"] == "sha256:one"


def test_preparing_leaves_the_name_with_the_image_that_has_it(engine: FakeEngine) -> None:
    engine.images["web:1"] = "sha256:two"
    bring_back(Images(engine), "shop", RELEASE, [MOVED], rename=False)
    assert engine.images == {"web:1": "sha256:two", "web@sha256:one-digest": "sha256:one"}


def test_an_image_that_lost_its_name_is_named_without_a_registry(engine: FakeEngine) -> None:
    engine.images["web:1"] = "sha256:two"
    engine.untagged.add("sha256:one")
    bring_back(Images(engine), "shop", RELEASE, [MOVED])
    assert engine.images["web:1"] == "sha256:one"
    assert engine.count("pull") == 0


REFUSED: dict[str, tuple[Absent, str]] = {
    "the registry does not have it": (
        GONE,
        "Release 3 of stack shop ran web:1 as sha256:one, and it is not on this host. It cannot be had again:"
        " web@sha256:one-digest cannot be pulled: manifest for web@sha256:one-digest not found",
    ),
    "another image has its name": (MOVED, "and another image has that name now. It cannot be had again"),
    "nobody knows where it came from": (
        UNKNOWN,
        "It cannot be had again: its digest in a registry is not known. Nothing was changed.",
    ),
}


@pytest.mark.parametrize(("missing", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_had_again_is_refused(engine: FakeEngine, missing: Absent, said: str) -> None:
    engine.withdrawn.add("sha256:one")
    before = dict(engine.images)
    with pytest.raises(ComposeOpsError) as raised:
        bring_back(Images(engine), "shop", RELEASE, [missing])
    assert said in str(raised.value)
    assert engine.images == before


def test_a_rollback_that_fails_gives_the_name_back(engine: FakeEngine) -> None:
    engine.images["web:1"] = "sha256:two"
    images = Images(engine)

    def fail() -> None:
        with names_given_back(images, [MOVED]):
            bring_back(images, "shop", RELEASE, [MOVED])
            raise ComposeOpsError("never healthy")

    with pytest.raises(ComposeOpsError, match="never healthy"):
        fail()
    assert engine.images["web:1"] == "sha256:two"
