"""Candidates in the sections of a description: added as they come, with the default candidate kept up to date.

The lines stay text here. They are read only to choose the default candidate, which ``m=`` and ``c=`` state
(RFC 8839 section 4.2.1.2) and at which no peer with ICE looks.
"""

from collections.abc import Iterable

import attrs

from trio_rtc.enums import RTCIceCandidateType, RTCIceProtocol
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.ice import Candidate
from trio_rtc.protocols.sdp import Attribute, Field, MediaDescription, attribute_values, has_attribute

# What is most likely to be reachable for a peer without ICE comes first, RFC 8839 section 4.2.1.2.
_DEFAULT_TYPES = (
    RTCIceCandidateType.RELAY,
    RTCIceCandidateType.SRFLX,
    RTCIceCandidateType.PRFLX,
    RTCIceCandidateType.HOST,
)


def candidate_value(line: str) -> str:
    """Return what stands behind ``candidate:`` in a candidate line, with or without ``a=`` before it."""
    return line.removeprefix("a=").removeprefix("candidate:")


def add_candidate(media: MediaDescription, line: str) -> MediaDescription:
    """Return the section with a candidate of ours added and its default candidate chosen anew."""
    added = append_candidate(media, line)
    return added if added is media else _with_default_candidate(added)


def append_candidate(media: MediaDescription, line: str) -> MediaDescription:
    """Return the section with a candidate added; the section itself if it is there already."""
    value = candidate_value(line)
    if value in attribute_values(media, "candidate"):
        return media
    return attrs.evolve(media, attributes=(*media.attributes, Attribute("candidate", value)))


def end_candidates(media: MediaDescription) -> MediaDescription:
    """Return the section with ``a=end-of-candidates`` (RFC 8840 section 4.1); itself if it has one."""
    if has_attribute(media, "end-of-candidates"):
        return media
    return attrs.evolve(media, attributes=(*media.attributes, Attribute("end-of-candidates")))


def _with_default_candidate(media: MediaDescription) -> MediaDescription:
    default = _default_candidate(attribute_values(media, "candidate"))
    if default is None:
        return media
    connection = Field("c", f"IN {'IP6' if ':' in default.address else 'IP4'} {default.address}")
    fields = tuple(connection if field.type == "c" else field for field in media.fields)
    return attrs.evolve(media, port=default.port, fields=fields)


def _default_candidate(values: Iterable[str]) -> Candidate | None:
    """Return the candidate that serves best as the default one, the first of equals.

    Only UDP can, and not a ``.local`` name, which means nothing outside the local network. IPv4 goes first.
    """
    candidates = (_parse(value) for value in values)
    usable = (
        each for each in candidates if each and each.protocol is RTCIceProtocol.UDP and not each.is_name
    )
    return min(usable, key=lambda each: (_DEFAULT_TYPES.index(each.type), ":" in each.address), default=None)


def _parse(value: str) -> Candidate | None:
    try:
        return Candidate.parse(value)
    except ProtocolError:
        return None
