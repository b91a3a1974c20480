# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.release.images import Image, Images
from ansible_collections.composeops.stack.tests.unit.support.recorded import RecordedRunner

LOCAL = {
    "web:1": ("sha256:aa", ["registry/web@sha256:11"]),
    "db:1": ("sha256:bb", []),
}


def inspect(argv: Sequence[str]) -> tuple[int, str, str]:
    wanted = argv[5:]
    lines = [json.dumps({"id": LOCAL[name][0], "digests": LOCAL[name][1]}) for name in wanted if name in LOCAL]
    missing = [name for name in wanted if name not in LOCAL]
    return bool(missing), "\n".join(lines), "".join(f"Error: No such image: {name}\n" for name in missing)


def test_all_images_in_one_command() -> None:
    runner = RecordedRunner(inspect)
    assert Images(runner).present(["web:1", "db:1", "web:1"]) == {
        "db:1": Image("db:1", "sha256:bb", "sha256:bb"),
        "web:1": Image("web:1", "sha256:aa", "sha256:11"),
    }
    assert len(runner.calls) == 1


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
