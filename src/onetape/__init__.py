"""onetape."""
