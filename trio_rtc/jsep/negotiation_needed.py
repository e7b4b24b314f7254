"""The check whether a transceiver needs negotiation (W3C webrtc section 4.7.3)."""

from trio_rtc.enums import RTCRtpTransceiverDirection
from trio_rtc.protocols.sdp import SessionDescription, rtp_attributes

from .directions import intersect, reverse
from .offer_answer_exchange import OfferAnswerExchange
from .signaling import Side
from .transceivers import LocalTransceiver


def needs_negotiation(transceiver: LocalTransceiver, current: OfferAnswerExchange | None) -> bool:
    """Return whether a transceiver differs from its section in the last completed exchange."""
    mids = () if current is None else current.carried_mids()
    associated = current is not None and transceiver.mid in mids
    if not transceiver.is_live:
        # The peer still has its section. Without a section, stopping needs no negotiation.
        return associated
    if current is None or not associated or current.local is None or current.remote is None:
        return True
    index = current.mids().index(transceiver.mid or "")
    if transceiver.direction.sends and _msids(current.local.parsed, index) != set(transceiver.stream_ids):
        return True
    ours = _direction(current.local.parsed, index)
    theirs = reverse(_direction(current.remote.parsed, index))
    if current.offerer is Side.LOCAL:
        return transceiver.direction not in (ours, theirs)
    return ours is not intersect(transceiver.direction, theirs)


def _msids(description: SessionDescription, index: int) -> set[str] | None:
    """Return the streams of a local section, ``None`` if it has no ``a=msid``."""
    msids = rtp_attributes(description, index).msids
    return {msid.stream_id for msid in msids if msid.stream_id != "-"} if msids else None


def _direction(description: SessionDescription, index: int) -> RTCRtpTransceiverDirection:
    return RTCRtpTransceiverDirection(rtp_attributes(description, index).direction)
