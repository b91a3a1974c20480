# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup.encoding import recipient
from hypothesis import given
from hypothesis import strategies as st

# Made by age-keygen; nobody has their private keys.
ONE = "age1lmu00agu6qama7vkge3mpezyccf3a7v3mt5azm32kca2ywknxylqaxswas"
OTHER = "age1fwjsvp2e7gytagvwalzz5mfuj7yewltgap8pd4mw8qj3zqnyxpsswuwwt3"
LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


@pytest.mark.parametrize("key", [ONE, OTHER])
def test_what_age_made_is_a_public_key(key: str) -> None:
    assert recipient.is_public_key(key)


@given(st.sampled_from([ONE, OTHER]), st.integers(min_value=4, max_value=61), st.sampled_from(LETTERS))
def test_no_mistyped_letter_is_overlooked(key: str, place: int, letter: str) -> None:
    changed = key[:place] + letter + key[place + 1 :]
    assert recipient.is_public_key(changed) == (changed == key)


@given(st.integers(min_value=4, max_value=60))
def test_no_swapped_letters_are_overlooked(place: int) -> None:
    changed = ONE[:place] + ONE[place + 1] + ONE[place] + ONE[place + 2 :]
    assert recipient.is_public_key(changed) == (changed == ONE)


@pytest.mark.parametrize(
    "text", ["", "age", "age1", ONE[:-1], f"{ONE}q", ONE.upper(), f" {ONE}", "ssh-ed25519 AAAA", "é" * 62]
)
def test_other_texts_are_none(text: str) -> None:
    assert not recipient.is_public_key(text)


@pytest.mark.parametrize(
    ("recipients", "said"),
    [
        pytest.param((), "", id="none: whether that is right is not decided here"),
        pytest.param((ONE, OTHER), "", id="two"),
        pytest.param((ONE,), "there is one", id="one"),
        pytest.param((ONE, ONE), "there twice", id="the same"),
        pytest.param((ONE, OTHER[:-1] + "q"), "no public key of age", id="mistyped"),
    ],
)
def test_what_is_wrong_is_said(recipients: tuple[str, ...], said: str) -> None:
    problem = recipient.problem(recipients)
    assert said in problem
    assert bool(problem) == bool(said)


def test_a_private_key_is_refused_and_not_repeated() -> None:
    problem = recipient.problem(["AGE-SECRET-KEY-1QQQQ", ONE])
    assert "private key" in problem
    assert "QQQQ" not in problem
