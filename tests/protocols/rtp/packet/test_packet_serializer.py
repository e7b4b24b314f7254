"""The serializer writes the same bytes as the packet encoder."""

from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.rtp_pair import (
    EXTENSIONS,
)
from trio_rtc.protocols.rtp import (
    RtpPacket,
)
from trio_rtc.protocols.rtp.packet.extensions import ExtensionMap
from trio_rtc.protocols.rtp.packet.serializer import PacketSerializer


@given(
    packet=st.builds(
        RtpPacket,
        st.integers(0, 127),
        st.integers(0, 0xFFFF),
        st.integers(0, 0xFFFFFFFF),
        st.integers(0, 0xFFFFFFFF),
        st.binary(max_size=40),
        st.booleans(),
        st.just(()) | st.just((1, 2)),
        st.just(()) | st.just(((4, b"0"),)),
    ),
    elements=st.sampled_from([(2, 3), (2, None), (None, 3), (None, None), (200, 3), (14, 15)]),
    number=st.none() | st.integers(0, 1 << 20),
    now=st.floats(0, 1e6),
)
def test_serialized_elements_equal_encoded_ones(
    packet: RtpPacket, elements: tuple[int | None, int | None], number: int | None, now: float
) -> None:
    time_element, number_element = elements
    uris = {time_element: EXTENSIONS[2], number_element: EXTENSIONS[3]}
    extensions = ExtensionMap({key: uri for key, uri in uris.items() if key is not None})
    written = RtpPacket.parse(PacketSerializer(extensions).serialize(packet, number, now))
    marks = []
    if number_element is not None and number is not None:
        marks.append((number_element, (number & 0xFFFF).to_bytes(2, "big")))
    if time_element is not None:
        marks.append((time_element, (int(now * (1 << 18)) & 0xFFFFFF).to_bytes(3, "big")))
    assert written == packet.with_extensions(packet.extensions + tuple(marks))
