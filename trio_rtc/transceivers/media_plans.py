"""Conversion of the plan of a media section to the parameters of RTP and W3C's dictionaries."""

from collections.abc import Sequence

from trio_rtc import _attrs as attrs
from trio_rtc.jsep.codecs import fits_encoders
from trio_rtc.jsep.media_plan import MediaPlan
from trio_rtc.protocols.rtp import Codec, Encoding, ReceiveParameters, SendParameters
from trio_rtc.protocols.rtp.codec import is_same_codec

from .capabilities import OFFERED, codec_fields
from .rtp_parameters import (
    RTCRtcpParameters,
    RTCRtpCodecParameters,
    RTCRtpEncodingParameters,
    RTCRtpHeaderExtensionParameters,
    RTCRtpReceiveParameters,
)

_OPUS_BITRATES = ((8_000, 12_000), (16_000, 20_000))
_FULLBAND_OPUS_BITRATE = 32_000
"""Bits per second of mono speech, by the maximum playback rate of the peer (RFC 7587 section 3.1.1)."""


def with_added_codecs(plan: MediaPlan) -> MediaPlan:
    """Return a plan in which codecs that only the peer's answer lists are sent if they can be encoded.

    W3C webrtc section 4.4.1.5: ``[[SendCodecs]]`` are those of the answer that can be sent, in its order.
    """
    if not plan.answer_codecs:
        return plan
    known = {codec.payload_type: codec for codec in plan.send_codecs}
    for entry in plan.answer_codecs:
        ours = next((each for each in OFFERED.of(plan.kind).codecs if is_same_codec(each, entry)), None)
        if entry.payload_type not in known and entry.is_media and ours is not None and not ours.receive_only:
            feedback = [kind for kind in entry.feedback if kind in ours.feedback]
            known[entry.payload_type] = entry.with_feedback(feedback)
    order = {codec.payload_type: place for place, codec in enumerate(plan.answer_codecs)}
    return attrs.evolve(
        plan, send_codecs=tuple(sorted(known.values(), key=lambda codec: order[codec.payload_type]))
    )


def receive_parameters(plan: MediaPlan) -> ReceiveParameters:
    """Return RTP's parameters for receiving in a section."""
    rtx_ssrcs, fec_ssrcs = _repair_ssrcs(plan, "FID"), _repair_ssrcs(plan, "FEC-FR")
    sources = {
        source.ssrc: None
        for source in plan.remote_sources
        if source.ssrc not in rtx_ssrcs and source.ssrc not in fec_ssrcs
    }
    return ReceiveParameters(
        plan.mid,
        plan.kind,
        plan.receive_codecs,
        {extension.id: extension.uri for extension in plan.header_extensions if extension.direction.receives},
        sources,
        rtx_ssrcs,
        fec_ssrcs,
        plan.direction is not None and plan.direction.receives,
        # W3C mediacapture-streams section 4.1: the tracks of a stream are synchronized.
        next(iter(plan.remote_stream_ids), None),
    )


def _repair_ssrcs(plan: MediaPlan, semantics: str) -> dict[int, int]:
    """Return repair SSRC → media SSRC for the peer's SSRC groups of a semantics (RFC 5576 section 4.2)."""
    return {
        repair: group.ssrcs[0]
        for group in plan.remote_source_groups
        if group.semantics == semantics and group.ssrcs
        for repair in group.ssrcs[1:]
    }


def send_parameters(
    plan: MediaPlan, streams: Sequence[Encoding], encodings: Sequence[RTCRtpEncodingParameters]
) -> SendParameters:
    """Return RTP's parameters for sending in a section.

    Args:
        plan: The negotiated plan.
        streams: The RTP streams, without the bitrate limits of the codec.
        encodings: W3C's encodings of these streams.
    """
    chosen = next((encoding.codec for encoding in encodings if encoding.codec is not None), None)
    # The SSRCs of simulcast layers are not signaled; FlexFEC packets carry the SSRC that they protect.
    has_flexfec = plan.flexfec_announced or bool(plan.send_layers)
    # Frames are sent with the first payload type of their codec, whose profile must be one that can be encoded.
    codecs = sorted(plan.send_codecs, key=lambda codec: not fits_encoders(codec))
    if chosen is not None:
        codecs.sort(key=lambda codec: codec.name.lower() != chosen.name.lower())
    return SendParameters(
        plan.mid,
        plan.kind,
        tuple(codecs),
        tuple(
            attrs.evolve(
                stream,
                max_bitrate=_max_bitrate(stream.max_bitrate, codecs),
                fec_ssrc=stream.fec_ssrc if has_flexfec else None,
            )
            for stream in streams
        ),
        {extension.id: extension.uri for extension in plan.header_extensions if extension.direction.sends},
        plan.rtcp_reduced_size,
        plan.direction is not None and plan.direction.sends,
        plan.bandwidth,
    )


def _max_bitrate(chosen: int | None, codecs: Sequence[Codec]) -> int | None:
    """Return the maximum bitrate of a stream: the minimum of a chosen limit and the peer's ``maxaveragebitrate``.

    Opus without both gets libwebrtc's default for its channels and bandwidth.
    """
    first = next((codec for codec in codecs if codec.name.lower() == "opus"), None)
    if first is None or codecs[0].name.lower() not in ("opus", "red"):
        return chosen
    text = first.parameters.get("maxaveragebitrate", "")
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        return _default_opus_bitrate(first) if chosen is None else chosen
    # RFC 7587 section 6.1: values outside this range are clamped.
    limit = min(max(int(text), 6_000), 510_000)
    return limit if chosen is None else min(limit, chosen)


def _default_opus_bitrate(codec: Codec) -> int:
    """Return the bitrate of speech for the peer's channels and maximum playback rate."""
    text = codec.parameters.get("maxplaybackrate", "")
    playback_rate = int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else codec.clock_rate
    mono_bitrate = next(
        (bitrate for rate, bitrate in _OPUS_BITRATES if playback_rate <= rate), _FULLBAND_OPUS_BITRATE
    )
    return mono_bitrate * (2 if codec.parameters.get("stereo") == "1" else 1)


def codec_parameters(kind: str, codecs: Sequence[Codec]) -> tuple[RTCRtpCodecParameters, ...]:
    """Return W3C's codec parameters."""
    return tuple(
        RTCRtpCodecParameters(*codec_fields(kind, each), payload_type=each.payload_type) for each in codecs
    )


def extension_parameters(plan: MediaPlan) -> tuple[RTCRtpHeaderExtensionParameters, ...]:
    """Return W3C's header extension parameters."""
    return tuple(RTCRtpHeaderExtensionParameters(each.uri, each.id) for each in plan.header_extensions)


def w3c_receive_parameters(
    kind: str, plan: MediaPlan | None, codecs: Sequence[Codec]
) -> RTCRtpReceiveParameters:
    """Return the parameters for a receiver's ``get_parameters``."""
    if plan is None:
        return RTCRtpReceiveParameters(codecs=codec_parameters(kind, codecs))
    return RTCRtpReceiveParameters(
        extension_parameters(plan),
        RTCRtcpParameters(reduced_size=plan.rtcp_reduced_size),
        codec_parameters(kind, codecs),
    )
