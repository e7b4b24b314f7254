"""Collection of the layers' counters, which are not W3C's."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from trio_rtc import _attrs as attrs
from trio_rtc._connection.bundle_transports import BundleTransport
from trio_rtc.tracks.media_stream_track import source_of
from trio_rtc.transceivers.transceiver import Transceiver
from trio_rtc.transports.stack import TransportStack


def layer_counters(
    transports: Iterable[BundleTransport], transceivers: Iterable[Transceiver]
) -> dict[str, Mapping[str, float]]:
    """Return layer → counter → number, summed over the transports."""
    totals: dict[str, Counter[str]] = {}
    for transport in transports:
        for layer, counters in _stack_counters(transport.stack).items():
            totals.setdefault(layer, Counter()).update(counters)
    layers: dict[str, Mapping[str, float]] = {name: dict(counters) for name, counters in totals.items()}
    if "rtp" in layers:
        layers["media"] = _media_counters(transceivers)
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


def _media_counters(transceivers: Iterable[Transceiver]) -> dict[str, float]:
    """Return the counters of tracks, encoders, decoders and the application's queues."""
    totals: Counter[str] = Counter()
    for transceiver in transceivers:
        send, receive = transceiver.send, transceiver.receive
        if send.track is not None:
            source = source_of(send.track)
            totals["frames_from_tracks"] += source.frames
            totals["frames_from_tracks_dropped"] += source.dropped
        if send.pipeline is not None:
            totals["frames_encoded"] += send.pipeline.frames_encoded
            totals["frames_failed"] += send.pipeline.frames_failed
        totals["keyframe_requests_dropped"] += sum(queue.dropped for queue in send.keyframe_requests)
        totals["frames_to_tracks"] += receive.source.frames
        totals["frames_to_tracks_dropped"] += receive.source.dropped
        totals["packets_and_encoded_frames_dropped"] += receive.dropped
        pipeline = receive.pipeline
        totals["transforms_dropped"] += pipeline.transforms_dropped
        totals["decoder_dropped"] += pipeline.all_dropped
        for decoded in pipeline.decoded.values():
            totals["frames_decoded"] += decoded.decoded
            totals["frames_broken"] += decoded.broken
    return dict(totals)


def _numbers(counters: Any) -> dict[str, float]:
    """Return the numeric fields of an attrs object and of its mappings."""
    numbers: dict[str, float] = {}
    for name, value in attrs.asdict(counters, recurse=False).items():
        if isinstance(value, Mapping):
            numbers.update(value)
        elif isinstance(value, int | float):
            numbers[name] = value
    return numbers
