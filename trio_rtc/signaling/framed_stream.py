"""A stream between a transport and trio-websocket, which limits how much trio-websocket reads at a time.

Received data is passed on in whole frame headers (RFC 6455 section 5.2), a few frames at a time and at the allowed
rate, and other tasks run in between. The opening handshake is checked before trio-websocket receives it.
"""

from collections.abc import Callable
from contextlib import suppress

import trio

from .opening_handshake import HandshakeError, ResponseCheck
from .rate_limited_stream import RECEIVE_SIZE
from .token_bucket import TokenBucket

MAX_CONSECUTIVE_FRAMES = 16
"""Frames that are handled before other tasks run, which bounds the latency that one connection causes others."""

_CLOSE = 0x8
_CLOSE_FRAME_TIMEOUT = 1.0


class FramedStream(trio.abc.Stream):
    """The stream that a server passes to trio-websocket.

    Args:
        handshake: The checked opening handshake, returned by the first read.
        received: Bytes received after it.
        frames: Limits the rate of received frames: messages, fragments, pings and pongs. ``None`` for no limit.

    Attributes:
        close_payload: The received close frame's code and reason; masked if sent by a client.
        failed: Whether the sent close frame reports a failure of the connection.
    """

    def __init__(
        self,
        stream: trio.abc.Stream,
        handshake: bytes = b"",
        received: bytes = b"",
        frames: TokenBucket | None = None,
    ) -> None:
        self._stream = stream
        self._handshake = handshake
        self._received = bytearray(received)
        self._frames = frames
        self._payload_left = 0
        self._sending = trio.Lock()
        self._started = trio.Event()
        self._make_close_frame: Callable[[], bytes] = bytes
        self._close_frame_sent = trio.Event()
        self.close_sent = False
        self.close_received = False
        self.close_payload = b""
        self.failed = False

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Wait until reading is allowed, then return some frames or parts of one."""
        if self._handshake:
            await trio.lowlevel.checkpoint()
            handshake, self._handshake = self._handshake, b""
            return handshake
        await self._started.wait()
        while not (popped := self._pop_frames())[0]:
            data = await self._stream.receive_some(RECEIVE_SIZE)
            if not data:
                return b""
            self._received += data
        frames, count = popped
        if self._frames is not None and (wait := self._frames.consume(trio.current_time(), count)) > 0:
            await trio.sleep(wait)
        if self.close_received and self._sending.locked():
            # trio-websocket would wait for this send before it reports the end, but the other side reads no more.
            await trio.aclose_forcefully(self._stream)
        return frames

    def start(self, make_close_frame: Callable[[], bytes]) -> None:
        """Start to return frames.

        ``make_close_frame`` returns the close frame to send before closing, or ``b""``; trio-websocket sends none when
        it fails a connection.
        """
        self._make_close_frame = make_close_frame
        self._started.set()

    def _pop_frames(self) -> tuple[bytes, int]:
        received, end, count = self._received, 0, 0
        while True:
            part = min(self._payload_left, len(received) - end)
            end += part
            self._payload_left -= part
            if self._payload_left or count == MAX_CONSECUTIVE_FRAMES:
                break
            header = _parse_header(received[end : end + 10])
            if header is None or len(received) < end + header[0]:
                break
            if received[end] & 0xF == _CLOSE:
                self.close_received = True
                self.close_payload = bytes(received[end + header[0] : end + sum(header)])
            end += header[0]
            self._payload_left = header[1]
            count += 1
        popped = bytes(received[:end])
        del received[:end]
        return popped, count

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send through the stream. Sending a close frame is abandoned after a timeout."""
        is_close = bytes(data[:1]) == bytes([0x80 | _CLOSE])
        async with self._sending:
            if self.failed:
                raise trio.BrokenResourceError("connection was failed by this side")
            self.close_sent |= is_close
            with trio.CancelScope() as scope:
                if is_close:
                    scope.deadline = trio.current_time() + _CLOSE_FRAME_TIMEOUT
                await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self.send_close_frame()
        await self._stream.aclose()

    async def send_close_frame(self) -> None:
        """Send the pending close frame, if any, or wait until another task has sent it."""
        if self.failed:
            await self._close_frame_sent.wait()
            return
        if self.close_sent or not (close_frame := self._make_close_frame()):
            return
        self.close_sent = self.failed = True
        # Do not wait for long if the other side does not read.
        with (
            trio.move_on_after(_CLOSE_FRAME_TIMEOUT),
            suppress(trio.BrokenResourceError, trio.ClosedResourceError),
        ):
            async with self._sending:
                await self._stream.send_all(close_frame)
        self._close_frame_sent.set()


class ClientFramedStream(FramedStream):
    """The stream that a client passes to trio-websocket."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        super().__init__(stream)
        self._check: ResponseCheck | None = None
        self._has_requested = False
        self._ended = trio.Event()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        if not self._has_requested:
            self._has_requested = True
            self._check = ResponseCheck.of_request(bytes(data))
        await super().send_all(data)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Receive as the server's stream does, beginning with the handshake response."""
        try:
            if (check := self._check) is not None:
                self._check = None
                return await self._receive_response(check)
            data = await super().receive_some(max_bytes)
        except BaseException:
            self._ended.set()
            raise
        if not data:
            self._ended.set()
        return data

    async def _receive_response(self, check: ResponseCheck) -> bytes:
        try:
            while (rest := check.receive(bytes(await self._stream.receive_some(RECEIVE_SIZE)))) is None:
                pass
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise HandshakeError("connection broke during the handshake") from error
        self._received += rest
        return check.clean_response()

    async def aclose(self) -> None:
        """Close the stream after the server has (section 7.1.1): then other members have been notified of the leave."""
        if self.close_sent and self.close_received:
            await self._ended.wait()
        await super().aclose()


def _parse_header(data: bytes | bytearray) -> tuple[int, int] | None:
    """Return the sizes of a frame header and its payload, ``None`` if more bytes are needed."""
    if len(data) < 2:
        return None
    mask, short = 4 * (data[1] >> 7), data[1] & 0x7F
    if short < 126:
        return 2 + mask, short
    size = 2 if short == 126 else 8
    if len(data) < 2 + size:
        return None
    return 2 + size + mask, int.from_bytes(data[2 : 2 + size], "big")
