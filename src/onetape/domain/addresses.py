"""Addresses of servers, as people and logs may see them."""

from __future__ import annotations


def without_password(url: str) -> str:
    """`redis://me:***@host` for `redis://me:secret@host`; whatever stands before the last @ is taken for a login."""
    login, at, place = url.rpartition("@")
    scheme, mark, names = login.rpartition("://")
    user, colon, _ = names.partition(":")
    return f"{scheme}{mark}{user}{':***' if colon else ''}{at}{place}"
