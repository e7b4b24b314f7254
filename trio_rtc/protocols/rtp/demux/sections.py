"""What was negotiated for the sections in which the peer may send, as packets need it."""

from collections.abc import Iterable, Mapping

from trio_rtc.protocols.rtp.packet.extensions import MID, REPAIRED_RTP_STREAM_ID, RTP_STREAM_ID, ExtensionMap
from trio_rtc.protocols.rtp.parameters import Codec, ReceiveParameters


class ReceiveSections:
    """The sections that receive.

    Args:
        sections: Those whose direction lets the peer send.

    Attributes:
        codecs: What each payload type stands for, by the MID of the section.
        extensions: The header extensions of each section, by its MID.
        all_extensions: Those of all sections together: RFC 9143 section 9.2 relies on it that numbers mean the same
            everywhere.
        name_elements: The numbers of those by which a packet says where it belongs.
        repaired: Source of retransmissions that was announced → source that it repairs.
        corrected: Source of FlexFEC that was announced → source that it protects.
        sync_groups: Sections that are played together with others → the name of their group.
    """

    __slots__ = (
        "all_extensions",
        "codecs",
        "corrected",
        "extensions",
        "name_elements",
        "repaired",
        "sync_groups",
    )

    def __init__(self, sections: Iterable[ReceiveParameters] = ()) -> None:
        sections = list(sections)
        self.codecs: Mapping[str, Mapping[int, Codec]] = {
            section.mid: {codec.payload_type: codec for codec in section.codecs} for section in sections
        }
        self.extensions = {section.mid: ExtensionMap(section.extensions) for section in sections}
        self.all_extensions = ExtensionMap(
            [pair for extensions in self.extensions.values() for pair in extensions.uris.items()]
        )
        numbers = (self.all_extensions.number(uri) for uri in (MID, RTP_STREAM_ID, REPAIRED_RTP_STREAM_ID))
        self.name_elements = frozenset(number for number in numbers if number is not None)
        self.repaired = {
            repair: repaired for section in sections for repair, repaired in section.repairs.items()
        }
        self.corrected = {
            correction: protected
            for section in sections
            for correction, protected in section.fec_ssrcs.items()
        }
        self.sync_groups = {
            section.mid: section.sync_group for section in sections if section.sync_group is not None
        }

    def retransmits(self, ssrc: int) -> int | None:
        """Return the source that was announced to repair another one by retransmission, the first of several."""
        return next((repair for repair, repaired in self.repaired.items() if repaired == ssrc), None)

    def corrects(self, ssrc: int) -> int | None:
        """Return the source that was announced to protect another one by FlexFEC, the first of several."""
        return next((repair for repair, protected in self.corrected.items() if protected == ssrc), None)
