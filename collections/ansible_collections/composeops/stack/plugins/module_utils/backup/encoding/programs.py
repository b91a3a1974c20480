# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The programs that encode and decode, as command lines: zstd and age, as Debian has them."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError

ZSTD = "zstd"
AGE = "age"

LEVEL = 1
"""What serves needs the processor meanwhile: level 3 takes 1.5 to 2.3 times as long, and makes text a tenth smaller."""

READABLE = ((), (ZSTD,), (AGE,), (ZSTD, AGE))
"""What can be undone: encryption comes last, or it would hide from compression what repeats."""


def steps(recipients: Sequence[str]) -> tuple[str, ...]:
    """Return what is done to every object, first to last."""
    return (ZSTD, AGE) if recipients else (ZSTD,)


def encoder(step: str, recipients: Sequence[str]) -> list[str]:
    """Return the command line that encodes its input; public keys are no secret."""
    if step == ZSTD:
        # One thread, for the database serves requests meanwhile, and a quarter of the memory that even -T1 takes.
        # Twice verbose, it tells exactly how much it read.
        return ["zstd", f"-{LEVEL}", "--single-thread", "-vv", "--no-progress", "--check", "--stdout"]
    return ["age", "--encrypt", *(word for recipient in recipients for word in ("--recipient", recipient))]


def decoder(step: str, path: str | None) -> list[str]:
    """Return the command line that undoes a step, of a file or of its input, from where age reads its key otherwise."""
    files = [] if path is None else ["--", path]
    if step == ZSTD:
        return ["zstd", "--decompress", "--quiet", "--stdout", *files]
    return ["age", "--decrypt", "--identity", "-", *files]


def require_readable(name: str, encoding: Sequence[str]) -> None:
    """Raise where this version could not undo ``encoding``."""
    if tuple(encoding) not in READABLE:
        raise ComposeOpsError(
            f"{name} is encoded ({', '.join(encoding)}) in an order which this version does not read.",
            "Use the version that wrote it, or a newer.",
        )
