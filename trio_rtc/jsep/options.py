"""Options of a JSEP session."""

from typing import Literal

from trio_rtc import _attrs as attrs
from trio_rtc._attrs import validators
from trio_rtc._strict_names.checks import strict_class
from trio_rtc.protocols.sdp import SdpOptions


@strict_class
@attrs.frozen
class SessionOptions:
    """Options of a JSEP session.

    Attributes:
        sdp: Limits of remote descriptions.
        answer_setup: The DTLS role in answers to ``actpass``: ``active``, the client, saves half a round trip and is
            recommended by RFC 8842 section 5.3; ``passive`` is the server.
        announce_flexfec: Whether an offer announces the SSRCs of FlexFEC before the peer has listed ``flexfec-03``, so
            that the first offer suffices to protect video. Pion mistakes such an SSRC for a second track and rejects
            the offer.
        maximum_candidates: Candidates kept in one section of a description, per side. Further local ones are used, but
            absent from the text; further remote ones are ignored.
        allow_changed_ice_credentials: Whether a local description may be applied with other ICE credentials than it was
            created with, which then are those of the connection. Without it such a description is refused;
            ``Settings.ice_credentials`` supplies credentials without a change.
    """

    sdp: SdpOptions = attrs.field(factory=SdpOptions, validator=validators.instance_of(SdpOptions))
    answer_setup: Literal["active", "passive"] = attrs.field(
        default="active", validator=validators.in_(("active", "passive"))
    )
    announce_flexfec: bool = False
    maximum_candidates: int = attrs.field(default=256, validator=validators.ge(0))
    allow_changed_ice_credentials: bool = attrs.field(default=False, validator=validators.instance_of(bool))
