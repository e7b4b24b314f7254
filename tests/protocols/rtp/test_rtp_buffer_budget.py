"""The buffers of one kind never exceed their bound together."""

from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.protocols.rtp import RtpPacket
from trio_rtc.protocols.rtp.buffer_budget import (
    PACKET_OVERHEAD,
    BufferBudget,
    largest,
    oldest,
)
from trio_rtc.protocols.rtp.packet.packet import MediaPacket
from trio_rtc.protocols.rtp.receive.early_media import MAX_EARLY_BYTES, EarlyMedia

SIZE = 1000
"""Bytes of the payload of a packet."""
COST = SIZE + PACKET_OVERHEAD


def early_packet(size: int, arrival: float = 0.0) -> MediaPacket:
    return MediaPacket(0, 0, RtpPacket(96, 0, 0, 1, bytes(size)), arrival, False)


def held(early: EarlyMedia) -> int:
    """Return the cost of the kept packets."""
    return sum(len(each.packet.payload) + PACKET_OVERHEAD for each in early.packets or ())


STREAMS = st.integers(0, 7)
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), STREAMS, st.booleans()),
        st.tuples(st.just("add"), STREAMS, st.integers(0, 3000) | st.just(MAX_EARLY_BYTES)),
        st.tuples(st.just("frames"), STREAMS, st.booleans()),
        st.tuples(st.just("packets"), STREAMS, st.booleans()),
        st.tuples(st.just("release"), STREAMS, st.none()),
    ),
    max_size=200,
)


@given(operations=OPERATIONS, bound=st.integers(0, 20_000), choice=st.sampled_from([oldest, largest]))
def test_the_sum_is_never_above_the_bound(operations, bound, choice) -> None:
    budget = BufferBudget(bound, choice)
    dropped: list[int] = []
    streams = [EarlyMedia(budget, lambda number=number: dropped.append(number)) for number in range(8)]
    for stream in streams:
        stream.begin(is_video=True)
    for time, (operation, number, argument) in enumerate(operations):
        stream = streams[number]
        match operation:
            case "begin":
                stream.begin(is_video=argument)
            case "add":
                stream.add(early_packet(argument, time / 100))
            case "frames" | "packets":
                stream.set_demand(
                    frames=operation == "frames" and argument, packets=operation == "packets" and argument
                )
            case _:
                stream.release()
        assert budget.size == sum(map(held, streams)) <= bound
        assert budget.discarded <= len(dropped)
        assert all(streams[number].packets is None for number in dropped[-1:] if operation == "add")


def test_the_largest_buffer_is_discarded_where_that_is_chosen() -> None:
    budget = BufferBudget(4 * COST, largest)
    streams = [EarlyMedia(budget, lambda: None) for _ in range(3)]
    for stream in streams:
        stream.begin(is_video=True)
    for number in (0, 1, 1, 2, 2):
        streams[number].add(early_packet(SIZE))
    assert [held(stream) for stream in streams] == [COST, 0, 2 * COST]
    assert budget.discarded == 1
