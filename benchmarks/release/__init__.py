"""A release under load: what it costs the users, by us and by what one would do instead. README.md says how."""
