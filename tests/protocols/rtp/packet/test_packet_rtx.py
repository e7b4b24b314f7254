"""The RTX payload format (RFC 4588)."""

from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.protocols.rtp.packet.packet import RtpPacket
from trio_rtc.protocols.rtp.packet.rtx import OVERHEAD, unwrap, wrap


def packet(number: int, payload: bytes = b"payload") -> RtpPacket:
    return RtpPacket(96, number, 9000, 1234, payload, True, (7, 8), ((1, b"0"), (3, b"abc")), 4)


def test_retransmission_on_the_wire() -> None:
    wrapped = wrap(packet(0xABCD), ssrc=99, payload_type=97, sequence_number=3)
    assert wrapped == RtpPacket(97, 3, 9000, 99, b"\xab\xcdpayload", True, (7, 8), ((1, b"0"), (3, b"abc")))


def test_padding_only_retransmission_has_no_original() -> None:
    assert unwrap(RtpPacket(97, 1, 2, 3, b"", padding_size=200), ssrc=1, payload_type=96) is None
    assert unwrap(RtpPacket(97, 1, 2, 3, b"\x01"), ssrc=1, payload_type=96) is None


@given(number=st.integers(0, 0xFFFF), payload=st.binary(max_size=100), rtx_number=st.integers(0, 0xFFFF))
def test_round_trip(number: int, payload: bytes, rtx_number: int) -> None:
    original = RtpPacket(96, number, 5, 1234, payload, False, (1,), ((2, b"x"),))
    wrapped = wrap(original, ssrc=99, payload_type=97, sequence_number=rtx_number)
    assert len(wrapped.payload) == len(payload) + OVERHEAD
    parsed = RtpPacket.parse(wrapped.encode())
    assert unwrap(parsed, ssrc=1234, payload_type=96) == original
