"""Bounds of an SRTP session."""

import attrs
from attrs import validators


@attrs.frozen
class SrtpOptions:
    """How much an SRTP session remembers.

    Attributes:
        window_size: Sequence numbers behind the newest of a source at which a packet is still taken, and may still be
            sent again (RFC 3711 section 3.3.2 asks for at least 64). Each packet costs time in proportion, little
            up to 2048.
        max_inbound_sources: Distinct SSRCs that are taken from the peer. Every one costs memory until
            :meth:`.SrtpSession.remove_source`, and each packet is looked up among them in linear time. When it is
            full, packets of other sources are dropped and counted as ``refused``.
    """

    window_size: int = attrs.field(default=1024, validator=[validators.ge(64), validators.lt(0x8000)])
    max_inbound_sources: int = attrs.field(default=1024, validator=validators.ge(1))
