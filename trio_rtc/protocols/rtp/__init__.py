"""RTP (RFC 3550), pure: packets, header extensions, payload formats, repair, and the session over all streams."""

from .frame import EncodedFrame
from .packet import RtpPacket

__all__ = ["EncodedFrame", "RtpPacket"]
