# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Public keys of age, looked at before anything is encrypted to them: a mistyped one would open nothing.

They are Bech32, whose checksum finds every mistake of up to four characters:
https://github.com/bitcoin/bips/blob/master/bip-0173.mediawiki
"""

from __future__ import annotations

from collections.abc import Sequence

PREFIX = "age"
FEWEST = 2
"""With one key, whoever loses it has lost every backup."""

NOBODY = "backup_recipients names nobody to encrypt the backups to."
NOBODY_REMEDY = (
    "Make two keys with `age-keygen -o FILE`, keep them in different places, and list their public keys; "
    "or say `backup_encrypt: false`."
)

_CHARACTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_LENGTH = len("age1") + 52 + 6
"""32 bytes in characters of five bits each, and six of a checksum."""
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_REMEDY = "Write what `age-keygen -y` says of each key; docs/backups.md tells how keys are made and kept."


def problem(recipients: Sequence[str]) -> str:
    """Return what is wrong with ``recipients``, and what to do about it; nothing where they can be encrypted to."""
    for recipient in recipients:
        if not is_public_key(recipient):
            private = recipient.strip().upper().startswith("AGE-SECRET-KEY")
            named = "one of them is a private key, which is to stay away from hosts and inventories" if private else ""
            return f"{named or f'{recipient!r} is no public key of age (age1...), or mistyped'}. {_REMEDY}"
    if len(set(recipients)) != len(recipients):
        return f"one of them is there twice. {_REMEDY}"
    if len(recipients) == 1:
        return f"there is one; name two or more, whose private keys are kept in different places. {_REMEDY}"
    return ""


def is_public_key(text: str) -> bool:
    """Return whether ``text`` is a public key of age, down to its checksum."""
    human, separator, data = text.partition("1")
    if human != PREFIX or not separator or len(text) != _LENGTH or not set(data).issubset(_CHARACTERS):
        return False
    values = [_CHARACTERS.index(character) for character in data]
    return _checksum([*(ord(c) >> 5 for c in human), 0, *(ord(c) & 31 for c in human), *values]) == 1


def _checksum(values: Sequence[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATOR):
            check ^= generator if top >> bit & 1 else 0
    return check
