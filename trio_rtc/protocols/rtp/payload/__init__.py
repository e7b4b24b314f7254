"""RTP payload formats: packetizers split each codec's frames into payloads, depacketizers reassemble them.

Each codec has a module; :func:`packetizer` and :func:`depacketizer` select by SDP encoding name. A server that does not
decode reads a payload's layers with :func:`layer_reader`, and joins simulcast layers into one stream with
:func:`descriptor_rewriter`.
"""

from typing import TYPE_CHECKING

from trio_rtc.protocols._lazy import lazy_names

from ._format import AssembledFrame, Depacketizer, Packetizer
from .continuity import Continuity, ContinuityTracker
from .layers import LayerIds
from .telephone_event import DTMF_EVENTS, TelephoneEvent

__all__ = [
    "DTMF_EVENTS",
    "AssembledFrame",
    "Continuity",
    "ContinuityTracker",
    "Depacketizer",
    "LayerIds",
    "Packetizer",
    "QuantizerReader",
    "ReferenceReader",
    "DescriptorRewriter",
    "TelephoneEvent",
    "depacketizer",
    "frame_number_tracker",
    "layer_reader",
    "packetizer",
    "payload_duration",
    "has_in_band_fec",
    "descriptor_rewriter",
    "quantizer_reader",
    "reference_reader",
]

if TYPE_CHECKING:
    from .registry import (
        DescriptorRewriter,
        QuantizerReader,
        ReferenceReader,
        depacketizer,
        descriptor_rewriter,
        frame_number_tracker,
        has_in_band_fec,
        layer_reader,
        packetizer,
        payload_duration,
        quantizer_reader,
        reference_reader,
    )
else:
    # A connection without media does not import the payload formats.
    __getattr__ = lazy_names(
        __name__,
        {
            "registry": (
                "DescriptorRewriter",
                "QuantizerReader",
                "ReferenceReader",
                "depacketizer",
                "descriptor_rewriter",
                "frame_number_tracker",
                "has_in_band_fec",
                "layer_reader",
                "packetizer",
                "payload_duration",
                "quantizer_reader",
                "reference_reader",
            ),
        },
    )
