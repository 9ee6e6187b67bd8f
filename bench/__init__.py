"""The speed figures. `python -m bench` (or `make bench`) measures and prints them; nothing here is a test."""
