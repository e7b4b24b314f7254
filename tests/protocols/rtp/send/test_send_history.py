"""The packet history."""

from trio_rtc.protocols.rtp.options import HistoryOptions
from trio_rtc.protocols.rtp.packet.packet import RtpPacket
from trio_rtc.protocols.rtp.send.history import PacketHistory


def packet(number: int, payload: bytes = b"payload") -> RtpPacket:
    return RtpPacket(96, number, 9000, 1234, payload, True, (7, 8), ((1, b"0"), (3, b"abc")), 4)


def test_packet_is_not_sent_twice_within_a_round_trip() -> None:
    history = PacketHistory()
    history.store(5, packet(5), 1.0)
    assert history.get(5, 1.1, 0.05) == packet(5)
    assert history.get(5, 1.149, 0.05) is None
    assert history.get(5, 1.151, 0.05) == packet(5)
    assert history.get(6, 1.2, 0.05) is None
    assert (history.resent, history.suppressed, history.unknown) == (2, 1, 1)


def test_history_is_bounded_in_packets_and_time() -> None:
    history = PacketHistory(HistoryOptions(max_packets=10, max_age=1.0))
    for number in range(20):
        history.store(number, packet(number), 0.0)
    assert len(history) == 10
    assert history.get(9, 0.0, 0.0) is None
    assert history.get(10, 0.0, 0.0) is not None
    assert history.get(11, 1.5, 0.0) is None
    history.store(20, packet(20), 1.5)
    assert len(history) == 1


def test_newest_packet_that_fits_is_padding() -> None:
    history = PacketHistory()
    for number, size in enumerate([100, 50, 200]):
        history.store(number, packet(number, bytes(size)), 0.0)
    assert history.newest_that_fits(120) == packet(1, bytes(50))
    assert history.newest_that_fits(10) is None
