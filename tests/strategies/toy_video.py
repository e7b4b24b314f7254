"""A transparent payload format: each payload has the number of its frame and of its part."""

import struct
from collections.abc import Sequence

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.packet.packet import RtpPacket
from trio_rtc.protocols.rtp.payload import AssembledFrame
from trio_rtc.protocols.rtp.receive.video.frame_continuity import LayerPosition

_PAYLOAD = struct.Struct("!cIBBBBB")
KEY, DELTA = b"K", b"D"


def toy_payloads(
    index: int, count: int, *, key: bool = False, temporal_id: int = 0, tl0: int = 0, sync: bool = False
) -> list[bytes]:
    """Return the payloads of frame ``index``."""
    kind = KEY if key else DELTA
    return [_PAYLOAD.pack(kind, index, part, count, temporal_id, tl0, sync) for part in range(count)]


def toy_packet(
    payload: bytes, *, marker: bool = False, sequence_number: int = 0, timestamp: int = 0
) -> RtpPacket:
    return RtpPacket(96, sequence_number & 0xFFFF, timestamp & 0xFFFFFFFF, 1, payload, marker)


class ToyDepacketizer:
    """Depacketizer that requires all parts of one frame, in order."""

    def starts_frame(self, payload: bytes) -> bool:
        return len(payload) == _PAYLOAD.size and payload[:1] in (KEY, DELTA) and payload[5] == 0

    def is_keyframe_start(self, payload: bytes) -> bool:
        return self.starts_frame(payload) and payload[:1] == KEY

    def assemble(self, payloads: Sequence[bytes]) -> AssembledFrame:
        if any(len(payload) != _PAYLOAD.size for payload in payloads):
            raise ProtocolError("garbage")
        parts = [_PAYLOAD.unpack(payload) for payload in payloads]
        kind, index, _, count, temporal_id, *_ = parts[0]
        if kind not in (KEY, DELTA) or [part[:4] for part in parts] != [
            (kind, index, i, count) for i in range(count)
        ]:
            raise ProtocolError("parts of several frames")
        return AssembledFrame(index.to_bytes(4, "big"), kind == KEY, temporal_id=temporal_id)

    def layer_position(self, payload: bytes) -> LayerPosition | None:
        if not self.starts_frame(payload):
            return None
        _, _, _, _, temporal_id, tl0, sync = _PAYLOAD.unpack(payload)
        return LayerPosition(temporal_id, tl0, bool(sync))


def frame_index(frame: AssembledFrame) -> int:
    return int.from_bytes(frame.payload, "big")
