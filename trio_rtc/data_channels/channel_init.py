"""Validation of W3C's RTCDataChannelInit, and its conversion to the core's channel parameters."""

from typing import Any

from trio_rtc.enums import RTCPriorityType, member_of
from trio_rtc.protocols.datachannel import ChannelParameters

_UNSIGNED_SHORT_LIMIT = 65535

_PRIORITIES = {
    RTCPriorityType.VERY_LOW: 128,
    RTCPriorityType.LOW: 256,
    RTCPriorityType.MEDIUM: 512,
    RTCPriorityType.HIGH: 1024,
}
"""DCEP's numbers of the priorities (RFC 8831 section 6.4)."""


def priority_from_number(number: int) -> RTCPriorityType:
    """Return the priority of DCEP's number, rounded down to a W3C value (RFC 8832 section 8.1)."""
    named = [priority for priority, value in _PRIORITIES.items() if value <= number]
    return named[-1] if named else RTCPriorityType.VERY_LOW


def channel_parameters(
    label: Any,
    *,
    ordered: Any,
    max_packet_life_time: Any,
    max_retransmits: Any,
    protocol: Any,
    negotiated: Any,
    id: Any,
    priority: RTCPriorityType | str,
) -> ChannelParameters:
    """Return the parameters for ``create_data_channel`` (W3C webrtc section 6.1), or raise ``TypeError``."""
    called = "create_data_channel()"
    for name, text in {"label": label, "protocol": protocol}.items():
        if not isinstance(text, str) or len(text.encode()) > _UNSIGNED_SHORT_LIMIT:
            raise TypeError(
                f"{called} argument {name!r} must be a str of at most 65535 bytes, not {text!r:.60}"
            )
    numbers = {"max_packet_life_time": max_packet_life_time, "max_retransmits": max_retransmits, "id": id}
    for name, number in numbers.items():
        if number is not None and not (isinstance(number, int) and 0 <= number <= _UNSIGNED_SHORT_LIMIT):
            raise TypeError(
                f"{called} argument {name!r} must be an int from 0 to 65535 or None, not {number!r}"
            )
    if negotiated and (id is None or id == _UNSIGNED_SHORT_LIMIT):
        raise TypeError(f"{called} argument 'id' must be an int from 0 to 65534 if negotiated, not {id!r}")
    if max_packet_life_time is not None and max_retransmits is not None:
        raise TypeError(
            f"{called} takes max_retransmits ({max_retransmits}) or max_packet_life_time ({max_packet_life_time}), "
            "not both"
        )
    return ChannelParameters(
        label=label,
        protocol=protocol,
        ordered=bool(ordered),
        max_retransmits=max_retransmits,
        max_packet_life_time=max_packet_life_time,
        priority=_PRIORITIES[member_of(RTCPriorityType, priority)],
    )
