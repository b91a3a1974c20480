"""Load on a host of the test bed: many kinds of clients at once, in a process of its own, every request accounted for.

Tests use ``tests.load.process.Load``; ``python -m tests.load --help`` is the same from a shell. README.md says what is
sent and what is judged.
"""
