"""What a data channel is to be like (W3C's RTCDataChannelInit), checked, as the core takes it."""

from typing import Any

from .enums import RTCPriorityType, member_of
from .protocols.datachannel import ChannelParameters

_UNSIGNED_SHORT_LIMIT = 65535

_PRIORITIES = {
    RTCPriorityType.VERY_LOW: 128,
    RTCPriorityType.LOW: 256,
    RTCPriorityType.MEDIUM: 512,
    RTCPriorityType.HIGH: 1024,
}
"""The numbers that DCEP has for priorities (RFC 8831 section 6.4)."""


def priority_from_number(number: int) -> RTCPriorityType:
    """Return the priority for DCEP's number, rounded down to one that has a name (RFC 8832 section 8.1)."""
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
    """Return what the arguments of ``create_data_channel`` say, unless W3C refuses them (webrtc section 6.1).

    Raises:
        TypeError: They contradict each other, are out of range or of the wrong type.
    """
    for text in (label, protocol):
        if not isinstance(text, str) or len(text.encode()) > _UNSIGNED_SHORT_LIMIT:
            raise TypeError("label and protocol are strings of at most 65535 bytes each")
    for number in (max_packet_life_time, max_retransmits, id):
        if number is not None and not (isinstance(number, int) and 0 <= number <= _UNSIGNED_SHORT_LIMIT):
            raise TypeError(f"{number!r} is not an integer between 0 and 65535")
    if negotiated and id is None:
        raise TypeError("a negotiated channel needs an id")
    if max_packet_life_time is not None and max_retransmits is not None:
        raise TypeError("max_packet_life_time and max_retransmits exclude each other")
    if negotiated and id == _UNSIGNED_SHORT_LIMIT:
        raise TypeError("65535 is not the id of a channel")
    return ChannelParameters(
        label=label,
        protocol=protocol,
        ordered=bool(ordered),
        max_retransmits=max_retransmits,
        max_packet_life_time=max_packet_life_time,
        priority=_PRIORITIES[member_of(RTCPriorityType, priority)],
    )
