"""The schema, as numbered steps that are applied once each, in this order. Never change one: add the next."""

from __future__ import annotations

# Any fixed number: everyone who migrates takes the same advisory lock.
LOCK = 4_216_051

MIGRATIONS: tuple[tuple[int, str], ...] = (
    (
        1,
        """
        CREATE TABLE IF NOT EXISTS pets (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            name text NOT NULL,
            species text NOT NULL,
            request_id text NOT NULL UNIQUE,
            created_by_version text NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now()
        )
        """,
    ),
)

HEAD = MIGRATIONS[-1][0]


def pending(applied: set[int]) -> tuple[tuple[int, str], ...]:
    return tuple(step for step in MIGRATIONS if step[0] not in applied)
