"""Options of an SRTP session."""

from trio_rtc import _attrs as attrs
from trio_rtc._attrs import validators


@attrs.frozen
class SrtpOptions:
    """Bounds of an SRTP session.

    Attributes:
        window_size: Size of the replay window of each SSRC, in packets (RFC 3711 section 3.3.2: at least 64). Within
            it, a packet may also be sent again. Each packet costs time in proportion, little up to 2048.
        max_inbound_sources: Largest number of SSRCs received. Each costs memory until
            :meth:`.SrtpSession.remove_source`, and libsrtp searches them linearly for each packet. Packets of further
            SSRCs are dropped and counted as ``refused``.
    """

    window_size: int = attrs.field(default=1024, validator=[validators.ge(64), validators.lt(0x8000)])
    max_inbound_sources: int = attrs.field(default=1024, validator=validators.ge(1))
