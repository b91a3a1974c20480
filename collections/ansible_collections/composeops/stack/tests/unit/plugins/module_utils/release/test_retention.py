# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.release.history import Release
from ansible_collections.composeops.stack.plugins.module_utils.release.retention import Forgotten, forgotten


def release(number: int, image: str = "", *, digest: str | None = None, identifier: str = "") -> Release:
    image = image or f"shop/web:{number}"
    identifier = identifier or f"sha256:{image}"
    return Release(
        number,
        "t",
        "superseded",
        f"r{number}",
        images={"web": image},
        digests={"web": f"{identifier}-digest" if digest is None else digest},
        identifiers={image: identifier},
    )


KEPT = [release(4), release(3), release(2), release(1)]

CASES: dict[str, tuple[dict[str, Any], tuple[int, ...], list[str]]] = {
    "there is room": ({"keep": 5, "coming": True}, (), []),
    "one comes": ({"keep": 4, "coming": True}, (1,), ["shop/web:1"]),
    "none comes": ({"keep": 4}, (), []),
    "fewer are kept": ({"keep": 2}, (2, 1), ["shop/web:2", "shop/web:1"]),
    "an old one serves": ({"keep": 2, "used": {1}}, (2,), ["shop/web:2"]),
    "someone else uses the image": ({"keep": 3, "needed": {"sha256:shop/web:1"}}, (1,), []),
    "the image is asked for now": ({"keep": 3, "needed": {"shop/web:1"}}, (1,), []),
    "a kept one ran the same image": (
        {"keep": 2, "releases": [release(3), release(2, "shop/web:1"), release(1)]},
        (1,),
        [],
    ),
    "a kept one ran another image of the name": (
        {"keep": 2, "releases": [release(3), release(2, "shop/web:1", identifier="sha256:other"), release(1)]},
        (1,),
        ["shop/web:1"],
    ),
    "an image that was built on the host": (
        {"keep": 1, "releases": [release(2), release(1, digest="sha256:shop/web:1")]},
        (1,),
        [],
    ),
    "an image of which no digest is known": ({"keep": 1, "releases": [release(2), release(1, digest="")]}, (1,), []),
}


@pytest.mark.parametrize(("options", "gone", "images"), CASES.values(), ids=CASES.keys())
def test_what_goes(options: dict[str, Any], gone: tuple[int, ...], images: list[str]) -> None:
    defaults: dict[str, Any] = {"releases": KEPT, "used": set(), "needed": set(), "coming": False}
    found = forgotten(**{**defaults, **options})
    assert found.releases == gone
    assert [image.reference for image in found.images] == images


def test_images_are_announced() -> None:
    found = forgotten(KEPT, 3, set(), set(), coming=False)
    assert found.sentences() == ["remove the image shop/web:1: no release that is kept ran it"]
    assert Forgotten().sentences() == []
