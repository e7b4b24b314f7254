"""The early media of all streams of a session together: never above its bound, and the oldest goes first."""

from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.rtp_pair import (
    VIDEO,
    VP8,
    make_session,
    received,
    srtp_pair,
    video_section,
    vp8_payload,
)
from trio_rtc.protocols.rtp import PacketsReceived, RtpOptions, RtpPacket, RtpSession
from trio_rtc.protocols.rtp.buffer_budget import PACKET_OVERHEAD, BufferBudget, largest, oldest
from trio_rtc.protocols.rtp.early_media import MAX_EARLY_BYTES, EarlyMedia, EarlyPacket
from trio_rtc.protocols.srtp import SrtpSession

SIZE = 1000
"""Bytes of the payload of a packet."""
COST = SIZE + PACKET_OVERHEAD


def early_packet(size: int, arrival: float = 0.0) -> EarlyPacket:
    return EarlyPacket(0, 0, RtpPacket(96, 0, 0, 1, bytes(size)), arrival, False)


def held(early: EarlyMedia) -> int:
    """Return what the packets that are kept count."""
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
                stream.want(
                    frames=operation == "frames" and argument, packets=operation == "packets" and argument
                )
            case _:
                stream.release()
        assert budget.size == sum(map(held, streams)) <= bound
        assert budget.discarded <= len(dropped)
        assert all(streams[number].packets is None for number in dropped[-1:] if operation == "add")


def test_the_stream_whose_early_media_is_oldest_loses_it() -> None:
    budget = BufferBudget(3 * COST, oldest)
    dropped: list[str] = []
    first, second, third = (EarlyMedia(budget, lambda name=name: dropped.append(name)) for name in "abc")
    for stream in (first, second, third):
        stream.begin(is_video=True)
    second.add(early_packet(SIZE))
    first.add(early_packet(SIZE))
    second.add(early_packet(SIZE))
    assert dropped == []
    third.add(early_packet(SIZE))
    assert dropped == ["b"]
    assert (second.packets, held(first), held(third)) == (None, COST, COST)
    second.add(early_packet(SIZE))
    assert budget.size == 2 * COST


def test_the_largest_buffer_is_discarded_where_that_is_chosen() -> None:
    budget = BufferBudget(4 * COST, largest)
    streams = [EarlyMedia(budget, lambda: None) for _ in range(3)]
    for stream in streams:
        stream.begin(is_video=True)
    for number in (0, 1, 1, 2, 2):
        streams[number].add(early_packet(SIZE))
    assert [held(stream) for stream in streams] == [COST, 0, 2 * COST]
    assert budget.discarded == 1


def test_what_is_wanted_makes_room() -> None:
    budget = BufferBudget(2 * COST, oldest)
    first, second = EarlyMedia(budget, lambda: None), EarlyMedia(budget, lambda: None)
    for stream in (first, second):
        stream.begin(is_video=True)
        stream.add(early_packet(SIZE))
    for_frames, for_packets = first.want(frames=True, packets=True)
    assert len(for_frames) == len(for_packets) == 1
    assert budget.size == COST
    second.add(early_packet(SIZE))
    assert (held(second), budget.discarded) == (2 * COST, 0)


# In a session.


def listening(sources: int, max_early_media_bytes: int) -> tuple[SrtpSession, RtpSession]:
    """Return what encrypts for a session of which nobody reads anything yet, and the session."""
    srtp, peer = srtp_pair()
    session = make_session(2, RtpOptions(max_early_media_bytes=max_early_media_bytes))
    session.set_keys(peer, 0.0)
    ssrcs = dict.fromkeys(range(5000, 5000 + sources))
    section = received(video_section(VP8, extensions={}), ssrcs=ssrcs, repairs={}, corrections={})
    session.set_sections([], [section], 0.0)
    return srtp, session


def send(srtp: SrtpSession, session: RtpSession, ssrc: int, number: int, now: float) -> None:
    payload = b"\x10" + vp8_payload(0, SIZE, keyframe=not number)[: SIZE - 1]
    packet = RtpPacket(96, number, 3000 * number, ssrc, payload, marker=True)
    session.receive([srtp.protect(packet.encode())], now)


def test_a_flood_of_sources_keeps_no_more_than_the_bound() -> None:
    srtp, session = listening(200, 20 * COST)
    for number in range(3):
        for ssrc in range(5000, 5200):
            send(srtp, session, ssrc, number, 0.01 * number)
    assert len(list(session.receiving.streams)) == 200
    session.events()
    # After the first round the last 20 are left. Their second packets drop the ten oldest, the third ones four more.
    assert session.counters()["rtp"]["early_media_dropped"] == 194
    session.set_demand(VIDEO, frames=False, packets=True)
    kept = [event for event in session.events() if isinstance(event, PacketsReceived)]
    assert [len(event.packets) for event in kept] == [3] * 6


def test_a_stream_that_lost_its_early_media_requests_nothing_until_it_is_wanted() -> None:
    srtp, session = listening(2, 2 * COST)
    send(srtp, session, 5000, 0, 0.0)
    send(srtp, session, 5001, 0, 0.01)
    send(srtp, session, 5001, 1, 0.02)
    first, second = session.receiving.streams
    assert "nack_requested" not in first.repair_counters()
    assert "nack_requested" in second.repair_counters()
    session.events()
    session.set_demand(VIDEO, frames=True, packets=False)
    session.receive([], 0.03)
    assert first.take_keyframe_request(0.03)
    assert not second.take_keyframe_request(0.03)


def test_a_stream_that_ends_makes_room() -> None:
    srtp, session = listening(2, 2 * COST)
    send(srtp, session, 5000, 0, 0.0)
    session.handle_timer(RtpOptions().source_timeout + 1)
    assert not list(session.receiving.streams)
    send(srtp, session, 5001, 0, 100.0)
    send(srtp, session, 5001, 1, 100.1)
    assert session.counters()["rtp"]["early_media_dropped"] == 0
