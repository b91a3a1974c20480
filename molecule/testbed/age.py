"""The operator's two keys of the bed's backups: made once, the private ones in files of the bed, 0600."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from testbed.state import StateDirectory

NAMES = ("operator", "safe")
"""One is at hand, one is kept elsewhere."""

_CHARACTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_PUBLIC = "# public key: "


def variables(directory: StateDirectory) -> dict[str, Any]:
    """Return what hosts are told: the public keys. The identity is for the playbooks that restore."""
    texts = [_identity(directory, name) for name in NAMES]
    public = [line[len(_PUBLIC) :] for text in texts for line in text.splitlines() if line.startswith(_PUBLIC)]
    return {"backup_recipients": public, "backup_identity": texts[0]}


def _identity(directory: StateDirectory, name: str) -> str:
    """Return the text of an identity file, as age-keygen writes it."""
    path = directory / "age" / f"{name}.key"
    if not path.exists():
        private = X25519PrivateKey.generate()
        public = _bech32("age", private.public_key().public_bytes_raw())
        secret = _bech32("age-secret-key-", private.private_bytes_raw()).upper()
        directory.write(f"age/{name}.key", f"{_PUBLIC}{public}\n{secret}\n")
    return path.read_text(encoding="utf-8")


def _bech32(human: str, data: bytes) -> str:
    """Encode 32 bytes as age writes its keys (BIP 173)."""
    bits = int.from_bytes(data, "big") << 4  # 256 bits and 4 of padding are 52 groups of 5
    values = [bits >> 5 * (51 - index) & 31 for index in range(52)]
    prefix = [*(ord(c) >> 5 for c in human), 0, *(ord(c) & 31 for c in human)]
    check = 1
    for value in [*prefix, *values, *[0] * 6]:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATOR):
            check ^= generator if top >> bit & 1 else 0
    check ^= 1
    return f"{human}1" + "".join(
        _CHARACTERS[value] for value in [*values, *(check >> 5 * (5 - i) & 31 for i in range(6))]
    )
