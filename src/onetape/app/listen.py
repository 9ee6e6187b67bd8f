"""A port to listen on. Apart from the web application, so that asking for a port does not load it."""

from __future__ import annotations

import socket

from onetape.domain.errors import Taken


def listen(host: str, port: int) -> socket.socket:
    """A bound socket. Raises Taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
    except OSError as error:
        found.close()
        remedy = f"Name another one: --port {port % 65_535 + 1} or ONETAPE_PORT={port % 65_535 + 1}."
        raise Taken("--port", port, f"not free on {host} ({error.strerror})", remedy) from None
    return found
