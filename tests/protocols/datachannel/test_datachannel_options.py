"""The options and their defaults."""

import attrs

from trio_rtc.protocols.datachannel import DataChannelOptions


def test_options_are_as_documented() -> None:
    assert attrs.asdict(DataChannelOptions()) == {
        "max_channels": 65_535,
        "max_announced_size": 67_108_864,
        "max_early_reuses": 8,
        "max_control_message_size": 131_082,
    }
