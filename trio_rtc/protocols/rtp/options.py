"""Options of RTP."""

import attrs
from attrs.validators import ge, gt

from trio_rtc.protocols.bandwidth_estimation import BandwidthEstimationOptions
from trio_rtc.protocols.srtp import SrtpOptions

from .fec import FecOptions
from .history import HistoryOptions
from .nack import NackOptions
from .receive import AudioPlayoutOptions, FrameAssemblerOptions, LipSyncOptions
from .red import RedOptions


@attrs.frozen
class RtpOptions:
    """How the RTP session behaves.

    Attributes:
        max_packet_size: Bytes of a packet with everything but SRTP's tag: 1200 less what SRTP and RTX may add.
        max_streams: Incoming sources that are followed at once. Beyond, the packets of new ones are dropped and
            counted (``too many streams``); the table of a peer's sources must not grow without bound.
        report_interval_audio: Seconds between reports of a session without video (RFC 3550 section 6.2).
        report_interval_video: Seconds between reports of one with video.
        source_timeout: Seconds of silence after which an incoming source is forgotten (RFC 3550 section 6.3.5).
        keyframe_interval: Seconds that pass at least between two requests for a keyframe of one source.
        max_early_packets: Packets that are kept until the keys are there, which may come a moment later.
        max_early_media_bytes: What the first packets of video that nobody wants yet may take, of all sources together:
            their payloads, and 512 bytes for each packet. Beyond, the source whose first packets are the oldest loses
            them, and a keyframe is requested once somebody wants its video (``early_media_dropped``).
        max_assembly_bytes: What packets of video whose frame is not complete may take, of all sources together: their
            payloads, and 512 bytes for each packet. Beyond, the source that has most loses all of them, and a keyframe
            is requested (``assembly_dropped``).
        max_held_bytes: What frames of video that wait for their audio may take, of all sources together. Beyond, those
            of the source that adds one are shown at once.
        max_fec_bytes: What the packets kept for forward error correction may take, of all sources together: all of
            each, and 512 bytes beside it. Beyond, the source that has most loses all of them (``fec_dropped``).
        max_idle_sources: Sources without a stream whose replay windows are kept (:mod:`.idle_sources`).
        red_loss: Part of our packets, 0 to 1, that must be lost so that sound is sent with redundancy where that was
            negotiated; it is left off again at half of that.
        fec_loss: Part of our packets that must be lost so that video is sent with forward error correction where that
            was negotiated; likewise.
        history: What is kept for retransmission.
        red: How much redundancy sound has.
        fec: How much is kept to get video back, and of how many frames it is protected together.
        nack: How what is missing is asked for.
        assembler: How frames of video wait for what is missing.
        playout: How sound is buffered.
        lip_sync: How sound and picture are kept together.
        congestion: Bandwidth estimation, pacing, feedback.
        srtp: Bounds of SRTP.
    """

    max_packet_size: int = attrs.field(default=1160, validator=[ge(300), attrs.validators.le(1400)])
    max_streams: int = attrs.field(default=256, validator=gt(0))
    report_interval_audio: float = attrs.field(default=5.0, validator=gt(0))
    report_interval_video: float = attrs.field(default=1.0, validator=gt(0))
    source_timeout: float = attrs.field(default=60.0, validator=gt(0))
    keyframe_interval: float = attrs.field(default=0.3, validator=gt(0))
    max_early_packets: int = attrs.field(default=64, validator=ge(0))
    max_early_media_bytes: int = attrs.field(default=16 << 20, validator=ge(0))
    max_assembly_bytes: int = attrs.field(default=64 << 20, validator=ge(0))
    max_held_bytes: int = attrs.field(default=32 << 20, validator=ge(0))
    max_fec_bytes: int = attrs.field(default=32 << 20, validator=ge(0))
    max_idle_sources: int = attrs.field(default=256, validator=gt(0))
    red_loss: float = attrs.field(default=0.01, validator=[ge(0), attrs.validators.le(1)])
    fec_loss: float = attrs.field(default=0.01, validator=[ge(0), attrs.validators.le(1)])
    history: HistoryOptions = attrs.field(factory=HistoryOptions)
    red: RedOptions = attrs.field(factory=RedOptions)
    fec: FecOptions = attrs.field(factory=FecOptions)
    nack: NackOptions = attrs.field(factory=NackOptions)
    assembler: FrameAssemblerOptions = attrs.field(factory=FrameAssemblerOptions)
    playout: AudioPlayoutOptions = attrs.field(factory=AudioPlayoutOptions)
    lip_sync: LipSyncOptions = attrs.field(factory=LipSyncOptions)
    congestion: BandwidthEstimationOptions = attrs.field(factory=BandwidthEstimationOptions)
    srtp: SrtpOptions = attrs.field(factory=SrtpOptions)
