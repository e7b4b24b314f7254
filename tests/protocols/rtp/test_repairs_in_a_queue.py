"""Retransmissions through a full queue are subtracted from the encoders' bitrate at once, not on average."""

from trio_rtc.protocols.bandwidth_estimation import BandwidthEstimationOptions, PacketKind
from trio_rtc.protocols.rtcp import TransportFeedback
from trio_rtc.protocols.rtp import Codec, Encoding, SendParameters
from trio_rtc.protocols.rtp.bandwidth import Bandwidth

VIDEO = SendParameters(
    "video", "video", (Codec(96, "VP8", 90_000),), (Encoding(ssrc=1, max_bitrate=8_000_000),)
)
INTERVAL, PACKETS = 0.005, 200
"""Of media: 1,000 bytes every 5 ms are 1.6 Mbit/s."""

REPAIRS, REPAIR_BITRATE = 10, 0.5e6
"""Packets that are sent again, one with every fourth of media, and about what they take."""


def taken_by_repairs(queueing_delay: float) -> float:
    """Return the decrease of the encoders' bitrate after 0.2 seconds of retransmissions."""
    return left_to_encoders(queueing_delay, repairs=False) - left_to_encoders(queueing_delay, repairs=True)


def left_to_encoders(queueing_delay: float, *, repairs: bool) -> float:
    bandwidth = Bandwidth(BandwidthEstimationOptions(start_bitrate=2_000_000))
    bandwidth.configure([VIDEO], transport_wide=True, now=0.0)
    arrived: list[tuple[int, float]] = []
    for index in range(PACKETS + 4 * REPAIRS):
        now = index * INTERVAL
        number = bandwidth.next_number()
        bandwidth.packets_sent([(number, 1000, False)], now)
        in_queue = max(0.0, min((index - PACKETS // 2) / 50, 1.0)) * queueing_delay
        arrived.append((number, now + 0.03 + in_queue))
        if repairs and index >= PACKETS and index % 4 == 3:
            assert bandwidth.enqueue("again", 1200, PacketKind.RETRANSMISSION, now)
        if len(arrived) == 10:
            for feedback in TransportFeedback.build(1, 2, arrived, 0, 1200):
                bandwidth.handle_transport_feedback(feedback, now)
            arrived.clear()
    changes = bandwidth.take_changes()
    assert changes is not None
    return changes[1]


def test_retransmissions_are_averaged_where_there_is_no_queue() -> None:
    assert 0.2 * REPAIR_BITRATE < taken_by_repairs(0.0) < 0.5 * REPAIR_BITRATE


def test_retransmissions_are_subtracted_at_once_where_there_is_a_queue() -> None:
    """The total exceeded the link's rate as long as the average lagged behind.

    The queue stayed full for half a second after a back-off, and dropped retransmissions again.
    """
    assert 0.8 * REPAIR_BITRATE < taken_by_repairs(0.1) < 1.1 * REPAIR_BITRATE
