"""A client of WebSocket (RFC 6455), as much of it as Home Assistant's API needs: texts, over plain TCP, both ways."""

import base64
import os
import socket
import struct
import threading

TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
CONTINUATION, FINAL = 0x0, 0x80


class Closed(Exception):
    """The other side is gone."""


class WebSocket:
    """A connection. One thread may receive while others send."""

    def __init__(self, host: str, port: int, path: str) -> None:
        self._socket = socket.create_connection((host, port), timeout=30)
        self._sending = threading.Lock()
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: {host}:{port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
        ]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())
        self._stream = self._socket.makefile("rb")
        status = self._stream.readline()
        if b" 101 " not in status:
            raise Closed(f"no WebSocket at {path}: {status!r}")
        while self._stream.readline() not in (b"\r\n", b""):
            pass
        # from here on it may be silent for as long as it likes
        self._socket.settimeout(None)

    def send(self, text: str) -> None:
        """Sends a text."""
        self._send(TEXT, text.encode())

    def receive(self) -> str:
        """Waits for a text; raises `Closed` at the end."""
        message = b""
        while True:
            first, payload = self._frame()
            kind = first & 0x0F
            if kind == PING:
                self._send(PONG, payload)
            elif kind == CLOSE:
                raise Closed("closed by the other side")
            elif kind in (TEXT, CONTINUATION):
                message += payload
                if first & FINAL:
                    return message.decode()

    def close(self) -> None:
        """Ends it; whoever receives is woken."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it has ended already
        self._socket.close()

    def _frame(self) -> tuple[int, bytes]:
        first, length = self._read(2)
        if length == 126:
            (length,) = struct.unpack("!H", self._read(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self._read(8))
        return first, self._read(length)

    def _read(self, length: int) -> bytes:
        try:
            data = self._stream.read(length)
        except (OSError, ValueError) as error:
            raise Closed("the connection broke") from error
        if len(data) < length:
            raise Closed("the connection ended")
        return data

    def _send(self, kind: int, payload: bytes) -> None:
        # a client's frames are masked: proxies must not be fooled by what they hold
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        length = len(payload)
        if length < 126:
            head = struct.pack("!BB", FINAL | kind, 0x80 | length)
        else:
            head = struct.pack("!BBH", FINAL | kind, 0x80 | 126, length)
        with self._sending:
            try:
                self._socket.sendall(head + mask + masked)
            except OSError as error:
                raise Closed("the connection broke") from error
