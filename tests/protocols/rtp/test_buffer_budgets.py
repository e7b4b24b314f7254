"""The buffers of a session never exceed their bound together, and video continues after it was reached."""

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
from tests.strategies.toy_video import ToyDepacketizer, toy_packet, toy_payloads
from trio_rtc.protocols.rtp import FramesReceived, PacketsReceived, RtpOptions, RtpPacket, RtpSession
from trio_rtc.protocols.rtp.buffer_budget import (
    PACKET_OVERHEAD,
    BufferBudget,
    ReceiveBudgets,
    largest,
)
from trio_rtc.protocols.rtp.fec.decoder import FecDecoder
from trio_rtc.protocols.rtp.fec.fec_packet import FecPacket, media_bits, media_key
from trio_rtc.protocols.rtp.options import FecOptions
from trio_rtc.protocols.rtp.receive.stream import RtpReceiveStream
from trio_rtc.protocols.rtp.receive.video.frame_assembler import FrameAssembler
from trio_rtc.protocols.srtp import SrtpSession

SIZE = 1000
"""Bytes of the payload of a packet."""
COST = SIZE + PACKET_OVERHEAD
ASSEMBLY = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.sampled_from(["packet", "packet", "packet", "frames", "end"]),
        st.integers(0, 60),
        st.integers(0, 2),
    ),
    max_size=150,
)


@given(operations=ASSEMBLY, bound=st.integers(0, 15_000))
def test_packets_of_incomplete_frames_are_within_the_bound_after_each_batch(operations, bound) -> None:
    budget = BufferBudget(bound, largest)
    assemblers = [FrameAssembler(ToyDepacketizer(), budget=budget) for _ in range(5)]
    batch = 0
    for time, (which, operation, number, part) in enumerate(operations):
        assembler = assemblers[which]
        if operation == "packet":
            payload = toy_payloads(number, 3, key=not number % 5)[part]
            packet = toy_packet(payload, marker=part == 2)
            assembler.insert(3 * number + part, 3000 * number, packet, time / 20)
            batch += len(payload) + PACKET_OVERHEAD
        elif operation == "frames":
            for each in assemblers:
                each.frames(time / 20)
            batch = 0
        else:
            assembler.end()
        size = sum(each._buffer.size + PACKET_OVERHEAD * each.buffered for each in assemblers)
        assert budget.size <= bound
        assert size <= bound + batch
        if operation == "frames":
            assert budget.size == size


def test_a_frame_that_is_complete_when_its_batch_ends_takes_no_room() -> None:
    cost = len(toy_payloads(0, 1)[0]) + PACKET_OVERHEAD
    budget = BufferBudget(4 * cost, largest)
    waiting, complete = (FrameAssembler(ToyDepacketizer(), budget=budget) for _ in range(2))
    for number, payload in enumerate(toy_payloads(0, 4, key=True)[:3]):
        waiting.insert(number, 0, toy_packet(payload), 0.0)
    assert waiting.frames(0.0) == []
    for number, payload in enumerate(toy_payloads(0, 4, key=True)):
        complete.insert(number, 0, toy_packet(payload, marker=number == 3), 0.0)
    assert len(complete.frames(0.0)) == 1
    assert (waiting.buffered, budget.size) == (3, 3 * cost)


def test_packets_that_were_removed_since_the_last_batch_can_be_discarded() -> None:
    cost = len(toy_payloads(0, 1)[0]) + PACKET_OVERHEAD
    budget = BufferBudget(2 * cost, largest)
    restarted, other = (FrameAssembler(ToyDepacketizer(), budget=budget) for _ in range(2))
    for assembler in (restarted, other):
        for number, payload in enumerate(toy_payloads(0, 3, key=True)[:2]):
            assembler.insert(number, 0, toy_packet(payload), 0.0)
        if assembler is restarted:
            assembler.frames(0.0)
            assembler.restart_at_keyframe(0.0)
            assert assembler.buffered == 0
    assert other.frames(0.0) == []
    assert (other.buffered, budget.size, restarted.counters.overflows) == (2, 2 * cost, 0)


def test_the_stream_that_keeps_most_begins_again_at_a_keyframe() -> None:
    cost = len(toy_payloads(0, 1)[0]) + PACKET_OVERHEAD
    budget = BufferBudget(4 * cost, largest)
    greedy, modest = (FrameAssembler(ToyDepacketizer(), budget=budget) for _ in range(2))

    def insert(assembler: FrameAssembler, number: int, payload: bytes, *, marker: bool = False) -> None:
        assembler.insert(number, 0, toy_packet(payload, marker=marker), 0.0)

    for number, payload in enumerate(toy_payloads(0, 4, key=True)[:3]):
        insert(greedy, number, payload)
    assert greedy.frames(0.0) == []
    first, second, third = toy_payloads(0, 3, key=True)
    insert(modest, 0, first)
    insert(modest, 1, second)
    assert modest.frames(0.0) == []
    insert(modest, 2, third, marker=True)
    assert (greedy.buffered, greedy.counters.overflows, greedy.counters.dropped) == (0, 1, 1)
    assert len(modest.frames(0.0)) == 1
    assert not modest.take_keyframe_request()
    assert greedy.frames(0.0) == []
    assert greedy.take_keyframe_request()
    insert(greedy, 2, toy_payloads(0, 4, key=True)[3], marker=True)
    assert greedy.counters.late == 1
    for number, payload in enumerate(toy_payloads(1, 2, key=True), start=3):
        greedy.insert(number, 3000, toy_packet(payload, marker=number == 4), 0.1)
    assert len(greedy.frames(0.1)) == 1
    assert budget.size == 0


def test_complete_frames_that_wait_are_shown_when_there_are_too_many_bytes() -> None:
    options = RtpOptions(max_held_bytes=3000)
    budgets = ReceiveBudgets(options)
    streams = [RtpReceiveStream(VIDEO, ssrc, None, options, budgets=budgets) for ssrc in (1, 2)]
    shown: list[list[int]] = []
    for stream in streams:
        stream.set_demand(frames=True, packets=False, min_delay=4.0)
        numbers = []
        for number in range(5):
            payload = b"\x10" + vp8_payload(number, SIZE, keyframe=not number)[: SIZE - 1]
            packet = RtpPacket(96, number, 3000 * number, stream.ssrc, payload, marker=True)
            stream.receive(packet, VP8, SIZE, number / 30)
            numbers.append(len(stream.frames(number / 30)))
            assert budgets.held.size <= 3000
        shown.append(numbers)
    # Three of the first stream fit; there is no room for those of the second.
    assert shown == [[0, 0, 0, 1, 1], [1] * 5]
    for stream in streams:
        stream.end()
    assert budgets.held.size == 0


def protected(number: int, ssrc: int, size: int) -> bytes:
    return RtpPacket(96, number, 3000 * number, ssrc, bytes([number]) * size).encode()


def repair_of(packets: list[bytes]) -> FecPacket:
    bits = 0
    for data in packets:
        bits ^= media_bits(data)
    return FecPacket([media_key(data) for data in packets], bits, max(map(len, packets)) - 12)


CORRECTION = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from(["media", "media", "repair", "discard"]),
        st.lists(st.integers(0, 40), min_size=1, max_size=8, unique=True),
    ),
    max_size=120,
)


@given(operations=CORRECTION, bound=st.integers(0, 20_000))
def test_packets_kept_for_error_correction_never_exceed_the_bound(operations, bound) -> None:
    budget = BufferBudget(bound, largest)
    options = FecOptions(max_packets=20, max_repairs=4)
    decoders = [FecDecoder(options, budget=budget) for _ in range(4)]
    for which, operation, numbers in operations:
        decoder = decoders[which]
        packets = [protected(number, which, 10 * number) for number in numbers]
        if operation == "media":
            decoder.media_received(packets[0])
        elif operation == "repair":
            for data in decoder.fec_received(repair_of(packets)):
                assert data in packets
        else:
            decoder.discard()
        media = sum(len(data) + PACKET_OVERHEAD for each in decoders for data in each._media.values())
        repairs = sum(cost for each in decoders for cost in each._pending.values())
        assert budget.size == media + repairs <= bound
        assert all(each._pending or not each._waiting for each in decoders)
        assert decoder.unused <= decoder.fec_packets


def test_fec_packets_with_many_missing_count_their_table_entries() -> None:
    """Each packet that an FEC packet names is a table entry, much larger than the FEC packet itself."""
    budget = BufferBudget(1 << 20, largest)
    decoder = FecDecoder(budget=budget)
    decoder.fec_received(repair_of([protected(number, 1, 10) for number in range(48)]))
    assert budget.size > 48 * 256
    decoder.discard()
    assert (budget.size, decoder.unused) == (0, 1)


def listening(sources: int, max_early_media_bytes: int, **options: int) -> tuple[SrtpSession, RtpSession]:
    """Return the peer's SRTP session and a receiving session without demand."""
    srtp, peer = srtp_pair()
    session = make_session(2, RtpOptions(max_early_media_bytes=max_early_media_bytes, **options))
    session.set_keys(peer, 0.0)
    ssrcs = dict.fromkeys(range(5000, 5000 + sources))
    section = received(video_section(VP8, extensions={}), ssrcs=ssrcs, rtx_ssrcs={}, fec_ssrcs={})
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
    assert len(list(session.receiver.streams)) == 200
    session.events()
    # After the first round the last 20 are left. Their second packets drop the ten oldest, the third ones four more.
    assert session.counters()["rtp"]["early_media_dropped"] == 194
    session.set_demand(VIDEO, frames=False, packets=True)
    kept = [event for event in session.events() if isinstance(event, PacketsReceived)]
    assert [len(event.packets) for event in kept] == [3] * 6


def test_a_stream_that_dropped_its_early_media_requests_nothing_without_demand() -> None:
    srtp, session = listening(2, 2 * COST)
    send(srtp, session, 5000, 0, 0.0)
    send(srtp, session, 5001, 0, 0.01)
    send(srtp, session, 5001, 1, 0.02)
    first, second = session.receiver.streams
    assert "nack_requested" not in first.loss_counters()
    assert "nack_requested" in second.loss_counters()
    session.events()
    session.set_demand(VIDEO, frames=True, packets=False)
    session.receive([], 0.03)
    assert first.take_keyframe_request(0.03)
    assert not second.take_keyframe_request(0.03)


def test_a_flood_of_incomplete_frames_keeps_no_more_than_the_bound_and_heals() -> None:
    bound = 30 * COST
    srtp, session = listening(50, 0, max_assembly_bytes=bound)
    session.set_demand(VIDEO, frames=True, packets=False)
    for number in range(5):
        for ssrc in range(5000, 5050):
            # Without a first packet that begins a keyframe, none of it can be used.
            send(srtp, session, ssrc, number + 1, 0.001 * number)
            kept = [stream.pipeline.assembler for stream in session.receiver.streams]
            assert sum(each._buffer.size + PACKET_OVERHEAD * each.buffered for each in kept) <= bound
    assert session.counters()["rtp"]["assembly_dropped"] > 0
    session.events()
    # The first of these keyframes arrives without room, and its stream is the largest.
    for number in (100, 101):
        for ssrc in range(5000, 5050):
            payload = b"\x10" + vp8_payload(0, SIZE, keyframe=True)
            packet = RtpPacket(96, number, 900 * number, ssrc, payload, marker=True)
            session.receive([srtp.protect(packet.encode())], number / 100)
    received_frames = [event for event in session.events() if isinstance(event, FramesReceived)]
    assert {each.ssrc for event in received_frames for each in event.frames} == set(range(5000, 5050))


def test_a_stream_that_ends_makes_room() -> None:
    srtp, session = listening(2, 2 * COST)
    send(srtp, session, 5000, 0, 0.0)
    session.handle_timer(RtpOptions().source_timeout + 1)
    assert not list(session.receiver.streams)
    send(srtp, session, 5001, 0, 100.0)
    send(srtp, session, 5001, 1, 100.1)
    assert session.counters()["rtp"]["early_media_dropped"] == 0
