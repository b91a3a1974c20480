"""The one error of the bed: what is wrong, and what to do next."""

from __future__ import annotations


class BedError(Exception):
    """Something the bed cannot get past on its own."""

    def __init__(self, message: str, next_step: str) -> None:
        super().__init__(message)
        self.next_step = next_step
