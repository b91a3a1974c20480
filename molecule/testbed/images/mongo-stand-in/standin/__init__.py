"""Plays MongoDB in the test bed. It is not MongoDB; see README.md."""
