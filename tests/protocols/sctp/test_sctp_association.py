"""The public interface of an association: calls in each state, packets sent and events."""

import random

import pytest

from tests.strategies.sctp_packets import (
    deliver_to_right,
    dropped,
    header_from_left,
    init_of,
    make_pair,
    pair_with_unread_messages,
    receive,
    to_right,
)
from tests.strategies.sctp_pair import (
    COOKIE_ECHO,
    DATA,
    ERROR,
    HEARTBEAT,
    INIT,
    INIT_ACK,
    RE_CONFIG,
    SACK,
    SHUTDOWN_COMPLETE,
    SctpPair,
    chunk_kinds,
)
from tests.strategies.sctp_peer import Peer
from trio_rtc.errors import InvalidStateError, OperationError
from trio_rtc.protocols.sctp import Association, BufferedAmountLow, SctpOptions
from trio_rtc.protocols.sctp.packet.chunks import (
    CookieAck,
    Heartbeat,
    HeartbeatAck,
    Init,
    InitAck,
    Sack,
    ShutdownComplete,
    encode_chunk,
    parse_chunk,
)
from trio_rtc.protocols.sctp.packet.data import BEGIN, DATA_HEADER, END
from trio_rtc.protocols.sctp.packet.header import HEADER_SIZE, add_checksum, encode_packet
from trio_rtc.protocols.sctp.packet.parameters import Parameter


def sacks(packets: list[bytes]) -> list[Sack]:
    """Return the SACKs of packets that have nothing else."""
    found = [parse_chunk(packet, HEADER_SIZE)[0] for packet in packets if chunk_kinds(packet) == [SACK]]
    assert len(found) == len(packets)
    return [chunk for chunk in found if isinstance(chunk, Sack)]


def init_chunk(kind: int) -> bytes:
    return (Init if kind == INIT else InitAck)(7, 100_000, 10, 10, 1).encode()


@pytest.mark.parametrize("retained", [False, True])
def test_receiving_messages_opens_the_window_at_once(retained: bool) -> None:
    """Although nothing else may be sent; retained messages are charged until they are released."""
    pair = pair_with_unread_messages()
    right = pair.right.association
    assert right.peek_payload_protocol(3) == 51
    assert right.peek_payload_protocol(4) is None
    assert not right.acknowledgement_due
    if retained:
        message = right.retain_message(3)
        assert message == (51, bytes(5000))
        assert right.statistics().receive_window < 11_000
        assert right.datagrams_to_send(pair.now) == []
        right.release_message(message)
    else:
        assert right.receive_message(3) == (51, bytes(5000))
    assert right.acknowledgement_due
    (sack,) = sacks(right.datagrams_to_send(pair.now))
    assert sack.advertised_receiver_window == right.statistics().receive_window > 14_000
    assert not right.acknowledgement_due
    assert right.datagrams_to_send(pair.now) == []


def test_a_small_message_received_causes_no_window_update() -> None:
    pair = pair_with_unread_messages()
    right = pair.right.association
    pair.lost = lambda sender, packet: False
    pair.left.association.send(4, 51, b"small", pair.now)
    pair.run_for(1)
    assert right.receive_message(4) == (51, b"small")
    assert not right.acknowledgement_due
    message = right.retain_message(3)
    assert message is not None
    assert right.retain_message(9) is None


def test_before_the_handshake_there_are_no_messages() -> None:
    association = Association(SctpOptions(), rng=random.Random(1))
    assert association.receive_message(1) is None
    assert association.retain_message(1) is None
    assert association.peek_payload_protocol(1) is None
    assert not association.acknowledgement_due
    association.release_message((51, b"never received"))
    association.path_restored(0.0)
    assert association.datagrams_to_send(0.0) == []


def test_messages_can_be_received_and_released_after_the_end() -> None:
    pair = pair_with_unread_messages()
    right = pair.right.association
    right.close(pair.now)
    assert right.peek_payload_protocol(3) == 51
    message = right.retain_message(3)
    assert message == (51, bytes(5000))
    right.release_message(message)
    assert right.receive_message(3) == (51, bytes(5000))
    assert right.receive_message(3) is None


def test_the_send_buffer_has_its_configured_size() -> None:
    association = Association(SctpOptions(send_buffer_size=1000), rng=random.Random(1))
    association.send(1, 51, bytes(600), 0.0)
    with pytest.raises(OperationError, match="600 of 1000 bytes are queued, no room for 401"):
        association.send(2, 51, bytes(401), 0.0)
    association.send(2, 51, bytes(400), 0.0)
    assert association.total_buffered == 1000
    assert [association.buffered_amount(stream) for stream in (1, 2, 3)] == [600, 400, 0]


def test_the_buffered_amount_is_low_at_its_threshold() -> None:
    pair = SctpPair().connect()
    left = pair.left.association
    left.set_buffered_amount_low_threshold(1, 100_000)
    left.send(1, 51, bytes(200_000), pair.now)
    left.send(2, 51, bytes(200_000), pair.now)
    low: dict[int, int] = {}
    while len(low) < 2:
        pair.step()
        for event in pair.left.events:
            if isinstance(event, BufferedAmountLow):
                low.setdefault(event.stream_id, left.buffered_amount(event.stream_id))
    assert 0 < low[1] <= 100_000
    assert low[2] == 0
    assert pair.left.events.count(BufferedAmountLow(1)) == pair.left.events.count(BufferedAmountLow(2)) == 1


def test_data_that_shares_the_path_with_media_has_a_window_of_two_packets() -> None:
    """Until it has measured the round trip; without media, the congestion window is the only one."""
    pair = SctpPair().connect()
    left = pair.left.association
    before = left.statistics().congestion_window
    assert not left.share_path(1e6, pair.now)
    assert left.statistics().congestion_window == 2 * (1160 - 12)
    left.send(1, 51, bytes(100_000), pair.now)
    assert len(left.datagrams_to_send(pair.now)) == 2
    assert left.datagrams_to_send(pair.now) == []
    assert not left.share_path(2e6, pair.now)
    assert left.datagrams_to_send(pair.now) == []
    assert left.share_path(None, pair.now)
    assert left.statistics().congestion_window == before
    assert len(left.datagrams_to_send(pair.now)) == 8


def test_losses_of_an_outage_are_retransmitted_when_the_path_is_restored() -> None:
    pair = SctpPair().connect()
    pair.lost = lambda sender, packet: True
    left = pair.left.association
    left.send(1, 51, b"lost", pair.now)
    pair.run_for(10)
    assert left.next_timer() - pair.now > 1
    assert left.datagrams_to_send(pair.now) == []
    left.path_restored(pair.now)
    (packet,) = left.datagrams_to_send(pair.now)
    assert chunk_kinds(packet) == [DATA]
    # The timeout is the measured one again, and nothing more leaves before it.
    left.path_restored(pair.now)
    assert left.next_timer() == pytest.approx(pair.now + 0.5, abs=0.5)


def test_a_reset_leaves_at_once_although_data_is_delayed() -> None:
    pair = pair_with_unread_messages()
    right = pair.right.association
    right.reset_streams([7], pair.now)
    (packet,) = right.datagrams_to_send(pair.now)
    assert chunk_kinds(packet) == [RE_CONFIG]


# Rejected packets and chunks.


@pytest.mark.parametrize("size", [1, 2, 3, 5, 6, 7])
def test_a_packet_that_is_no_multiple_of_four_is_dropped(size: int) -> None:
    pair = SctpPair().connect()
    packet = encode_packet(header_from_left(pair), [Heartbeat(b"x").encode(), bytes(size)])
    pair.right.association.receive([add_checksum(packet[:8] + bytes(4) + packet[12:])], pair.now)
    assert pair.right.association.statistics().dropped == {"malformed": 1}
    assert pair.right.association.datagrams_to_send(pair.now) == [], "none of its chunks counts"


@pytest.mark.parametrize("kind", [INIT, INIT_ACK, SHUTDOWN_COMPLETE])
@pytest.mark.parametrize("first", [False, True])
def test_chunks_that_must_not_be_bundled_are_dropped_in_bundles(kind: int, first: bool) -> None:
    """RFC 9260 section 6.10; the chunks before it are processed."""
    pair = SctpPair(SctpOptions(zero_checksum=False)).connect()
    alone = encode_chunk(kind, 0, b"" if kind == SHUTDOWN_COMPLETE else bytes.fromhex("00000001") * 4)
    heartbeat = Heartbeat(b"x").encode()
    answers = deliver_to_right(pair, *([alone, heartbeat] if first else [heartbeat, alone]))
    assert len(answers) == (not first)
    reason = "verification tag" if first and kind == INIT else "bundled"
    assert pair.right.association.statistics().dropped == {reason: 1}
    assert pair.is_connected


def test_data_for_streams_that_do_not_exist_is_reported() -> None:
    """RFC 9260 section 6.5: with cause 1, and acknowledged all the same."""
    pair = SctpPair(SctpOptions(initial_tsn=10), SctpOptions(inbound_streams=4, initial_tsn=20)).connect()
    for index, stream in enumerate((3, 4, 65535)):
        data = DATA_HEADER.pack(0, BEGIN | END, 17, 10 + index, stream, 0, 51) + b"x\0\0\0"
        answers = deliver_to_right(pair, data)
        reports = [
            parse_chunk(packet, HEADER_SIZE + 16)[0].encode()[4:]
            for packet in answers
            if chunk_kinds(packet) == [SACK, ERROR]
        ]
        expected = Parameter(1, stream.to_bytes(2, "big") + bytes(2)).encode()
        assert reports == ([] if stream == 3 else [expected])
    assert pair.right.association.statistics().chunks_received == 3


def test_early_messages_on_streams_that_the_peer_has_not() -> None:
    peer = Peer()
    for stream in (9, 10):
        peer.association.send(stream, 51, bytes(100), peer.now)
    tag, echo = peer.send_init(7, 20)
    ((_, answer),) = peer.send(tag, echo)
    assert len(answer) == 4 + 116, "COOKIE ACK, and the message on the last stream"
    assert peer.association.total_buffered == 0
    assert peer.association.buffered_amount(10) == 0


def test_streams_are_not_reset_before_the_association_is_established() -> None:
    # The number of streams is not final before that: a stream that is being reset could be removed.
    pair = SctpPair(lost=lambda sender, packet: COOKIE_ECHO in chunk_kinds(packet))
    pair.left.association.connect(pair.now)
    pair.run_for(0.1)
    assert pair.kinds_sent(0)[COOKIE_ECHO] == 1
    with pytest.raises(InvalidStateError, match="needs an established association"):
        pair.left.association.reset_streams([1], pair.now)


def test_unknown_chunks_are_handled_by_their_high_bits() -> None:
    pair = SctpPair().connect()
    pair.run_for(1)
    tag = pair.wire[-1][1][4:8] if pair.wire[-1][0] == 0 else None
    if tag is None:
        tag = next(packet[4:8] for sender, packet in reversed(pair.wire) if sender == 0)
    heartbeat = b"\x04\x00\x00\x0c\x00\x01\x00\x08\x01\x02\x03\x04"
    for kind, reported, goes_on in (
        (0x3F, False, False),
        (0x7F, True, False),
        (0xBF, False, True),
        (0xFF, True, True),
    ):
        packet = b"\x13\x88\x13\x88" + tag + bytes(4) + bytes([kind, 0, 0, 8]) + b"what" + heartbeat
        pair.right.association.receive([packet], pair.now)
        kinds = [
            found
            for answer in pair.right.association.datagrams_to_send(pair.now)
            for found in chunk_kinds(answer)
        ]
        assert kinds == [ERROR] * reported + [5] * goes_on


# Chunks that must not be bundled (RFC 9260 section 6.10).


@pytest.mark.parametrize("before", [Heartbeat(b"").encode(), CookieAck().encode()])
@pytest.mark.parametrize("kind", [INIT, INIT_ACK, SHUTDOWN_COMPLETE])
def test_an_init_that_is_not_first_in_its_packet_is_discarded(kind: int, before: bytes) -> None:
    pair = make_pair().connect()
    tag = init_of(pair, 1).initiate_tag
    bundled = ShutdownComplete().encode() if kind == SHUTDOWN_COMPLETE else init_chunk(kind)
    answers = receive(pair, to_right(tag, before, bundled, Heartbeat(b"behind").encode()))
    # Chunks before it are processed, chunks after it are not.
    expected = [HeartbeatAck.kind] if before[0] == HEARTBEAT else []
    assert [kind for answer in answers for kind in chunk_kinds(answer)] == expected
    assert dropped(pair, "bundled") == 1
    assert not pair.right.association.closed


@pytest.mark.parametrize(
    "behind", [Heartbeat(b"").encode(), CookieAck().encode(), encode_chunk(0x80, 0, b"")]
)
def test_an_init_followed_by_another_chunk_is_discarded(behind: bytes) -> None:
    pair = make_pair()
    assert receive(pair, to_right(0, init_chunk(INIT), behind)) == []
    assert dropped(pair, "bundled") == 1
    (answer,) = receive(pair, to_right(0, init_chunk(INIT)))
    assert chunk_kinds(answer) == [INIT_ACK]


def test_counters_of_packets() -> None:
    pair = make_pair().connect()
    right = pair.right.association
    before = right.statistics()
    tag = init_of(pair, 1).initiate_tag
    heartbeat = to_right(tag, Heartbeat(b"nonce").encode())
    right.receive([heartbeat, b"short", heartbeat[:-1], to_right(tag, b"\x04\0\0\x03"), heartbeat], pair.now)
    assert len(right.datagrams_to_send(pair.now)) == 1
    after = right.statistics()
    assert after.packets_received - before.packets_received == 5
    assert after.packets_sent - before.packets_sent == 1
    assert after.dropped == {"malformed": 3}
