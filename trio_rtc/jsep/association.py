"""Association of the sections of a remote offer with transceivers, and the sections that cannot be accepted.

RFC 9429 section 5.10, W3C webrtc section 4.4.1.5.
"""

from collections.abc import Sequence

from trio_rtc import _attrs as attrs
from trio_rtc.enums import RTCRtpTransceiverDirection
from trio_rtc.protocols.sdp import SessionDescription, is_rtp_section, rtp_attributes, transport_attributes

from .capabilities import MediaCapabilities
from .formats import accepts_media, section_formats
from .offer_answer_exchange import is_rejected, section_mids
from .transceivers import LocalTransceiver


@attrs.frozen
class Association:
    """The transceivers of an offer's sections.

    Attributes:
        keys: The transceiver of each section, ``None`` for a section without one.
        refused: The sections that cannot be accepted.
    """

    keys: tuple[int | None, ...]
    refused: frozenset[int]


def associate(
    offer: SessionDescription, transceivers: Sequence[LocalTransceiver], capabilities: MediaCapabilities
) -> Association:
    """Find a transceiver for each section of audio or video.

    An associated section keeps its transceiver. A new section that allows sending is associated with the first
    transceiver of its kind that ``add_track`` created and that has no section yet; any other needs a new transceiver,
    which the key ``None`` means.
    """
    by_mid = {each.mid: each for each in transceivers if each.mid is not None and not each.stopped}
    waiting = [each for each in transceivers if each.mid is None and each.added_by_track and each.is_live]
    keys: list[int | None] = []
    refused = set()
    for index, (media, mid) in enumerate(zip(offer.media, section_mids(offer), strict=True)):
        found = by_mid.get(mid)
        if found is not None and found.kind != media.kind:
            found = None
        if is_rtp_section(media) and not is_rejected(media):
            wanted = found or _waiting_for(offer, index, waiting)
            codecs = capabilities.of(media.kind).codecs if wanted is None else wanted.codecs
            any_profile = capabilities.any_profile if wanted is None else wanted.any_profile
            if not _is_acceptable(offer, index) or not accepts_media(
                codecs, section_formats(offer, index), any_profile=any_profile
            ):
                refused.add(index)
            elif found is None and wanted is not None:
                waiting.remove(wanted)
                found = wanted
        keys.append(None if found is None else found.key)
    return Association(tuple(keys), frozenset(refused))


def _waiting_for(
    offer: SessionDescription, index: int, waiting: Sequence[LocalTransceiver]
) -> LocalTransceiver | None:
    direction = RTCRtpTransceiverDirection(rtp_attributes(offer, index).direction)
    if not direction.receives:
        return None
    return next((each for each in waiting if each.kind == offer.media[index].kind), None)


def _is_acceptable(offer: SessionDescription, index: int) -> bool:
    """Return whether a section can be encrypted."""
    # RTP/AVP and the like mean plain RTP, unless there is a fingerprint.
    is_plain = offer.media[index].protocol.startswith("RTP/")
    return not is_plain or bool(transport_attributes(offer, index).fingerprints)
