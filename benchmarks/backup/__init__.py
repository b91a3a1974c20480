"""A backup and its restore, by us and by what a user would take instead."""
