"""What goes into a description from our side, and a description that was applied."""

from collections.abc import Mapping

import attrs

from trio_rtc.enums import RTCBundlePolicy, RTCSdpType
from trio_rtc.protocols.sdp import MediaDescription, SessionDescription, append_attributes, write

from .transceivers import LocalTransceiver


@attrs.frozen(eq=False)
class Description:
    """A description that was applied. Compared by identity: a new object means that something changed.

    Attributes:
        type: Offer, answer or provisional answer.
        sdp: The text, as applied; trickled candidates are added to it.
        parsed: The same as a tree.
        keys: For each section the transceiver of ours that it is associated with; empty where that is not known.
        refused: The sections of a remote offer that cannot be accepted here, whatever comes.
        created: The mids of a remote offer for which there was no transceiver of ours when it came.
        transports: For each section of an offer of ours the number of the transport that it is offered on.
    """

    type: RTCSdpType
    sdp: str
    parsed: SessionDescription
    keys: tuple[int | None, ...] = ()
    refused: frozenset[int] = frozenset()
    created: frozenset[str] = frozenset()
    transports: tuple[int, ...] = ()

    def with_section(self, index: int, section: MediaDescription) -> "Description":
        """Return the description with another section at ``index``; itself if that is the one it has."""
        media = self.parsed.media
        old = media[index]
        if section is old:
            return self
        parsed = attrs.evolve(self.parsed, media=(*media[:index], section, *media[index + 1 :]))
        known = len(old.attributes)
        if section.attributes[:known] == old.attributes and _without_attributes(
            section
        ) == _without_attributes(old):
            # The peer's text is kept as it was received.
            sdp = append_attributes(self.sdp, index, section.attributes[known:])
        else:
            sdp = write(parsed)
        return attrs.evolve(self, sdp=sdp, parsed=parsed)


def _without_attributes(section: MediaDescription) -> tuple[object, ...]:
    return (section.kind, section.port, section.protocol, section.formats, section.fields, section.port_count)


@attrs.frozen
class LocalTransport:
    """What a section tells the peer about our end of its transport.

    Attributes:
        username_fragment: Of the ICE generation that is to be used.
        password: Of the same generation.
        fingerprints: Pairs of hash function and digest (``"sha-256"``, ``"AB:CD:…"``) of our certificates.
        candidates: ``candidate:…`` lines gathered so far for this generation.
        candidates_complete: Whether gathering for this generation has ended.
        ice_lite: Whether we are a lite agent.
    """

    username_fragment: str
    password: str = attrs.field(repr=False)
    fingerprints: tuple[tuple[str, str], ...]
    candidates: tuple[str, ...]
    candidates_complete: bool
    ice_lite: bool = False


@attrs.frozen
class LocalMedia:
    """All that our side has to put into an offer or an answer.

    Attributes:
        data_channels: Whether a data channel was created, so that an offer needs an application section.
        ice_parameters: Username fragment and password of the ICE generation to use; other ones than in the last
            description restart ICE.
        fingerprints: Pairs of hash function and digest of our certificates.
        candidates: ``candidate:…`` lines gathered so far for this generation.
        candidates_complete: Whether gathering for this generation has ended.
        sctp_port: Our SCTP port.
        max_message_size: Bytes that we can take in one message; 0 is any size.
        ice_lite: Whether we are a lite agent.
        transceivers: In the order of their creation, those that were stopped included until their section is
            given up.
        bundle_policy: Which sections of an offer can do without BUNDLE (RFC 9429 section 4.1.1): those that
            cannot are bundle-only.
        further: Our ends of the transports beyond the first, by their number (``TransportPlan.number``). What the
            peer offers on one that is not here is refused, what we offer shares another.
    """

    data_channels: bool
    ice_parameters: tuple[str, str] = attrs.field(repr=False)
    fingerprints: tuple[tuple[str, str], ...]
    candidates: tuple[str, ...] = ()
    candidates_complete: bool = False
    sctp_port: int = 5000
    max_message_size: int = 262144
    ice_lite: bool = False
    transceivers: tuple[LocalTransceiver, ...] = ()
    bundle_policy: RTCBundlePolicy = RTCBundlePolicy.BALANCED
    further: Mapping[int, LocalTransport] = attrs.field(factory=dict)

    def has_transport(self, number: int) -> bool:
        """Return whether our side has a transport."""
        return number == 0 or number in self.further

    def transport(self, number: int) -> LocalTransport:
        """Return our end of a transport."""
        if number:
            return self.further[number]
        username_fragment, password = self.ice_parameters
        return LocalTransport(
            username_fragment,
            password,
            self.fingerprints,
            self.candidates,
            self.candidates_complete,
            self.ice_lite,
        )
