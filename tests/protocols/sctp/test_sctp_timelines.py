"""Whole exchanges, packet by packet: the times, chunks and fields that follow from the specification and the options.

A line is the time in milliseconds, the direction, and the chunks: ``DATA`` with its TSN, flags, stream, SSN and bytes,
``SACK`` with its cumulative TSN, window, and gap blocks.
"""

from typing import Any

import attrs

from tests.strategies.sctp_pair import (
    COOKIE_ACK,
    DATA,
    HEARTBEAT,
    INIT,
    RE_CONFIG,
    SHUTDOWN_COMPLETE,
    Endpoint,
    Filter,
    LoseNth,
    SctpPair,
    chunk_kinds,
    lose_nothing,
)
from tests.strategies.sctp_timeline import Timeline
from trio_rtc.protocols.sctp import SctpOptions


def make_pair(lost: Filter = lose_nothing, **options: Any) -> SctpPair:
    """Return a pair with a round trip of 100 ms, whose first TSNs are 100 and 900."""
    left, right = (SctpOptions(initial_tsn=tsn, **options) for tsn in (100, 900))
    return SctpPair(left, right, delay=0.05, lost=lost)


def figures(end: Endpoint) -> dict[str, object]:
    """Return the statistics of a side, times to the microsecond."""
    statistics = attrs.asdict(end.association.statistics())
    return {
        name: round(value, 6) if isinstance(value, float) else value for name, value in statistics.items()
    }


def lose_everything(sender: int, packet: bytes) -> bool:
    return True


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()]


def test_life_without_loss() -> None:
    pair = make_pair()
    timeline = Timeline(pair)
    pair.connect(both=False)
    pair.left.association.send(1, 51, bytes(10), pair.now)
    pair.run_for(1)
    pair.right.association.send(1, 51, bytes(3000), pair.now)
    pair.run_for(1)
    pair.left.association.reset_streams([1], pair.now)
    pair.run_for(1)
    pair.left.association.shutdown(pair.now)
    pair.run_for(5)
    assert timeline.new_lines() == lines(
        """
        0 > INIT 100 4194304 65535/65535 c000 8008 8001
        50 < INIT ACK 900 4194304 65535/65535 7 c000 8008 8001
        100 > COOKIE ECHO
        150 < COOKIE ACK
        200 > DATA 100 BE 1/0 10
        250 < SACK 100 4194194
        1200 < DATA 900 B 1/0 1132
        1200 < DATA 901  1/0 1132
        1200 < DATA 902 E 1/0 736
        1250 > SACK 902 4191204
        2200 > RE-CONFIG request 100 after 899 from 100: 1
        2250 < RE-CONFIG response 100: 1
        3200 > SHUTDOWN 902
        3250 < SHUTDOWN ACK
        3300 > SHUTDOWN COMPLETE
        """
    )
    assert figures(pair.left) == {
        "packets_sent": 7,
        "packets_received": 8,
        "chunks_sent": 1,
        "chunks_received": 3,
        "chunks_retransmitted": 0,
        "bytes_sent": 28,
        "bytes_received": 3000,
        "messages_abandoned": 0,
        "dropped": {},
        "congestion_window": 11480,
        "flight_size": 0,
        "peer_window": 4194194,
        "receive_window": 4194304,
        "smoothed_round_trip": 0.1,
        "retransmission_timeout": 0.32,
    }
    assert figures(pair.right) == {
        "packets_sent": 8,
        "packets_received": 7,
        "chunks_sent": 3,
        "chunks_received": 1,
        "chunks_retransmitted": 0,
        "bytes_sent": 3048,
        "bytes_received": 10,
        "messages_abandoned": 0,
        "dropped": {},
        "congestion_window": 11480,
        "flight_size": 0,
        "peer_window": 4191204,
        "receive_window": 4194304,
        "smoothed_round_trip": 0.1,
        "retransmission_timeout": 0.32,
    }


def test_crossing_handshakes_and_shutdowns() -> None:
    pair = make_pair()
    timeline = Timeline(pair)
    pair.left.association.send(1, 51, b"early", pair.now)
    pair.connect()
    pair.run_for(1)
    pair.left.association.shutdown(pair.now)
    pair.right.association.shutdown(pair.now)
    pair.run_for(1)
    assert timeline.new_lines() == lines(
        """
        0 > INIT 100 4194304 65535/65535 c000 8008 8001
        0 < INIT 900 4194304 65535/65535 c000 8008 8001
        50 > INIT ACK 100 4194304 65535/65535 7 c000 8008 8001
        50 < INIT ACK 900 4194304 65535/65535 7 c000 8008 8001
        100 > COOKIE ECHO, DATA 100 BE 1/0 5
        100 < COOKIE ECHO
        150 > COOKIE ACK
        150 < COOKIE ACK, SACK 100 4194199
        1150 > SHUTDOWN 899
        1150 < SHUTDOWN 100
        1200 > SHUTDOWN ACK
        1200 < SHUTDOWN ACK
        1250 > SHUTDOWN COMPLETE
        1250 < SHUTDOWN COMPLETE
        """
    )


def test_lost_inits() -> None:
    """T1-init begins at 0.5 s and doubles; the third INIT has no optional parameter."""
    pair = make_pair(LoseNth(0, INIT, 0, 1, 2))
    timeline = Timeline(pair)
    pair.connect(both=False)
    assert timeline.new_lines() == lines(
        """
        0 > lost INIT 100 4194304 65535/65535 c000 8008 8001
        500 > lost INIT 100 4194304 65535/65535 c000 8008 8001
        1500 > lost INIT 100 4194304 65535/65535 c000 8008
        3500 > INIT 100 4194304 65535/65535 c000 8008
        3550 < INIT ACK 900 4194304 65535/65535 7 c000 8008
        3600 > COOKIE ECHO
        3650 < COOKIE ACK
        """
    )


def test_unanswered_init() -> None:
    """T1-init doubles up to 3 s; the set-up fails after 27.5 s."""
    pair = make_pair(lose_everything)
    timeline = Timeline(pair)
    pair.left.association.connect(pair.now)
    pair.run_for(60)
    assert timeline.new_lines() == lines(
        """
        0 > lost INIT 100 4194304 65535/65535 c000 8008 8001
        500 > lost INIT 100 4194304 65535/65535 c000 8008 8001
        1500 > lost INIT 100 4194304 65535/65535 c000 8008
        3500 > lost INIT 100 4194304 65535/65535 c000 8008
        6500 > lost INIT 100 4194304 65535/65535 c000 8008
        9500 > lost INIT 100 4194304 65535/65535 c000 8008
        12500 > lost INIT 100 4194304 65535/65535 c000 8008
        15500 > lost INIT 100 4194304 65535/65535 c000 8008
        18500 > lost INIT 100 4194304 65535/65535 c000 8008
        21500 > lost INIT 100 4194304 65535/65535 c000 8008
        24500 > lost INIT 100 4194304 65535/65535 c000 8008
        """
    )


def test_lost_cookie_acks() -> None:
    pair = make_pair(LoseNth(1, COOKIE_ACK, 0, 1, 2))
    timeline = Timeline(pair)
    pair.left.association.send(1, 51, b"early", pair.now)
    pair.left.association.connect(pair.now)
    pair.run_for(10)
    assert timeline.new_lines() == lines(
        """
        0 > INIT 100 4194304 65535/65535 c000 8008 8001
        50 < INIT ACK 900 4194304 65535/65535 7 c000 8008 8001
        100 > COOKIE ECHO, DATA 100 BE 1/0 5
        150 < lost COOKIE ACK, SACK 100 4194199
        600 > COOKIE ECHO, DATA 100 BE 1/0 5
        650 < lost COOKIE ACK, SACK 100 4194304 twice 100
        1600 > COOKIE ECHO
        1650 < lost COOKIE ACK
        3600 > COOKIE ECHO
        3650 < COOKIE ACK
        3700 > DATA 100 BE 1/0 5
        3750 < SACK 100 4194304 twice 100
        """
    )
    assert figures(pair.left) == {
        "packets_sent": 6,
        "packets_received": 3,
        "chunks_sent": 3,
        "chunks_received": 0,
        "chunks_retransmitted": 2,
        "bytes_sent": 24,
        "bytes_received": 0,
        "messages_abandoned": 0,
        "dropped": {},
        "congestion_window": 1172,
        "flight_size": 0,
        "peer_window": 4194304,
        "receive_window": 4194304,
        "smoothed_round_trip": None,
        "retransmission_timeout": 0.5,
    }


def test_one_lost_packet() -> None:
    """The chunks above it are three reports in one SACK, which makes a fast retransmission."""
    pair = make_pair(LoseNth(0, DATA, 2)).connect(both=False)
    timeline = Timeline(pair)
    pair.left.association.send(1, 51, bytes(8000), pair.now)
    pair.run_for(5)
    assert timeline.new_lines() == lines(
        """
        200 > DATA 100 B 1/0 1132
        200 > DATA 101  1/0 1132
        200 > lost DATA 102  1/0 1132
        200 > DATA 103  1/0 1132
        200 > DATA 104  1/0 1132
        200 > DATA 105  1/0 1132
        200 > DATA 106  1/0 1132
        200 > DATA 107 E 1/0 76
        250 < SACK 101 4186136 +2-6
        300 > DATA 102  1/0 1132
        370 < SACK 107 4194304
        """
    )
    assert figures(pair.left) == {
        "packets_sent": 11,
        "packets_received": 4,
        "chunks_sent": 9,
        "chunks_received": 0,
        "chunks_retransmitted": 1,
        "bytes_sent": 8128,
        "bytes_received": 0,
        "messages_abandoned": 0,
        "dropped": {},
        "congestion_window": 5740,
        "flight_size": 0,
        "peer_window": 4194304,
        "receive_window": 4194304,
        "smoothed_round_trip": 0.1,
        "retransmission_timeout": 0.32,
    }
    assert figures(pair.right) == {
        "packets_sent": 4,
        "packets_received": 10,
        "chunks_sent": 0,
        "chunks_received": 8,
        "chunks_retransmitted": 0,
        "bytes_sent": 0,
        "bytes_received": 8000,
        "messages_abandoned": 0,
        "dropped": {},
        "congestion_window": 11480,
        "flight_size": 0,
        "peer_window": 4194304,
        "receive_window": 4194304,
        "smoothed_round_trip": None,
        "retransmission_timeout": 0.5,
    }


def test_path_that_dies() -> None:
    """T3-rtx doubles up to 10 s, one packet each time; the other side sends HEARTBEATs."""
    pair = make_pair().connect(both=False)
    pair.lost = lose_everything
    timeline = Timeline(pair)
    pair.left.association.send(1, 51, bytes(3000), pair.now)
    pair.run_for(50)
    assert timeline.new_lines() == lines(
        """
        200 > lost DATA 100 B 1/0 1132
        200 > lost DATA 101  1/0 1132
        200 > lost DATA 102 E 1/0 736
        700 > lost DATA 100 B 1/0 1132
        1700 > lost DATA 100 B 1/0 1132
        3700 > lost DATA 100 B 1/0 1132
        7700 > lost DATA 100 B 1/0 1132
        15700 > lost DATA 100 B 1/0 1132
        25700 > lost DATA 100 B 1/0 1132
        30150 < lost HEARTBEAT
        30200 > lost HEARTBEAT
        30650 < lost HEARTBEAT
        31650 < lost HEARTBEAT
        33650 < lost HEARTBEAT
        35700 > lost DATA 100 B 1/0 1132
        37650 < lost HEARTBEAT
        40200 > lost HEARTBEAT
        45650 < lost HEARTBEAT
        45700 > lost DATA 100 B 1/0 1132
        """
    )
    assert figures(pair.left) == {
        "packets_sent": 15,
        "packets_received": 2,
        "chunks_sent": 11,
        "chunks_received": 0,
        "chunks_retransmitted": 8,
        "bytes_sent": 3048,
        "bytes_received": 0,
        "messages_abandoned": 0,
        "dropped": {},
        "congestion_window": 1148,
        "flight_size": 1148,
        "peer_window": 4194304,
        "receive_window": 4194304,
        "smoothed_round_trip": None,
        "retransmission_timeout": 10.0,
    }
    pair.run_for(700)
    timeline.new_lines()
    assert [end.association.closed for end in pair.ends] == [True, True]


def test_lost_heartbeats() -> None:
    """The time for an answer doubles up to the interval (RFC 9260 section 8.3)."""
    pair = make_pair().connect(both=False)
    pair.lost = lambda sender, packet: HEARTBEAT in chunk_kinds(packet)
    timeline = Timeline(pair)
    pair.run_for(100)
    assert timeline.new_lines() == lines(
        """
        30150 < lost HEARTBEAT
        30200 > lost HEARTBEAT
        30650 < lost HEARTBEAT
        30700 > lost HEARTBEAT
        31650 < lost HEARTBEAT
        31700 > lost HEARTBEAT
        33650 < lost HEARTBEAT
        33700 > lost HEARTBEAT
        37650 < lost HEARTBEAT
        37700 > lost HEARTBEAT
        45650 < lost HEARTBEAT
        45700 > lost HEARTBEAT
        61650 < lost HEARTBEAT
        61700 > lost HEARTBEAT
        91650 < lost HEARTBEAT
        91700 > lost HEARTBEAT
        """
    )


def test_answered_heartbeats() -> None:
    pair = make_pair().connect(both=False)
    timeline = Timeline(pair)
    pair.run_for(65)
    assert timeline.new_lines() == lines(
        """
        30150 < HEARTBEAT
        30200 > HEARTBEAT ACK, HEARTBEAT
        30250 < HEARTBEAT ACK
        60250 < HEARTBEAT
        60300 > HEARTBEAT ACK, HEARTBEAT
        60350 < HEARTBEAT ACK
        """
    )
    assert figures(pair.left) == {
        "packets_sent": 4,
        "packets_received": 6,
        "chunks_sent": 0,
        "chunks_received": 0,
        "chunks_retransmitted": 0,
        "bytes_sent": 0,
        "bytes_received": 0,
        "messages_abandoned": 0,
        "dropped": {},
        "congestion_window": 11480,
        "flight_size": 0,
        "peer_window": 4194304,
        "receive_window": 4194304,
        "smoothed_round_trip": 0.1,
        "retransmission_timeout": 0.32,
    }


def test_unanswered_shutdown() -> None:
    """T2-shutdown doubles up to 10 s; after ten retransmissions ABORT ends it."""
    pair = make_pair(heartbeat_interval=0).connect(both=False)
    pair.lost = lose_everything
    timeline = Timeline(pair)
    pair.left.association.shutdown(pair.now)
    pair.run_for(100)
    assert timeline.new_lines() == lines(
        """
        200 > lost SHUTDOWN 899
        700 > lost SHUTDOWN 899
        1700 > lost SHUTDOWN 899
        3700 > lost SHUTDOWN 899
        7700 > lost SHUTDOWN 899
        15700 > lost SHUTDOWN 899
        25700 > lost SHUTDOWN 899
        35700 > lost SHUTDOWN 899
        45700 > lost SHUTDOWN 899
        55700 > lost SHUTDOWN 899
        65700 > lost SHUTDOWN 899
        75700 > lost ABORT
        """
    )


def test_lost_shutdown_complete() -> None:
    """SHUTDOWN ACK is retransmitted until its sender ends, without an error."""
    pair = make_pair(lambda sender, packet: SHUTDOWN_COMPLETE in chunk_kinds(packet)).connect(both=False)
    timeline = Timeline(pair)
    pair.left.association.shutdown(pair.now)
    pair.run_for(100)
    assert timeline.new_lines() == lines(
        """
        200 > SHUTDOWN 899
        250 < SHUTDOWN ACK
        300 > lost SHUTDOWN COMPLETE
        750 < SHUTDOWN ACK
        1750 < SHUTDOWN ACK
        3750 < SHUTDOWN ACK
        7750 < SHUTDOWN ACK
        15750 < SHUTDOWN ACK
        25750 < SHUTDOWN ACK
        35750 < SHUTDOWN ACK
        45750 < SHUTDOWN ACK
        55750 < SHUTDOWN ACK
        65750 < SHUTDOWN ACK
        """
    )
    assert pair.right.closed_event().error is None


def test_closed_window() -> None:
    """A reader receives nothing for 5 s: the window closes, is probed, and opens by at least a quarter of it."""
    pair = make_pair(receive_buffer_size=20_000, max_message_size=8000).connect(both=False)
    timeline = Timeline(pair)
    pair.right.reading = False
    for _ in range(4):
        pair.left.association.send(1, 51, bytes(6000), pair.now)
    pair.run_for(5)
    pair.right.pull(1, 1)
    pair.run_for(1)
    pair.right.pull(1, 1)
    pair.run_for(1)
    assert timeline.new_lines() == lines(
        """
        200 > DATA 100 B 1/0 1132
        200 > DATA 101  1/0 1132
        200 > DATA 102  1/0 1132
        200 > DATA 103  1/0 1132
        200 > DATA 104  1/0 1132
        200 > DATA 105 E 1/0 340, DATA 106 B 1/1 776
        200 > DATA 107  1/1 1132
        200 > DATA 108  1/1 1132
        200 > DATA 109  1/1 1132
        200 > DATA 110  1/1 1132
        250 < SACK 110 7796
        300 > DATA 111 E 1/1 696, DATA 112 B 1/2 420
        300 > DATA 113  1/2 1132
        300 > DATA 114  1/2 1132
        300 > DATA 115  1/2 1132
        300 > DATA 116  1/2 1132
        300 > DATA 117 E 1/2 1052
        350 < SACK 117 1700
        400 > DATA 118 B 1/3 1132
        470 < SACK 118 0
        842.5 > DATA 119  1/3 1132
        912.5 < SACK 119 0
        1287.2 > DATA 120  1/3 1132
        1337.2 < SACK 119 0
        1936.6 > DATA 120  1/3 1132
        1986.6 < SACK 119 0
        3235.3 > DATA 120  1/3 1132
        3285.3 < SACK 119 0
        5200 < SACK 119 5036
        5250 > DATA 120  1/3 1132
        5250 > DATA 121  1/3 1132
        5250 > DATA 122  1/3 1132
        5250 > DATA 123 E 1/3 340
        5300 < SACK 123 1700
        6200 < SACK 123 7800
        """
    )
    assert figures(pair.left) == {
        "packets_sent": 27,
        "packets_received": 12,
        "chunks_sent": 27,
        "chunks_received": 0,
        "chunks_retransmitted": 3,
        "bytes_sent": 24384,
        "bytes_received": 0,
        "messages_abandoned": 0,
        "dropped": {},
        "congestion_window": 22960,
        "flight_size": 0,
        "peer_window": 7800,
        "receive_window": 20000,
        "smoothed_round_trip": 0.104102,
        "retransmission_timeout": 0.324102,
    }
    assert figures(pair.right) == {
        "packets_sent": 12,
        "packets_received": 27,
        "chunks_sent": 0,
        "chunks_received": 24,
        "chunks_retransmitted": 0,
        "bytes_sent": 0,
        "bytes_received": 24000,
        "messages_abandoned": 0,
        "dropped": {"receive buffer full": 3},
        "congestion_window": 11480,
        "flight_size": 0,
        "peer_window": 20000,
        "receive_window": 7800,
        "smoothed_round_trip": None,
        "retransmission_timeout": 0.5,
    }


def test_messages_with_limits() -> None:
    """Only the message without limits is still sent when the path is restored; the others are skipped."""
    pair = make_pair(lambda sender, packet: DATA in chunk_kinds(packet) and len(packet) > 1000).connect(
        both=False
    )
    timeline = Timeline(pair)
    pair.left.association.send(1, 51, bytes(1100), pair.now, max_retransmits=0)
    pair.left.association.send(2, 51, bytes(1100), pair.now, max_retransmits=1, ordered=False)
    pair.left.association.send(3, 51, bytes(1100), pair.now, lifetime=1.7)
    pair.left.association.send(4, 51, b"x", pair.now)
    pair.run_for(10)
    assert timeline.new_lines() == lines(
        """
        200 > lost DATA 100 BE 1/0 1100
        200 > lost DATA 101 UBE 2/0 1100
        200 > lost DATA 102 BE 3/0 1100, DATA 103 BE 4/0 1
        700 > lost FORWARD-TSN 100 1/0, DATA 101 UBE 2/0 1100
        700 > lost DATA 102 BE 3/0 1100, DATA 103 BE 4/0 1
        1700 > lost FORWARD-TSN 101 1/0, DATA 102 BE 3/0 1100, DATA 103 BE 4/0 1
        3700 > FORWARD-TSN 102 1/0 3/0, DATA 103 BE 4/0 1
        3750 < SACK 103 4194203
        """
    )
    assert figures(pair.left) == {
        "packets_sent": 9,
        "packets_received": 3,
        "chunks_sent": 10,
        "chunks_received": 0,
        "chunks_retransmitted": 6,
        "bytes_sent": 3368,
        "bytes_received": 0,
        "messages_abandoned": 3,
        "dropped": {},
        "congestion_window": 1168,
        "flight_size": 0,
        "peer_window": 4194203,
        "receive_window": 4194304,
        "smoothed_round_trip": None,
        "retransmission_timeout": 0.5,
    }
    assert figures(pair.right) == {
        "packets_sent": 3,
        "packets_received": 3,
        "chunks_sent": 0,
        "chunks_received": 1,
        "chunks_retransmitted": 0,
        "bytes_sent": 0,
        "bytes_received": 1,
        "messages_abandoned": 0,
        "dropped": {},
        "congestion_window": 11480,
        "flight_size": 0,
        "peer_window": 4194304,
        "receive_window": 4194304,
        "smoothed_round_trip": None,
        "retransmission_timeout": 0.5,
    }


def test_lost_answers_to_a_reset() -> None:
    pair = make_pair(LoseNth(1, RE_CONFIG, 0, 1)).connect(both=False)
    timeline = Timeline(pair)
    pair.left.association.reset_streams([1, 2], pair.now)
    pair.run_for(5)
    assert timeline.new_lines() == lines(
        """
        200 > RE-CONFIG request 100 after 899 from 99: 1 2
        250 < lost RE-CONFIG response 100: 1
        700 > RE-CONFIG request 100 after 899 from 99: 1 2
        750 < lost RE-CONFIG response 100: 1
        1200 > RE-CONFIG request 100 after 899 from 99: 1 2
        1250 < RE-CONFIG response 100: 1
        """
    )


def test_reset_after_missing_data() -> None:
    pair = make_pair(LoseNth(0, DATA, 1)).connect(both=False)
    timeline = Timeline(pair)
    pair.left.association.send(1, 51, bytes(3000), pair.now)
    pair.left.association.send(2, 51, b"before", pair.now)
    pair.run_for(0.2)
    pair.left.association.reset_streams([2], pair.now)
    pair.left.association.send(2, 51, b"after", pair.now)
    pair.run_for(5)
    assert timeline.new_lines() == lines(
        """
        200 > DATA 100 B 1/0 1132
        200 > lost DATA 101  1/0 1132
        200 > DATA 102 E 1/0 736, DATA 103 BE 2/0 6
        250 < SACK 100 4191530 +2-3
        620 > DATA 101  1/0 1132
        690 < SACK 103 4194304
        740 > RE-CONFIG request 100 after 899 from 103: 2
        790 < RE-CONFIG response 100: 1
        840 > DATA 104 BE 2/0 5
        910 < SACK 104 4194304
        """
    )


def test_messages_in_a_row() -> None:
    """The first leaves at once, further ones once a millisecond, each SACK after 20 ms or two packets."""
    pair = make_pair().connect(both=False)
    timeline = Timeline(pair)
    for _ in range(5):
        pair.left.association.send(1, 51, bytes(100), pair.now)
        pair.run_for(0.0005)
    pair.run_for(0.2)
    assert timeline.new_lines() == lines(
        """
        200 > DATA 100 BE 1/0 100
        201 > DATA 101 BE 1/1 100
        202 > DATA 102 BE 1/2 100, DATA 103 BE 1/3 100
        203 > DATA 104 BE 1/4 100
        250 < SACK 100 4194104
        252 < SACK 103 4193904
        273 < SACK 104 4194304
        """
    )


def test_burst() -> None:
    """At most max_burst packets leave in a call, the next ones 0.1 ms later."""
    pair = make_pair(max_burst=4, initial_window_packets=20).connect(both=False)
    timeline = Timeline(pair)
    pair.left.association.send(1, 51, bytes(12_000), pair.now)
    pair.run_for(0.2)
    assert timeline.new_lines() == lines(
        """
        200 > DATA 100 B 1/0 1132
        200 > DATA 101  1/0 1132
        200 > DATA 102  1/0 1132
        200 > DATA 103  1/0 1132
        201 > DATA 104  1/0 1132
        201 > DATA 105  1/0 1132
        201 > DATA 106  1/0 1132
        201 > DATA 107  1/0 1132
        202 > DATA 108  1/0 1132
        202 > DATA 109  1/0 1132
        202 > DATA 110 E 1/0 680
        250 < SACK 103 4189076
        251 < SACK 107 4184148
        252 < SACK 110 4182204
        """
    )


def test_data_after_shutdown() -> None:
    """Each packet of data that comes after SHUTDOWN is answered by another one (RFC 9260 section 9.2)."""
    pair = make_pair(max_burst=2).connect(both=False)
    timeline = Timeline(pair)
    pair.right.association.send(1, 51, bytes(6000), pair.now)
    pair.left.association.shutdown(pair.now)
    pair.run_for(5)
    assert timeline.new_lines() == lines(
        """
        200 > SHUTDOWN 899
        200 < DATA 900 B 1/0 1132
        200 < DATA 901  1/0 1132
        201 < DATA 902  1/0 1132
        201 < DATA 903  1/0 1132
        202 < DATA 904  1/0 1132
        202 < DATA 905 E 1/0 340
        250 > SACK 901 4191540, SHUTDOWN 901
        251 > SACK 903 4189076, SHUTDOWN 903
        252 > SACK 905 4188204, SHUTDOWN 905
        302 < SHUTDOWN ACK
        352 > SHUTDOWN COMPLETE
        """
    )
    assert figures(pair.left) == {
        "packets_sent": 7,
        "packets_received": 9,
        "chunks_sent": 0,
        "chunks_received": 6,
        "chunks_retransmitted": 0,
        "bytes_sent": 0,
        "bytes_received": 6000,
        "messages_abandoned": 0,
        "dropped": {},
        "congestion_window": 11480,
        "flight_size": 0,
        "peer_window": 4194304,
        "receive_window": 4194304,
        "smoothed_round_trip": None,
        "retransmission_timeout": 0.5,
    }


def test_unanswered_heartbeats() -> None:
    """The first one that goes unanswered counts as soon as the next one is due."""
    pair = make_pair(max_retransmissions=3).connect(both=False)
    pair.lost = lose_everything
    timeline = Timeline(pair)
    pair.run_for(100)
    assert timeline.new_lines() == lines(
        """
        30150 < lost HEARTBEAT
        30200 > lost HEARTBEAT
        30650 < lost HEARTBEAT
        30700 > lost HEARTBEAT
        31650 < lost HEARTBEAT
        31700 > lost HEARTBEAT
        33650 < lost HEARTBEAT
        33700 > lost HEARTBEAT
        37650 < lost ABORT
        37700 > lost ABORT
        """
    )
    assert [end.association.closed for end in pair.ends] == [True, True]


def test_early_message_on_a_stream_that_is_not_offered() -> None:
    """It is dropped before the COOKIE ECHO, and delays no other."""
    pair = SctpPair(
        SctpOptions(initial_tsn=100), SctpOptions(initial_tsn=900, inbound_streams=100), delay=0.05
    )
    timeline = Timeline(pair)
    pair.left.association.send(100, 51, bytes(3000), pair.now)
    pair.left.association.send(99, 51, bytes(20), pair.now)
    pair.connect(both=False)
    pair.run_for(1)
    pair.left.association.send(1, 51, bytes(1200), pair.now)
    pair.run_for(1)
    assert timeline.new_lines() == lines(
        """
        0 > INIT 100 4194304 65535/65535 c000 8008 8001
        50 < INIT ACK 900 4194304 65535/100 7 c000 8008 8001
        100 > COOKIE ECHO, DATA 100 BE 99/0 20
        150 < COOKIE ACK, SACK 100 4194184
        1200 > DATA 101 B 1/0 1132
        1200 > DATA 102 E 1/0 68
        1250 < SACK 102 4193004
        """
    )
    assert [(stream, len(data)) for stream, _, data in pair.right.messages] == [(99, 20), (1, 1200)]
    assert pair.left.association.total_buffered == 0


def test_shutdown_while_messages_wait() -> None:
    """Both sides still deliver what they have queued."""
    pair = make_pair(initial_window_packets=2).connect(both=False)
    timeline = Timeline(pair)
    pair.left.association.send(1, 51, bytes(5000), pair.now)
    pair.right.association.send(1, 51, bytes(5000), pair.now)
    pair.left.association.shutdown(pair.now)
    pair.run_for(5)
    assert timeline.new_lines() == lines(
        """
        200 > DATA 100 B 1/0 1132
        200 > DATA 101  1/0 1132
        200 < DATA 900 B 1/0 1132
        200 < DATA 901  1/0 1132
        250 > SACK 901 4191540
        250 < SACK 101 4191540
        300 > DATA 102  1/0 1132
        300 > DATA 103  1/0 1132
        300 > DATA 104 E 1/0 472
        300 < DATA 902  1/0 1132
        300 < DATA 903  1/0 1132
        300 < DATA 904 E 1/0 472
        350 > SACK 904 4189204
        350 < SACK 104 4189204
        400 > SHUTDOWN 904
        450 < SHUTDOWN ACK
        500 > SHUTDOWN COMPLETE
        """
    )


def test_duplicates_and_reordering() -> None:
    pair = make_pair().connect(both=False)
    timeline = Timeline(pair)
    pair.left.association.send(1, 51, bytes(3000), pair.now)
    pair.flush()
    pair.in_flight.reverse()
    pair.in_flight[:0] = pair.in_flight[:1]
    pair.batch = False
    pair.run_for(1)
    assert timeline.new_lines() == lines(
        """
        200 > DATA 100 B 1/0 1132
        200 > DATA 101  1/0 1132
        200 > DATA 102 E 1/0 736
        250 < SACK 102 4191204 twice 102
        """
    )
    assert figures(pair.right) == {
        "packets_sent": 3,
        "packets_received": 6,
        "chunks_sent": 0,
        "chunks_received": 3,
        "chunks_retransmitted": 0,
        "bytes_sent": 0,
        "bytes_received": 3000,
        "messages_abandoned": 0,
        "dropped": {"duplicate or out of the window": 1},
        "congestion_window": 11480,
        "flight_size": 0,
        "peer_window": 4194304,
        "receive_window": 4194304,
        "smoothed_round_trip": None,
        "retransmission_timeout": 0.5,
    }
