"""What can be set about the session."""

from typing import Literal

import attrs

from trio_rtc.protocols.sdp import SdpOptions


@attrs.frozen
class SessionOptions:
    """Settings of a session.

    Attributes:
        sdp: Bounds of the descriptions that are accepted from the peer.
        answer_setup: The DTLS role taken in answers where the offer leaves the choice. ``active`` saves half a
            round trip and is what RFC 8842 section 5.3 recommends.
        maximum_candidates: Candidates kept in one section of a description, per side. Further ones of ours are
            still usable and only absent from the text; further ones of the peer are ignored.
    """

    sdp: SdpOptions = attrs.Factory(SdpOptions)
    answer_setup: Literal["active", "passive"] = "active"
    maximum_candidates: int = 256
