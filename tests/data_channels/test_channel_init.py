"""Validation of RTCDataChannelInit."""

from typing import Any

import pytest

from trio_rtc import RTCPeerConnection
from trio_rtc.data_channels.channel_init import channel_parameters, priority_from_number
from trio_rtc.protocols.datachannel import ChannelParameters

pytestmark = pytest.mark.usefixtures("autojump_clock")


def parameters_of(**options: Any) -> ChannelParameters:
    """Return the parameters of a channel from some of the arguments of ``create_data_channel``."""
    others = {"label": "chat", "ordered": True, "max_packet_life_time": None, "max_retransmits": None}
    return channel_parameters(
        **{**others, "protocol": "", "negotiated": False, "id": None, "priority": "low", **options}
    )


@pytest.mark.parametrize("name", ["label", "protocol"])
@pytest.mark.parametrize("wrong", [5, None, b"bytes", "x" * 65536, "ü" * 32768])
def test_label_and_protocol_have_at_most_65535_bytes(name: str, wrong: object) -> None:
    with pytest.raises(TypeError, match=f"'{name}' must be a str of at most 65535 bytes"):
        parameters_of(**{name: wrong})
    longest = "ü" * 32767 + "x"
    assert getattr(parameters_of(**{name: longest}), name) == longest


@pytest.mark.parametrize("name", ["max_packet_life_time", "max_retransmits", "id"])
@pytest.mark.parametrize("wrong", [-1, 65536, 1.5, "1"])
def test_numeric_options_have_16_bits(name: str, wrong: object) -> None:
    with pytest.raises(TypeError, match=f"'{name}' must be an int from 0 to 65535 or None"):
        parameters_of(**{name: wrong})
    for number in (0, 65535):
        parameters = parameters_of(**{name: number})
        assert name == "id" or getattr(parameters, name) == number


@pytest.mark.parametrize(
    ("priority", "number", "up_to"),
    [("very-low", 128, 255), ("low", 256, 511), ("medium", 512, 1023), ("high", 1024, 65535)],
)
async def test_priorities_have_the_values_of_dcep(priority: str, number: int, up_to: int) -> None:
    """RFC 8831 section 6.4 names four; values between them count as the lower one (RFC 8832 section 8.1)."""
    assert parameters_of(priority=priority).priority == number
    assert priority_from_number(number) == priority_from_number(up_to) == priority
    assert priority_from_number(0) == priority_from_number(127) == "very-low"


@pytest.mark.parametrize(
    "options",
    [
        {"max_retransmits": 1, "max_packet_life_time": 1},
        {"max_retransmits": 65536},
        {"max_packet_life_time": -1},
        {"negotiated": True},
        {"negotiated": True, "id": 65535},
        {"protocol": "x" * 65536},
    ],
)
def test_impossible_options(options: dict[str, object]) -> None:
    with pytest.raises(TypeError):
        RTCPeerConnection().create_data_channel("x", **options)  # type: ignore[arg-type]


def test_the_id_of_a_channel_that_is_not_negotiated_is_ignored() -> None:
    assert RTCPeerConnection().create_data_channel("x", id=5).id is None
