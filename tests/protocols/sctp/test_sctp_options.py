"""The options and their defaults."""

import attrs

from trio_rtc.protocols.sctp import SctpOptions


def test_options_are_as_documented() -> None:
    options = attrs.asdict(SctpOptions())
    del options["congestion_controller"]
    assert options == {
        "local_port": 5000,
        "remote_port": 5000,
        "max_packet_size": 1160,
        "inbound_streams": 65_535,
        "outbound_streams": 65_535,
        "receive_buffer_size": 4_194_304,
        "send_buffer_size": 67_108_864,
        "max_message_size": 262_144,
        "rto_initial": 0.5,
        "rto_min": 0.2,
        "rto_max": 10.0,
        "rto_max_init": 3.0,
        "rto_variance_floor": 0.22,
        "ack_delay": 0.02,
        "max_init_retransmissions": 10,
        "max_retransmissions": 20,
        "heartbeat_interval": 30.0,
        "zero_checksum": True,
        "cookie_life": 60.0,
        "initial_window_packets": 10,
        "max_congestion_window": 4_194_304,
        "shared_queue_delay": 0.03,
        "coalescing_delay": 0.001,
        "max_burst": 64,
        "burst_interval": 0.0001,
        "initial_tsn": None,
    }
