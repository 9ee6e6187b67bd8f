"""Proof of identity on the private WebSocket: base64(HMAC-SHA256(secret, timestamp + "GET" + "/users/self/verify"))."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from onetape.venue.channels import Refused
from onetape.venue.clock import VenueClock

_VALID_S: Final = 30


class Key(NamedTuple):
    secret: str
    passphrase: str

    def __repr__(self) -> str:
        return "Key(...)"


def signature(secret: str, timestamp: str) -> str:
    """`timestamp` is Unix seconds as text."""
    digest = hmac.new(secret.encode(), f"{timestamp}GET/users/self/verify".encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def check(arg: Any, keys: Mapping[str, Key] | None, clock: VenueClock) -> Refused | None:
    """What is wrong with a login; without configured keys every complete one is right."""
    if not isinstance(arg, dict) or not all(arg.get(name) for name in ("apiKey", "passphrase", "timestamp", "sign")):
        return Refused("60009", "Login failed.")
    try:
        moment = float(arg["timestamp"])
    except (TypeError, ValueError):
        return Refused("60004", "Invalid timestamp")
    venue_s = clock.now() / 1e6
    if min(abs(moment - time.time()), abs(moment - venue_s) / max(1.0, clock.speed)) > _VALID_S:
        return Refused("60006", "Timestamp request expired")
    if keys is None:
        return None
    key = keys.get(arg["apiKey"])
    if key is None:
        return Refused("60005", "Invalid apiKey")
    if key.passphrase != arg["passphrase"]:
        return Refused("60024", "Wrong passphrase")
    if not hmac.compare_digest(signature(key.secret, str(arg["timestamp"])), str(arg["sign"])):
        return Refused("60007", "Invalid sign")
    return None
