"""Between a transport and trio-websocket, which reads as much as there is and counts nothing.

What is read is handed on in whole headers of frames (RFC 6455 section 5.2), few frames at a time and no faster than
allowed, and other tasks run in between. The opening handshake is checked before trio-websocket sees any of it.
"""

from collections.abc import Callable
from contextlib import suppress

import trio

from .opening_handshake import HandshakeRefused, ResponseCheck
from .pacing import RECEIVE_SIZE
from .rate import TokenBucket

FRAMES_IN_A_ROW = 16
"""Frames that are handled before other tasks run: what one connection adds to the latency of all others."""

_CLOSE = 0x8
_FAREWELL_TIMEOUT = 1.0


class FramedStream(trio.abc.Stream):
    """The stream that a server gives to trio-websocket.

    Args:
        stream: The transport.
        handshake: What is read first, the opening handshake as it was checked.
        received: What has come behind it.
        frames: How many frames are received: messages, fragments, pings and pongs. ``None`` for any number.

    Attributes:
        close_sent: Whether a close frame was sent.
        close_received: Whether one was received.
        close_payload: Its code and reason; masked if a client has sent it.
        failed: Whether the one that was sent says why this side fails the connection.
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
        self._begun = trio.Event()
        self._farewell: Callable[[], bytes] = bytes
        self._farewell_said = trio.Event()
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
        await self._begun.wait()
        while not (taken := self._take_frames())[0]:
            data = await self._stream.receive_some(RECEIVE_SIZE)
            if not data:
                return b""
            self._received += data
        frames, count = taken
        if self._frames is not None and (wait := self._frames.take(trio.current_time(), count)) > 0:
            await trio.sleep(wait)
        if self.close_received and self._sending.locked():
            # trio-websocket would wait for this sending before it tells of the end: the other side reads no more.
            await trio.aclose_forcefully(self._stream)
        return frames

    def begin(self, farewell: Callable[[], bytes]) -> None:
        """Start to deliver frames.

        Args:
            farewell: Returns a close frame to send before closing, perhaps an empty one: trio-websocket sends none when
                it fails a connection.
        """
        self._farewell = farewell
        self._begun.set()

    def _take_frames(self) -> tuple[bytes, int]:
        received, end, count = self._received, 0, 0
        while True:
            part = min(self._payload_left, len(received) - end)
            end += part
            self._payload_left -= part
            if self._payload_left or count == FRAMES_IN_A_ROW:
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
        taken = bytes(received[:end])
        del received[:end]
        return taken, count

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send through the stream. Sending a close frame is given up when it takes long."""
        is_close = bytes(data[:1]) == bytes([0x80 | _CLOSE])
        async with self._sending:
            if self.failed:
                raise trio.BrokenResourceError("this side has failed the connection")
            self.close_sent |= is_close
            with trio.CancelScope() as scope:
                if is_close:
                    scope.deadline = trio.current_time() + _FAREWELL_TIMEOUT
                await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait as the stream does."""
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """Send a pending close frame and close the stream."""
        await self.say_farewell()
        await self._stream.aclose()

    async def say_farewell(self) -> None:
        """Send the close frame that is still to be sent, if there is one, or wait until another task has."""
        if self.failed:
            await self._farewell_said.wait()
            return
        if self.close_sent or not (farewell := self._farewell()):
            return
        self.close_sent = self.failed = True
        # Nobody waits for one that the other side does not read.
        with (
            trio.move_on_after(_FAREWELL_TIMEOUT),
            suppress(trio.BrokenResourceError, trio.ClosedResourceError),
        ):
            async with self._sending:
                await self._stream.send_all(farewell)
        self._farewell_said.set()


class ClientFramedStream(FramedStream):
    """The stream that a client gives to trio-websocket."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        super().__init__(stream)
        self._check: ResponseCheck | None = None
        self._has_requested = False
        self._ended = trio.Event()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send through the stream; first the request of the handshake."""
        if not self._has_requested:
            self._has_requested = True
            self._check = ResponseCheck.of_request(bytes(data))
        await super().send_all(data)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Receive as the server does; first the response of the handshake.

        Raises:
            HandshakeRefused: The server did not accept.
        """
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
            while (behind := check.receive(bytes(await self._stream.receive_some(RECEIVE_SIZE)))) is None:
                pass
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise HandshakeRefused("the connection broke during the handshake") from error
        self._received += behind
        return check.clean_response()

    async def aclose(self) -> None:
        """Close the stream when the server has, section 7.1.1: by then it has told the others that we left."""
        if self.close_sent and self.close_received:
            await self._ended.wait()
        await super().aclose()


def _parse_header(data: bytes | bytearray) -> tuple[int, int] | None:
    """Return the sizes of a header and of its payload, ``None`` if more bytes are needed to know."""
    if len(data) < 2:
        return None
    mask, short = 4 * (data[1] >> 7), data[1] & 0x7F
    if short < 126:
        return 2 + mask, short
    size = 2 if short == 126 else 8
    if len(data) < 2 + size:
        return None
    return 2 + size + mask, int.from_bytes(data[2 : 2 + size], "big")
