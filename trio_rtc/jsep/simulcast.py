"""The layers of a simulcast: ``a=rid`` and ``a=simulcast`` (RFC 8851, RFC 8853)."""

from collections.abc import Iterator, Sequence

from trio_rtc import _attrs as attrs
from trio_rtc.enums import RTCRtpTransceiverDirection
from trio_rtc.protocols.rtp.codec import Codec
from trio_rtc.protocols.sdp import (
    Attribute,
    Rid,
    RtpAttributes,
    Simulcast,
    SimulcastAlternative,
)

from .transceivers import LocalTransceiver

MAXIMUM_LAYERS = 16
"""Layers per section; further ones are rejected. Browsers send three."""
# RFC 8851 section 5. A rid with an unknown restriction is rejected (section 6.2).
_KNOWN_RESTRICTIONS = frozenset(
    {"pt", "max-width", "max-height", "max-fps", "max-fs", "max-br", "max-pps", "max-bpp", "depend"}
)


@attrs.frozen
class Layer:
    """A layer of a simulcast.

    Attributes:
        rid: Its name.
        paused: Whether it is paused.
        restrictions: The restrictions of ``a=rid``, as text.
    """

    rid: str
    paused: bool = False
    restrictions: str | None = None


@attrs.frozen
class Layers:
    """The layers of a section, from its author's side."""

    sent: tuple[Layer, ...] = ()
    received: tuple[Layer, ...] = ()


def offered_layers(transceiver: LocalTransceiver) -> Layers:
    """Return the layers of an offer: inactive ones are not marked as paused, since nothing is negotiated for them."""
    if not transceiver.direction.sends:
        return Layers()
    return Layers(sent=tuple(Layer(each.rid or "") for each in transceiver.simulcast))


def section_layers(attributes: RtpAttributes) -> Layers:
    """Return the layers of a section: of each stream the first alternative with an ``a=rid``."""
    if attributes.simulcast is None:
        return Layers()
    rids = {(rid.id, rid.direction): rid for rid in reversed(attributes.rids)}
    return Layers(
        sent=_layers(attributes.simulcast.send, "send", rids),
        received=_layers(attributes.simulcast.receive, "recv", rids),
    )


def _layers(
    streams: Sequence[Sequence[SimulcastAlternative]], direction: str, rids: dict[tuple[str, str], Rid]
) -> tuple[Layer, ...]:
    layers: dict[str, Layer] = {}
    for stream in streams[:MAXIMUM_LAYERS]:
        for alternative in stream[:MAXIMUM_LAYERS]:
            rid = rids.get((alternative.rid, direction))
            if rid is not None and rid.id not in layers:
                layers[rid.id] = Layer(rid.id, alternative.paused, rid.restrictions)
                break
    return tuple(layers.values())


def answered_layers(
    transceiver: LocalTransceiver,
    offered: RtpAttributes,
    direction: RTCRtpTransceiverDirection,
    formats: Sequence[Codec],
) -> Layers:
    """Return the layers that an answer accepts: all that it can receive, and those of ours that are asked for."""
    layers = section_layers(offered)
    payload_types = {str(entry.payload_type) for entry in formats}
    received: tuple[Layer, ...] = ()
    sent: tuple[Layer, ...] = ()
    if direction.receives:
        received = tuple(layer for layer in layers.sent if _is_acceptable(layer, payload_types))
    if direction.sends:
        ours = {encoding.rid for encoding in transceiver.simulcast}
        sent = tuple(
            Layer(layer.rid, restrictions=layer.restrictions)
            for layer in layers.received
            if layer.rid in ours and _is_acceptable(layer, payload_types)
        )
    return Layers(sent, received)


def _is_acceptable(layer: Layer, payload_types: set[str]) -> bool:
    for restriction in (layer.restrictions or "").split(";"):
        name, _, value = restriction.partition("=")
        if name and name not in _KNOWN_RESTRICTIONS:
            return False
        if name == "pt" and not set(value.split(",")) <= payload_types:
            return False
    return True


def layer_attributes(layers: Layers) -> Iterator[Attribute]:
    """Yield the ``a=rid`` and ``a=simulcast`` attributes of layers."""
    for direction, some in (("send", layers.sent), ("recv", layers.received)):
        for layer in some:
            yield Attribute("rid", Rid(layer.rid, direction, layer.restrictions).to_value())
    if layers.sent or layers.received:
        yield Attribute("simulcast", Simulcast(_streams(layers.sent), _streams(layers.received)).to_value())


def _streams(layers: Sequence[Layer]) -> tuple[tuple[SimulcastAlternative, ...], ...]:
    return tuple((SimulcastAlternative(layer.rid, layer.paused),) for layer in layers)
