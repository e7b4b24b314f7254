"""The negotiated parameters of the media sections in which the peer may send, indexed for demultiplexing."""

from collections.abc import Iterable, Mapping

from trio_rtc import _attrs as attrs
from trio_rtc.protocols.rtp.codec import Codec
from trio_rtc.protocols.rtp.packet.extensions import MID, REPAIRED_RTP_STREAM_ID, RTP_STREAM_ID, ExtensionMap
from trio_rtc.protocols.rtp.parameters import ReceiveParameters


@attrs.frozen
class Route:
    """The destination of the packets of one SSRC.

    Attributes:
        rid: The simulcast layer; of an RTX or FEC stream, the layer that it repairs.
    """

    section: ReceiveParameters
    rid: str | None = None


class ReceiveSections:
    """The media sections that receive. Immutable: a new negotiation makes another one.

    Args:
        sections: The sections whose direction lets the peer send.

    Attributes:
        by_payload_type: The section of each payload type that only one section uses.
        announced: The route of each SSRC in the remote description.
        codecs: The codecs of each section by payload type, by MID.
        extensions: The header extensions of each section, by MID.
        all_extensions: The extensions of all sections: an id means the same in each of them (RFC 9143 section 9.2).
        identifying_elements: The ids of the MID, RID and repaired RID extensions.
        rtx_ssrcs: Announced RTX SSRC → SSRC that it retransmits.
        fec_ssrcs: Announced FlexFEC SSRC → SSRC that it protects.
        sync_groups: MID → name of the group whose sections are played in sync.
    """

    __slots__ = (
        "all_extensions",
        "announced",
        "by_mid",
        "by_payload_type",
        "codecs",
        "extensions",
        "fec_ssrcs",
        "identifying_elements",
        "rtx_ssrcs",
        "sync_groups",
    )

    def __init__(self, sections: Iterable[ReceiveParameters] = ()) -> None:
        sections = list(sections)
        self.by_mid = {section.mid: section for section in sections}
        self.codecs: Mapping[str, Mapping[int, Codec]] = {
            section.mid: {codec.payload_type: codec for codec in section.codecs} for section in sections
        }
        self.extensions = {section.mid: ExtensionMap(section.extensions) for section in sections}
        self.all_extensions = ExtensionMap(
            [pair for extensions in self.extensions.values() for pair in extensions.uris.items()]
        )
        numbers = (self.all_extensions.number(uri) for uri in (MID, RTP_STREAM_ID, REPAIRED_RTP_STREAM_ID))
        self.identifying_elements = frozenset(number for number in numbers if number is not None)
        self.rtx_ssrcs = {rtx: media for section in sections for rtx, media in section.rtx_ssrcs.items()}
        self.fec_ssrcs = {fec: media for section in sections for fec, media in section.fec_ssrcs.items()}
        self.sync_groups = {
            section.mid: section.sync_group for section in sections if section.sync_group is not None
        }
        self.announced: dict[int, Route] = {}
        users: dict[int, list[ReceiveParameters]] = {}
        for section in self.by_mid.values():
            for codec in section.codecs:
                users.setdefault(codec.payload_type, []).append(section)
            for ssrc, rid in section.ssrcs.items():
                self.announced[ssrc] = Route(section, rid)
            for repair, media in (*section.rtx_ssrcs.items(), *section.fec_ssrcs.items()):
                self.announced[repair] = Route(section, section.ssrcs.get(media))
        self.by_payload_type = {number: found[0] for number, found in users.items() if len(found) == 1}

    def rtx_ssrc_of(self, ssrc: int) -> int | None:
        return next((rtx for rtx, media in self.rtx_ssrcs.items() if media == ssrc), None)

    def fec_ssrc_of(self, ssrc: int) -> int | None:
        return next((fec for fec, media in self.fec_ssrcs.items() if media == ssrc), None)
