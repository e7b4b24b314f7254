"""Local contents of descriptions, and applied descriptions."""

from collections.abc import Mapping

from trio_rtc import _attrs as attrs
from trio_rtc.enums import RTCBundlePolicy, RTCSdpType
from trio_rtc.protocols.sdp import (
    MediaDescription,
    SessionDescription,
    append_attributes,
    with_candidates,
    write,
)

from .transceivers import LocalTransceiver


@attrs.frozen(eq=False)
class Description:
    """An applied description. Compared by identity: a new object means a change.

    Attributes:
        type: Offer, answer or provisional answer.
        sdp: The text as applied, with trickled candidates added.
        parsed: The parsed text.
        keys: For each section the associated local transceiver; empty if unknown.
        refused: The sections of a remote offer that cannot be accepted.
        created: The mids of a remote offer that had no local transceiver when it was applied.
        transports: For each section of a local offer, the number of its transport.
        replaced_credentials: ICE username fragment and password that the application has written into the description,
            by the created username fragment.
    """

    type: RTCSdpType
    sdp: str
    parsed: SessionDescription
    keys: tuple[int | None, ...] = ()
    refused: frozenset[int] = frozenset()
    created: frozenset[str] = frozenset()
    transports: tuple[int, ...] = ()
    replaced_credentials: Mapping[str, tuple[str, str]] = attrs.field(factory=dict, repr=False)

    def with_candidates(self, index: int, section: MediaDescription) -> "Description":
        """Return the description with candidates added to the section at ``index``; itself if it is unchanged."""
        old = self.parsed.media[index]
        if section is old:
            return self
        parsed = with_candidates(self.parsed, index, section)
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
    """The local end of a transport, as sections describe it.

    Attributes:
        username_fragment: Username fragment of the ICE generation in use.
        password: Password of the same generation.
        fingerprints: Pairs of hash function and digest (``"sha-256"``, ``"AB:CD:…"``) of the local certificates.
        candidates: ``candidate:…`` lines gathered so far for this generation.
        candidates_complete: Whether gathering for this generation has ended.
        ice_lite: Whether the local agent is a lite one.
    """

    username_fragment: str
    password: str = attrs.field(repr=False)
    fingerprints: tuple[tuple[str, str], ...]
    candidates: tuple[str, ...]
    candidates_complete: bool
    ice_lite: bool = False


@attrs.frozen
class LocalMedia:
    """Local contents of an offer or an answer.

    Attributes:
        data_channels: Whether an offer needs an application section, because a data channel was created.
        ice_parameters: Username fragment and password of the ICE generation to use; a change restarts ICE.
        fingerprints: Pairs of hash function and digest of the local certificates.
        candidates: ``candidate:…`` lines gathered so far for this generation.
        candidates_complete: Whether gathering for this generation has ended.
        sctp_port: Local SCTP port.
        max_message_size: Bytes of the largest message accepted; 0 for any size.
        ice_lite: Whether the local agent is a lite one.
        transceivers: The transceivers in the order of their creation; a stopped one until its section is recycled.
        bundle_policy: Which sections of an offer are not bundle-only (RFC 9429 section 4.1.1).
        further: Local ends of the transports beyond the first, by number (``TransportPlan.number``). A section offered
            by the peer on a transport that is missing here is rejected; a local one shares another transport.
        identity: Value of ``a=identity`` (RFC 8827 section 5); ``None`` for no assertion.
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
    identity: str | None = attrs.field(default=None, repr=False)

    def has_transport(self, number: int) -> bool:
        """Return whether there is a local end of a transport."""
        return number == 0 or number in self.further

    def transport(self, number: int) -> LocalTransport:
        """Return the local end of a transport."""
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
