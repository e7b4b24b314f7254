"""Candidates in the sections of a description: trickled candidates are added, the default candidate is updated.

The lines remain text here. They are parsed only to choose the default candidate of ``m=`` and ``c=`` (RFC 8839 section
4.2.1.2), which peers with ICE ignore.
"""

from collections.abc import Iterable

from trio_rtc import _attrs as attrs
from trio_rtc.enums import RTCIceCandidateType, RTCIceProtocol
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.ice import Candidate
from trio_rtc.protocols.sdp import Attribute, Field, MediaDescription, attribute_values, has_attribute

# Most likely to be reachable by a peer without ICE first (RFC 8839 section 4.2.1.2).
_DEFAULT_TYPES = (
    RTCIceCandidateType.RELAY,
    RTCIceCandidateType.SRFLX,
    RTCIceCandidateType.PRFLX,
    RTCIceCandidateType.HOST,
)


def candidate_value(line: str) -> str:
    """Return the value after ``candidate:`` in a candidate line, with or without ``a=`` before it."""
    return line.removeprefix("a=").removeprefix("candidate:")


def add_candidate(media: MediaDescription, line: str) -> MediaDescription:
    """Return the section with a local candidate added and its default candidate updated."""
    added = append_candidate(media, line)
    return added if added is media else _with_default_candidate(added)


def append_candidate(media: MediaDescription, line: str) -> MediaDescription:
    """Return the section with a candidate added; the section itself if it has the candidate already."""
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
    """Return the best default candidate, the first among equals.

    Only UDP candidates qualify, and no ``.local`` names, which resolve only in the local network. IPv4 is preferred.
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
