"""What can be set about the session."""

from typing import Literal

import attrs
from attrs import validators

from trio_rtc._strict_names.checks import strict_class
from trio_rtc.protocols.sdp import SdpOptions


@strict_class
@attrs.frozen
class SessionOptions:
    """Settings of a session.

    Attributes:
        sdp: Bounds of the descriptions that are accepted from the peer.
        answer_setup: The DTLS role taken in answers where the offer leaves the choice: ``active``, the client, saves
            half a round trip and is what RFC 8842 section 5.3 recommends; ``passive`` is the server.
        announce_flexfec: Whether an offer announces the sources of FlexFEC before the peer has listed ``flexfec-03``,
            so that the first offer is enough to protect video by it. Pion takes such a source for a second track and
            refuses the offer.
        maximum_candidates: Candidates kept in one section of a description, per side. Further ones of ours are
            still usable and only absent from the text; further ones of the peer are ignored.
    """

    sdp: SdpOptions = attrs.field(factory=SdpOptions, validator=validators.instance_of(SdpOptions))
    answer_setup: Literal["active", "passive"] = attrs.field(
        default="active", validator=validators.in_(("active", "passive"))
    )
    announce_flexfec: bool = False
    maximum_candidates: int = attrs.field(default=256, validator=validators.ge(0))
