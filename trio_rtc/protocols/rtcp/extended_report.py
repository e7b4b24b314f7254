"""Extended reports (RFC 3611): the blocks that give receivers a round-trip time (sections 4.4 and 4.5).

Blocks other than RRTR and DLRR are skipped.
"""

import struct
from typing import Final

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError

from .framing import PacketType, add_header

_SSRC: Final = struct.Struct("!I")
_BLOCK_HEADER: Final = struct.Struct("!BxH")
_REFERENCE_TIME: Final = struct.Struct("!Q")
_DELAY: Final = struct.Struct("!III")
_REFERENCE_TIME_BLOCK: Final = 4
_DELAY_BLOCK: Final = 5


@attrs.frozen
class DelaySinceLastReceiverReport:
    """A DLRR sub-block: the answer to a receiver's reference time.

    Attributes:
        ssrc: The receiver.
        last_receiver_report: The middle 32 bits of the NTP timestamp in the receiver's last reference time block.
        delay: Time since that block arrived, in units of 1/65536 second.
    """

    ssrc: int
    last_receiver_report: int
    delay: int


@attrs.frozen
class ExtendedReport:
    """XR.

    Attributes:
        reference_time: The 64-bit NTP timestamp of the RRTR block, ``None`` without one.
        delays: The sub-blocks of all DLRR blocks.
    """

    ssrc: int
    reference_time: int | None = None
    delays: tuple[DelaySinceLastReceiverReport, ...] = ()

    @classmethod
    def parse(cls, body: bytes) -> "ExtendedReport":
        """Parse the body of a packet."""
        if len(body) < _SSRC.size:
            raise ProtocolError(f"RTCP XR packet has {len(body)} bytes, fewer than {_SSRC.size}")
        reference_time = None
        delays: list[DelaySinceLastReceiverReport] = []
        offset, end = _SSRC.size, len(body)
        while offset < end:
            if end - offset < _BLOCK_HEADER.size:
                raise ProtocolError("RTCP XR packet ends within the header of a block")
            block_type, words = _BLOCK_HEADER.unpack_from(body, offset)
            start = offset + _BLOCK_HEADER.size
            offset = start + 4 * words
            if offset > end:
                raise ProtocolError(f"RTCP XR block of type {block_type} exceeds the packet")
            if block_type == _REFERENCE_TIME_BLOCK:
                if offset - start != _REFERENCE_TIME.size:
                    raise ProtocolError(
                        f"RRTR block has {offset - start} bytes instead of {_REFERENCE_TIME.size}"
                    )
                (reference_time,) = _REFERENCE_TIME.unpack_from(body, start)
            elif block_type == _DELAY_BLOCK:
                if (offset - start) % _DELAY.size:
                    raise ProtocolError("DLRR block ends within a sub-block")
                delays += [
                    DelaySinceLastReceiverReport(*fields) for fields in _DELAY.iter_unpack(body[start:offset])
                ]
        (ssrc,) = _SSRC.unpack_from(body)
        return cls(ssrc, reference_time, tuple(delays))

    def encode(self) -> bytes:
        """Return the encoded packet."""
        parts = [_SSRC.pack(self.ssrc)]
        if self.reference_time is not None:
            parts.append(_BLOCK_HEADER.pack(_REFERENCE_TIME_BLOCK, _REFERENCE_TIME.size // 4))
            parts.append(_REFERENCE_TIME.pack(self.reference_time))
        if self.delays:
            parts.append(_BLOCK_HEADER.pack(_DELAY_BLOCK, len(self.delays) * _DELAY.size // 4))
            parts += [_DELAY.pack(d.ssrc, d.last_receiver_report, d.delay) for d in self.delays]
        return add_header(PacketType.EXTENDED_REPORT, 0, b"".join(parts))
