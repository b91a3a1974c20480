# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import os

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.release.paths import relative

DIRECTORY = "/tmp/composeops-x/stack"

CASES: dict[str, tuple[str, str | None, str]] = {
    "beside the compose file": (f"{DIRECTORY}/data", "./data", "./data"),
    "as it was written": (f"{DIRECTORY}/data", "data/", "data/"),
    "beside an included file": (f"{DIRECTORY}/sub/data", "./data", "./sub/data"),
    "not known how it was written": (f"{DIRECTORY}/data", None, "./data"),
    "the directory itself": (DIRECTORY, None, "."),
    "above": (f"{os.path.dirname(DIRECTORY)}/up", "../up", "../up"),
    "above, not known how it was written": (f"{os.path.dirname(DIRECTORY)}/up", None, "../up"),
    "at home": (os.path.expanduser("~/x"), "~/x", "~/x"),
    "elsewhere": ("/srv/x", "/srv/x", "/srv/x"),
    "elsewhere, not known how it was written": ("/srv/x", None, "/srv/x"),
}


@pytest.mark.parametrize(("resolved", "written", "expected"), CASES.values(), ids=CASES.keys())
def test_says_paths_as_they_mean_the_same(resolved: str, written: str | None, expected: str) -> None:
    of_service = {"volumes": [{"source": resolved, "type": "bind"}], "replicas": 2}
    as_written = None if written is None else {"volumes": [{"source": written, "type": "bind"}], "replicas": 2}
    assert relative(of_service, as_written, DIRECTORY) == {
        "volumes": [{"source": expected, "type": "bind"}],
        "replicas": 2,
    }
