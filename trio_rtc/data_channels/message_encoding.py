"""Encoding of data channel messages, and messages retained after the end of their stream."""

import weakref
from collections import deque

from trio_rtc.protocols.datachannel import PPID_BINARY, PPID_BINARY_EMPTY, PPID_STRING, PPID_STRING_EMPTY
from trio_rtc.transports.sctp import SctpTransport

EMPTY_MESSAGE = b"\0"
"""The payload of an empty message: SCTP has no empty ones (RFC 8831 section 6.6)."""
_STRING_KINDS = (PPID_STRING, PPID_STRING_EMPTY)
_EMPTY_KINDS = (PPID_STRING_EMPTY, PPID_BINARY_EMPTY)


def encode_message(data: str | bytes | bytearray | memoryview) -> tuple[int, bytes]:
    """Return the payload protocol identifier (RFC 8831 section 8) and the payload of a message."""
    if isinstance(data, str):
        payload = data.encode()
        return PPID_STRING if payload else PPID_STRING_EMPTY, payload
    if isinstance(data, bytes):
        payload = data
    else:
        try:
            payload = memoryview(data).tobytes()
        except TypeError:
            raise TypeError(
                f"argument 'data' must be a str or a bytes-like object, not {data!r:.100}"
            ) from None
    return PPID_BINARY if payload else PPID_BINARY_EMPTY, payload


def decode_message(kind: int, payload: bytes) -> tuple[str | bytes, int]:
    """Return a message and its size in bytes, which is 0 for the placeholder of an empty message."""
    if kind in _EMPTY_KINDS:
        payload = b""
    # W3C requires "UTF-8 decode", which replaces invalid bytes.
    return payload.decode("utf-8", "replace") if kind in _STRING_KINDS else payload, len(payload)


class RetainedMessages:
    """Messages received before the peer ended a channel, retained because the stream identifier may be used again.

    They count against the receive window until they are read or discarded, so its size bounds those of all channels
    together. The messages of a garbage-collected channel are released.
    """

    def __init__(self, sctp: SctpTransport, stream_id: int) -> None:
        self._sctp = sctp
        self._messages = deque(sctp.retain_messages(stream_id))
        if self._messages:
            weakref.finalize(self, sctp.release_messages, self._messages).atexit = False

    def __bool__(self) -> bool:
        return bool(self._messages)

    def pop(self) -> tuple[int, bytes] | None:
        """Remove and return the payload protocol identifier and payload of the next message, or ``None``."""
        if not self._messages:
            return None
        message = self._messages.popleft()
        self._release([message])
        return message

    def discard(self) -> None:
        messages = list(self._messages)
        self._messages.clear()
        if messages:
            self._release(messages)

    def _release(self, messages: list[tuple[int, bytes]]) -> None:
        self._sctp.release_messages(messages)
        self._sctp.wake()
