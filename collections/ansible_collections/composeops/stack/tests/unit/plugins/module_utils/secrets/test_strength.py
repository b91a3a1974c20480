# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.secrets.strength import weakness

WEAK = {
    "the database password built into the seed": ("petpass123", "well-known"),
    "the redis password built into the seed": ("redispass123", "well-known"),
    "a well-known password in another case": ("ChangeMe", "well-known"),
    "a well-known password with digits behind": ("changeme2024", "well-known"),
    "a well-known password with dashes between": ("change-me!", "well-known"),
    "a well-known password that is long enough": ("administrator", "well-known"),
    "a placeholder of the seed": ("your-super-secret-jwt-key-256-bit", "placeholder"),
    "another placeholder of the seed": ("your-app-password", "placeholder"),
    "a placeholder in angle brackets": ("<smtp password here>", "placeholder"),
    "an unrendered template": ("{{ vault_smtp_pass }}", "placeholder"),
    "an unexpanded variable": ("${SMTP_PASSWORD}", "placeholder"),
    "crosses": ("xxxxxxxxxxxxxxxxxx", "placeholder"),
    "a note": ("TODO ask the provider", "placeholder"),
    "too few characters": ("k3Jf82hQz", "9 characters"),
    "one character again and again": ("abababababababab", "repeats"),
    "a null character": ("k3Jf82hQzW1\0aaaX", "null character"),
}

STRONG = {
    "letters and digits": "k3Jf82hQzW1mPq",
    "a password of words": "tractor-violin-basalt-ochre",
    "a value that contains a well-known one": "petpass123-k3Jf82hQzW1m",
    "a data source name": "https://3f9a8c7e1b@o1.ingest.sentry.io/42",
    "several lines": "-----BEGIN KEY-----\nMIIEvQIBADANBg\n-----END KEY-----\n",
}


@pytest.mark.parametrize(("value", "reason"), WEAK.values(), ids=WEAK.keys())
def test_refuses_and_says_why(value: str, reason: str) -> None:
    said = weakness(value, 12)
    assert said is not None
    assert reason in said


@pytest.mark.parametrize("value", [value for value, _ in WEAK.values()], ids=WEAK.keys())
def test_does_not_give_the_value_away(value: str) -> None:
    assert value not in (weakness(value, 12) or "")


@pytest.mark.parametrize("value", STRONG.values(), ids=STRONG.keys())
def test_accepts(value: str) -> None:
    assert weakness(value, 12) is None


def test_a_shorter_limit_can_be_declared() -> None:
    assert weakness("k3Jf82hQ", 8) is None
