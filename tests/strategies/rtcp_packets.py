"""RTCP packets of every kind, with values that fit their fields."""

from typing import TypeVar

from hypothesis import strategies as st

from trio_rtc.protocols.rtcp import (
    ApplicationDefined,
    ArrivalReport,
    Bye,
    CongestionControlFeedback,
    DelaySinceLastReceiverReport,
    ExtendedReport,
    FullIntraRequest,
    GenericNack,
    PictureLossIndication,
    ReceiverEstimatedMaximumBitrate,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    SourceDescriptionChunk,
    StreamReport,
    TransportFeedback,
    UnknownPacket,
)

Item = TypeVar("Item")

uint8 = st.integers(0, 0xFF)
uint16 = st.integers(0, 0xFFFF)
uint32 = st.integers(0, 0xFFFF_FFFF)
uint64 = st.integers(0, 0xFFFF_FFFF_FFFF_FFFF)


def tuples_of(
    elements: st.SearchStrategy[Item], *, min_size: int = 0, max_size: int | None = None
) -> st.SearchStrategy[tuple[Item, ...]]:
    return st.lists(elements, min_size=min_size, max_size=max_size).map(tuple)


blocks = tuples_of(
    st.builds(
        ReportBlock, uint32, uint8, st.integers(-(1 << 23), (1 << 23) - 1), uint32, uint32, uint32, uint32
    ),
    max_size=31,
)
chunks = st.builds(
    SourceDescriptionChunk,
    uint32,
    tuples_of(st.tuples(st.integers(1, 255), st.binary(max_size=255)), max_size=4),
)
bitrates = st.builds(
    lambda mantissa, exponent: mantissa << exponent, st.integers(0, (1 << 18) - 1), st.integers(0, 46)
)


@st.composite
def transport_feedback(draw: st.DrawFn) -> TransportFeedback:
    gaps = draw(st.lists(st.sampled_from([0, 0, 0, 0, 1, 2, 7, 20, 9000]), min_size=1, max_size=40))
    deltas = draw(
        st.lists(
            st.one_of(st.integers(0, 255), st.integers(-0x8000, 0x7FFF)),
            min_size=len(gaps),
            max_size=len(gaps),
        )
    )
    offset, tick = -1, 0
    arrivals = []
    for gap, delta in zip(gaps, deltas, strict=True):
        offset += 1 + gap
        tick += delta
        if offset >= 0xFFFF:
            break
        arrivals.append((offset, tick))
    status_count = draw(st.integers(arrivals[-1][0] + 1, min(arrivals[-1][0] + 20, 0xFFFF)))
    return TransportFeedback(
        draw(uint32), draw(uint32), draw(uint16), status_count, draw(st.integers(0, (1 << 24) - 1)), draw(uint8),
        tuple(arrivals),
    )  # fmt: skip


stream_reports = st.builds(
    StreamReport,
    uint32,
    uint16,
    tuples_of(st.none() | st.builds(ArrivalReport, st.integers(0, 0x1FFF), st.integers(0, 3)), max_size=20),
)

KINDS: dict[type, st.SearchStrategy] = {
    SenderReport: st.builds(SenderReport, uint32, uint64, uint32, uint32, uint32, blocks),
    ReceiverReport: st.builds(ReceiverReport, uint32, blocks),
    SourceDescription: st.builds(SourceDescription, tuples_of(chunks, max_size=31)),
    Bye: st.builds(Bye, tuples_of(uint32, max_size=31), st.none() | st.binary(max_size=255)),
    ApplicationDefined: st.builds(
        ApplicationDefined,
        st.integers(0, 31),
        uint32,
        st.binary(min_size=4, max_size=4),
        tuples_of(st.binary(min_size=4, max_size=4), max_size=5).map(b"".join),
    ),
    GenericNack: st.builds(GenericNack, uint32, uint32, tuples_of(st.tuples(uint16, uint16), max_size=20)),
    PictureLossIndication: st.builds(PictureLossIndication, uint32, uint32),
    FullIntraRequest: st.builds(
        FullIntraRequest, uint32, tuples_of(st.tuples(uint32, uint8), max_size=20), uint32
    ),
    ReceiverEstimatedMaximumBitrate: st.builds(
        ReceiverEstimatedMaximumBitrate, uint32, bitrates, tuples_of(uint32, max_size=20), uint32
    ),
    TransportFeedback: transport_feedback(),
    CongestionControlFeedback: st.builds(
        CongestionControlFeedback, uint32, uint32, tuples_of(stream_reports, max_size=5)
    ),
    ExtendedReport: st.builds(
        ExtendedReport,
        uint32,
        st.none() | uint64,
        tuples_of(st.builds(DelaySinceLastReceiverReport, uint32, uint32, uint32), max_size=10),
    ),
    UnknownPacket: st.builds(
        UnknownPacket,
        st.one_of(st.integers(0, 199), st.integers(208, 255)),
        st.integers(0, 31),
        tuples_of(st.binary(min_size=4, max_size=4), max_size=5).map(b"".join),
    ),
}
packets: st.SearchStrategy[RtcpPacket] = st.one_of(*KINDS.values())
"""Any packet."""
