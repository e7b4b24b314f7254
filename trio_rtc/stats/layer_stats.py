"""Not W3C's: the counters of our own layers, what was dropped where, and why."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from trio_rtc._connection.bundle_transports import BundleTransport
from trio_rtc._connection.media_engine import MediaEngine
from trio_rtc.transceivers.rtp_transceiver import RTCRtpTransceiver
from trio_rtc.transports.stack import TransportStack


@attrs.frozen(kw_only=True)
class LayerStats:
    """Not W3C's: the counters of our layers, by their own names.

    Attributes:
        counters: Layer → counter → number, or reason → number for what was dropped.
    """

    id: str
    timestamp: float
    type: str = "layers"
    counters: Mapping[str, Mapping[str, float]]


def layer_counters(
    transports: Iterable[BundleTransport], transceivers: Iterable[RTCRtpTransceiver], media: MediaEngine
) -> dict[str, Mapping[str, float]]:
    """Return the counters of all layers: layer → counter → number, of several transports the sum."""
    totals: dict[str, Counter[str]] = {}
    for transport in transports:
        for layer, counters in _stack_counters(transport.stack).items():
            totals.setdefault(layer, Counter()).update(counters)
    layers: dict[str, Mapping[str, float]] = {name: dict(counters) for name, counters in totals.items()}
    if "rtp" in layers:
        layers["media"] = _media_counters(transceivers, media)
    return layers


def _stack_counters(stack: TransportStack) -> dict[str, Mapping[str, float]]:
    ice: dict[str, float] = {
        "inbox_dropped": stack.ice.inbox_dropped,
        "unsent": stack.ice.unsent,
        "unexpected": stack.ice.unexpected,
        "unsendable": stack.ice.unsendable,
        **stack.agent.dropped,
    }
    layers: dict[str, Mapping[str, float]] = {"ice": ice}
    if stack.dtls is not None:
        layers["dtls"] = {
            "inbox_dropped": stack.dtls.inbox_dropped,
            "unsent": stack.dtls.unsent,
            **_numbers(stack.dtls.connection.counters),
        }
    if stack.sctp is not None:
        layers["sctp"] = {
            "inbox_dropped": stack.sctp.inbox_dropped,
            **_numbers(stack.sctp.association.statistics()),
        }
    else:
        layers["sctp"] = {"inbox_dropped": stack.early_sctp_dropped}
    layers["data_channels"] = dict(stack.control.dropped)
    if stack.mdns is not None:
        layers["mdns"] = {
            "inbox_dropped": stack.mdns.inbox_dropped,
            "unsendable": stack.mdns.unsendable,
            **stack.mdns.resolver.dropped,
        }
    if stack.rtp is not None:
        layers.update(stack.rtp.session.counters())
        layers["rtp"] = {"inbox_dropped": stack.rtp.inbox_dropped, **layers["rtp"]}
    return layers


def _media_counters(transceivers: Iterable[RTCRtpTransceiver], media: MediaEngine) -> dict[str, float]:
    """Return what the ends of RTP have counted: tracks, encoders, decoders, and queues of the application."""
    totals: Counter[str] = Counter()
    for transceiver in transceivers:
        sender, receiver = transceiver.sender, transceiver.receiver
        if sender.track is not None:
            totals["frames_from_tracks"] += sender.track._source.frames
            totals["frames_from_tracks_dropped"] += sender.track._source.dropped
        if (pump := media.sending(sender)) is not None:
            totals["frames_encoded"] += pump.frames_encoded
            totals["frames_failed"] += pump.frames_failed
        totals["keyframe_requests_dropped"] += sum(queue.dropped for queue in sender._keyframe_requests)
        totals["frames_to_tracks"] += receiver._source.frames
        totals["frames_to_tracks_dropped"] += receiver._source.dropped
        totals["packets_and_encoded_frames_dropped"] += receiver._dropped
        if (receiving := media.receiving(receiver)) is not None:
            totals["transforms_dropped"] += receiving.transforms_dropped
            totals["decoder_dropped"] += receiving.all_dropped
            for decoded in receiving.decoded.values():
                totals["frames_decoded"] += decoded.decoded
                totals["frames_broken"] += decoded.broken
    return dict(totals)


def _numbers(counters: Any) -> dict[str, float]:
    """Return the numbers among the fields of an attrs object, mappings of reasons flattened."""
    numbers: dict[str, float] = {}
    for name, value in attrs.asdict(counters, recurse=False).items():
        if isinstance(value, Mapping):
            numbers.update(value)
        elif isinstance(value, int | float):
            numbers[name] = value
    return numbers
