"""The messages of a data channel: in what form they travel, and where those are that have outlived their stream."""

import weakref
from collections import deque

from trio_rtc.protocols.datachannel import PPID_BINARY, PPID_BINARY_EMPTY, PPID_STRING, PPID_STRING_EMPTY
from trio_rtc.transports.sctp import SctpTransport

EMPTY_MESSAGE = b"\0"
"""SCTP cannot carry nothing; RFC 8831 section 6.6 sends one zero byte."""
_STRING_KINDS = (PPID_STRING, PPID_STRING_EMPTY)
_EMPTY_KINDS = (PPID_STRING_EMPTY, PPID_BINARY_EMPTY)


def encode_message(data: str | bytes | bytearray | memoryview) -> tuple[int, bytes]:
    """Return a message's payload protocol identifier (RFC 8831 section 8) and its bytes, which may be none.

    Raises:
        TypeError: It is neither text nor bytes-like.
    """
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
    """Return a message as the application gets it, and how many bytes it has without what only fills it."""
    if kind in _EMPTY_KINDS:
        payload = b""
    # W3C decodes with replacement: a peer's broken UTF-8 is not this side's exception.
    return payload.decode("utf-8", "replace") if kind in _STRING_KINDS else payload, len(payload)


class RetainedMessages:
    """What had arrived before the peer ended a channel, kept because the next channel may get this one's number.

    At most a receive window of it for all channels together: it counts there until it is taken or forgotten. What is
    kept of a channel that nobody holds any more is not waited for.

    Args:
        sctp: What has received it.
        stream_id: Of which stream.
    """

    def __init__(self, sctp: SctpTransport, stream_id: int) -> None:
        self._sctp = sctp
        self._messages = deque(sctp.retain_messages(stream_id))
        if self._messages:
            weakref.finalize(self, sctp.release_messages, self._messages).atexit = False

    def __bool__(self) -> bool:
        return bool(self._messages)

    def take(self) -> tuple[int, bytes] | None:
        """Take the next message: its payload protocol identifier and its bytes; ``None`` when there is none."""
        if not self._messages:
            return None
        message = self._messages.popleft()
        self._give_back([message])
        return message

    def forget(self) -> None:
        """Drop what nobody here wants to read."""
        messages = list(self._messages)
        self._messages.clear()
        if messages:
            self._give_back(messages)

    def _give_back(self, messages: list[tuple[int, bytes]]) -> None:
        self._sctp.release_messages(messages)
        self._sctp.wake()
