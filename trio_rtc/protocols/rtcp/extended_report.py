"""Extended reports (RFC 3611): the round-trip time for those who only receive (sections 4.4 and 4.5)."""

import struct
from typing import Final

import attrs

from trio_rtc.errors import ProtocolError

from .framing import PacketType, frame

_SSRC: Final = struct.Struct("!I")
_BLOCK_HEADER: Final = struct.Struct("!BxH")
_REFERENCE_TIME: Final = struct.Struct("!Q")
_DELAY: Final = struct.Struct("!III")
_REFERENCE_TIME_BLOCK: Final = 4
_DELAY_BLOCK: Final = 5


@attrs.frozen
class DelaySinceLastReceiverReport:
    """A sub-block of DLRR: the answer to a receiver's reference time.

    Attributes:
        ssrc: The receiver.
        last_receiver_report: The middle 32 bits of the NTP timestamp in its last reference time block.
        delay: Units of 1/65536 second since that arrived.
    """

    ssrc: int
    last_receiver_report: int
    delay: int


@attrs.frozen
class ExtendedReport:
    """XR. Blocks other than RRTR and DLRR are skipped.

    Attributes:
        ssrc: Who reports.
        reference_time: RRTR: the NTP timestamp, 64 bits, of when this was sent; ``None`` without one.
        delays: DLRR.
    """

    ssrc: int
    reference_time: int | None = None
    delays: tuple[DelaySinceLastReceiverReport, ...] = ()

    @classmethod
    def parse(cls, body: bytes) -> "ExtendedReport":
        """Read the body of a packet."""
        if len(body) < _SSRC.size:
            raise ProtocolError("an extended report is too short")
        reference_time = None
        delays: list[DelaySinceLastReceiverReport] = []
        offset, end = _SSRC.size, len(body)
        while offset < end:
            if end - offset < _BLOCK_HEADER.size:
                raise ProtocolError("an extended report ends within the header of a block")
            block_type, words = _BLOCK_HEADER.unpack_from(body, offset)
            start = offset + _BLOCK_HEADER.size
            offset = start + 4 * words
            if offset > end:
                raise ProtocolError(f"a block of type {block_type} runs over the end of an extended report")
            if block_type == _REFERENCE_TIME_BLOCK:
                if offset - start != _REFERENCE_TIME.size:
                    raise ProtocolError("a receiver reference time block has a wrong length")
                (reference_time,) = _REFERENCE_TIME.unpack_from(body, start)
            elif block_type == _DELAY_BLOCK:
                if (offset - start) % _DELAY.size:
                    raise ProtocolError("a DLRR block ends within a sub-block")
                delays += [
                    DelaySinceLastReceiverReport(*fields) for fields in _DELAY.iter_unpack(body[start:offset])
                ]
        (ssrc,) = _SSRC.unpack_from(body)
        return cls(ssrc, reference_time, tuple(delays))

    def encode(self) -> bytes:
        """Return the packet."""
        parts = [_SSRC.pack(self.ssrc)]
        if self.reference_time is not None:
            parts.append(_BLOCK_HEADER.pack(_REFERENCE_TIME_BLOCK, _REFERENCE_TIME.size // 4))
            parts.append(_REFERENCE_TIME.pack(self.reference_time))
        if self.delays:
            parts.append(_BLOCK_HEADER.pack(_DELAY_BLOCK, len(self.delays) * _DELAY.size // 4))
            parts += [_DELAY.pack(d.ssrc, d.last_receiver_report, d.delay) for d in self.delays]
        return frame(PacketType.EXTENDED_REPORT, 0, b"".join(parts))
