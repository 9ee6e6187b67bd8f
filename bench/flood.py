"""`python -m bench.flood COUNT`: a bare WebSocket server that sends COUNT trades to one client, as fast as it reads."""

from __future__ import annotations

import base64
import hashlib
import socket
import struct
import sys
import time

from bench import okx_messages

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_WRITE = 65_536  # bytes at once


def frame(message: bytes) -> bytes:
    size = bytes((len(message),)) if len(message) < 126 else b"\x7e" + struct.pack("!H", len(message))
    return b"\x81" + size + message


def accept(client: socket.socket) -> None:
    request = b""
    while b"\r\n\r\n" not in request:
        request += client.recv(4096)
    line = next(line for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:"))
    answer = base64.b64encode(hashlib.sha1(line.split(b":", 1)[1].strip() + _MAGIC).digest())
    client.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + answer + b"\r\n\r\n"
    )


def main() -> None:
    data = b"".join(map(frame, okx_messages.trades(int(sys.argv[1]))))
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        client, _ = server.accept()
        accept(client)
        for i in range(0, len(data), _WRITE):
            client.sendall(data[i : i + _WRITE])
        time.sleep(60)  # until it is ended


if __name__ == "__main__":
    main()
