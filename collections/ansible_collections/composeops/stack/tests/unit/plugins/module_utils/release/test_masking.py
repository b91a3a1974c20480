# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.release.masking import mask

CASES = {
    "a value": ("password=k3Jf82hQ here", ["k3Jf82hQ"], "password=(sensitive) here"),
    "every occurrence": ("k3Jf82hQ k3Jf82hQ", ["k3Jf82hQ"], "(sensitive) (sensitive)"),
    "inside a URL": ("postgres://u:a%2Fb%40c%20d@db", ["a/b@c d"], "postgres://u:(sensitive)@db"),
    "inside a JSON text": ('{"p": "a\\"b\\\\c"}', ['a"b\\c'], '{"p": "(sensitive)"}'),
    "a secret that contains another one": ("abcdef abc1", ["abc1", "abcdef"], "(sensitive) (sensitive)"),
    "a value of several lines, line by line": (
        "12:00 first line\n12:01 second line",
        ["first line\nsecond line"],
        "12:00 (sensitive)\n12:01 (sensitive)",
    ),
    "a very short value is no secret": ("a b c", ["b", ""], "a b c"),
    "nothing to mask": ("all is well", ["k3Jf82hQ"], "all is well"),
}


@pytest.mark.parametrize(("text", "secrets", "expected"), CASES.values(), ids=CASES.keys())
def test_masks(text: str, secrets: list[str], expected: str) -> None:
    assert mask(text, secrets) == expected
