"""FEC packets and the bit strings that they protect."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.fec_packets import (
    SSRC,
)
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.fec.fec_packet import FecPacket, MediaKey, zero_elements
from trio_rtc.protocols.rtp.fec.flexfec import build_flexfec
from trio_rtc.protocols.rtp.fec.ulpfec import build_ulpfec
from trio_rtc.protocols.rtp.packet.packet import RtpPacket


def test_rows_that_no_mask_can_hold() -> None:
    with pytest.raises(ValueError, match="apart"):
        build_flexfec(FecPacket([MediaKey(SSRC, 0), MediaKey(SSRC, 109)], 0, 0))
    with pytest.raises(ValueError, match="apart"):
        build_ulpfec(FecPacket([MediaKey(SSRC, 0), MediaKey(SSRC, 48)], 0, 0))
    with pytest.raises(ValueError, match="1 to 16 SSRCs"):
        build_flexfec(FecPacket([MediaKey(ssrc, 0) for ssrc in range(17)], 0, 0))


@given(
    elements=st.lists(st.tuples(st.integers(1, 200), st.binary(max_size=30)), min_size=1, max_size=5),
    numbers=st.frozensets(st.integers(1, 200)),
)
def test_only_the_named_elements_are_zeroed(
    elements: list[tuple[int, bytes]], numbers: frozenset[int]
) -> None:
    packet = RtpPacket(96, 1, 2, 3, b"payload", csrcs=(9,), extensions=tuple(elements))
    zeroed = RtpPacket.parse(zero_elements(packet.encode(), numbers))
    assert zeroed.payload == b"payload"
    assert zeroed.extensions == tuple((n, bytes(len(v)) if n in numbers else v) for n, v in packet.extensions)


@given(header=st.binary(min_size=12, max_size=60), numbers=st.frozensets(st.integers(1, 15)))
def test_zeroing_any_bytes(header: bytes, numbers: frozenset[int]) -> None:
    with contextlib.suppress(ProtocolError):
        assert len(zero_elements(header, numbers)) == len(header)
