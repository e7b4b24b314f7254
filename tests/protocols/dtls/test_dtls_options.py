"""The options and their defaults."""

import attrs

from trio_rtc.protocols.dtls import DtlsOptions


def test_the_defaults_of_the_options_are_as_documented() -> None:
    options = DtlsOptions()
    numbers = {
        name: value
        for name, value in attrs.asdict(options, recurse=False).items()
        if isinstance(value, int | float)
    }
    assert numbers == {
        "mtu": 1200,
        "retransmission_initial": 0.05,
        "retransmission_maximum": 3.0,
        "handshake_timeout": 60.0,
        "require_cookie": False,
        "replay_window": 64,
        "max_message_size": 16_384,
        "max_reassembly_size": 65_536,
        "max_early_records": 32,
        "unauthenticated_alert_grace": 1.0,
    }
