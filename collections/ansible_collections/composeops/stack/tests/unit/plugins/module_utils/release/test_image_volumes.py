# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.release.image_volumes import sentences
from ansible_collections.composeops.stack.plugins.module_utils.release.images import Image
from ansible_collections.composeops.stack.plugins.module_utils.release.model import Service

IMAGES = {"shop/web:1": Image("shop/web:1", "sha256:aa", "sha256:11", ("/data/", "/uploads"))}


@pytest.mark.parametrize(
    ("mounted", "empty"),
    [
        ((), ["/data", "/uploads"]),
        (("/data",), ["/uploads"]),
        (("/data", "/uploads"), []),
        # What the engine looks at is the path itself.
        (("/", "/uploads/new"), ["/data", "/uploads"]),
    ],
    ids=["nothing", "one", "both", "above-and-below"],
)
def test_what_is_not_mounted_begins_empty(mounted: tuple[str, ...], empty: list[str]) -> None:
    said = sentences([Service("web", "shop/web:1", "r1", mounted_at=mounted)], IMAGES)
    assert [sentence.split(" in every release")[0] for sentence in said] == [
        f"web begins with an empty {path}" for path in empty
    ]


def test_of_an_image_that_is_not_here_nothing_is_known() -> None:
    assert sentences([Service("web", "shop/web:2", "r1")], IMAGES) == []
