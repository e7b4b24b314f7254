"""Options of RTP: plain values, of the parts and of the session. Times are in seconds."""

from typing import Final

from attrs.validators import ge, gt

from trio_rtc import _attrs as attrs
from trio_rtc._attrs import validators
from trio_rtc._strict_names.checks import strict_class
from trio_rtc.protocols.bandwidth_estimation import BandwidthEstimationOptions
from trio_rtc.protocols.srtp import SrtpOptions

MAX_RED_BLOCKS: Final = 32
"""Blocks of a RED payload (RFC 2198): more redundancy is of no use, and each block costs work."""


@attrs.frozen
class FrameAssemblerOptions:
    """The wait of video for missing packets, and the limits of its buffer.

    Attributes:
        max_wait: The wait for a packet that may still be retransmitted or recovered, until a keyframe is requested.
        longest_wait: The maximum wait where the path is so long that the answer to a second request for the packet
            takes more time, without the queueing delay that is added to it (up to a second); also the maximum wait for
            the requested keyframe.
        last_wait: The additional minimum wait while the requested keyframe is in flight.
        min_wait: The minimum wait for reordered packets where lost packets are not retransmitted.
        max_packets: The buffered packets; beyond, all are dropped and a keyframe is requested. A sequence number this
            far from the next expected one is a restart of the stream.
        max_bytes: The buffered bytes of payload; beyond, likewise.
        keyframe_interval: The time until a keyframe request is repeated; half as long again each time.
        max_keyframe_interval: The maximum of that time.
        restart_silence: When no packet was useful for this long, a keyframe with any sequence number is accepted.
    """

    max_wait: float = attrs.field(default=0.5, validator=validators.ge(0))
    longest_wait: float = attrs.field(default=1.0, validator=validators.ge(0))
    last_wait: float = attrs.field(default=0.3, validator=validators.ge(0))
    min_wait: float = attrs.field(default=0.02, validator=validators.ge(0))
    max_packets: int = attrs.field(default=2048, validator=validators.ge(2))
    max_bytes: int = attrs.field(default=8 << 20, validator=validators.ge(1))
    keyframe_interval: float = attrs.field(default=0.3, validator=validators.gt(0))
    max_keyframe_interval: float = attrs.field(default=3.0, validator=validators.gt(0))
    restart_silence: float = attrs.field(default=1.0, validator=validators.gt(0))


@attrs.frozen
class JitterOptions:
    """The estimate of the target delay from the measured variation of delay.

    Attributes:
        percentile: The part of the frames that should arrive in time.
        window: The number of last frames that are used.
        remembered: The number of frames for which a long delay that does not recur increases the target.
        peak_interval: The interval of which only the longest delay is used as a peak; 0 for no peaks.
        peaks: The number of last peaks that are used.
        peak_percentile: The part of the peaks that should arrive in time.
        peak_patience: Peaks of a height are over when it was not reached for this many intervals, and as many more as
            were between two of them at most.
        longest_peak: A peak that is more than this above the minimum delay is not used.
        peak_margin: Added to the peaks, for playout is not exactly on time.
        peak_reserve: The part of the peaks that is added to them: the next may be higher than the few known ones.
        min_delay: The minimum target.
        max_delay: The maximum target.
        max_jump: A delay that differs so much from the one before resets the estimate.
    """

    percentile: float = attrs.field(default=0.97, validator=[validators.gt(0), validators.le(1)])
    window: int = attrs.field(default=250, validator=validators.ge(2))
    remembered: int = attrs.field(default=75, validator=validators.ge(1))
    peak_interval: float = attrs.field(default=0.0, validator=validators.ge(0))
    peaks: int = attrs.field(default=40, validator=validators.ge(1))
    peak_percentile: float = attrs.field(default=0.95, validator=[validators.gt(0), validators.le(1)])
    peak_patience: int = attrs.field(default=8, validator=validators.ge(0))
    longest_peak: float = attrs.field(default=0.12, validator=validators.ge(0))
    peak_margin: float = attrs.field(default=0.0, validator=validators.ge(0))
    peak_reserve: float = attrs.field(default=0.0, validator=validators.ge(0))
    min_delay: float = attrs.field(default=0.0, validator=validators.ge(0))
    max_delay: float = attrs.field(default=1.0, validator=validators.ge(0))
    max_jump: float = attrs.field(default=3.0, validator=validators.gt(0))


@attrs.frozen
class AudioPlayoutOptions:
    """The playout buffer of audio.

    Attributes:
        jitter: The estimate of the target delay.
        max_frames: The maximum of buffered frames; the oldest is dropped. The target delay is at most the duration of
            three quarters of them: 1.5 s with frames of 20 ms.
        tolerance: The delay above the target at which frames are skipped; at least a frame's duration.
        adjustment_interval: The minimum time between two skipped or inserted frames. After a frame that was lengthened
            or shortened by a part of its duration, it is that part of this time.
        max_excess: A delay this much above the target is corrected at once.
        max_silence: After this long without a frame, there is no concealment any more.
        max_lag: Audio that is due longer than this when the application reads is dropped.
        max_gap: A timestamp this far ahead of, or behind, the due one is a restart.
        repeat_memory: The time after a loss for which frames wait for the next ones, where those carry them again
            (Opus in-band FEC); 0 for never.
    """

    jitter: JitterOptions = attrs.field(
        factory=lambda: JitterOptions(
            window=500,
            remembered=100,
            peak_interval=0.5,
            peak_margin=0.01,
            peak_reserve=0.05,
            min_delay=0.01,
        )
    )
    max_frames: int = attrs.field(default=100, validator=validators.ge(2))
    tolerance: float = attrs.field(default=0.015, validator=validators.ge(0))
    adjustment_interval: float = attrs.field(default=0.1, validator=validators.gt(0))
    max_excess: float = attrs.field(default=0.5, validator=validators.gt(0))
    max_silence: float = attrs.field(default=2.0, validator=validators.gt(0))
    max_lag: float = attrs.field(default=0.5, validator=validators.gt(0))
    max_gap: float = attrs.field(default=5.0, validator=validators.gt(0))
    repeat_memory: float = attrs.field(default=10.0, validator=validators.ge(0))


@attrs.frozen
class AvSyncOptions:
    """Synchronization of audio and video: the mapping of timestamps to the sender's clock, and extra delays.

    Attributes:
        max_reports: The number of sender reports that a mapping is fitted to.
        max_deviation: A report that deviates more from the mapping is an outlier.
        max_outliers: After this many outliers in a row the mapping is reset.
        max_extra_delay: The maximum extra delay of a stream; beyond, the streams are not of one clock.
        step: The maximum change of an extra delay at a time.
        tolerance: A stream waits for slower ones from this difference on (libwebrtc: 30 ms). Viewers do not notice less
            (ITU-R BT.1359: audio that is 45 ms early or 125 ms late). Video waits until no more than this is left.
            Audio waits for all of it, and until the difference is half of this: early audio is noticed sooner.
    """

    max_reports: int = attrs.field(default=20, validator=validators.ge(2))
    max_deviation: float = attrs.field(default=0.2, validator=validators.gt(0))
    max_outliers: int = attrs.field(default=3, validator=validators.ge(1))
    max_extra_delay: float = attrs.field(default=2.0, validator=validators.gt(0))
    step: float = attrs.field(default=0.08, validator=validators.gt(0))
    tolerance: float = attrs.field(default=0.03, validator=validators.ge(0))


@attrs.frozen
class NackOptions:
    """Requests for lost packets.

    Attributes:
        max_missing: The maximum of missing packets; when there are more, all are given up.
        max_requests: The maximum number of requests for a packet.
        max_age: The maximum time for which a packet is requested.
        initial_round_trip: The round-trip time before one is known.
        min_interval: The minimum time between two requests for a packet.
        backoff: The factor by which the interval grows with each request.
        min_tolerance: The minimum time after which a missing packet is requested.
        max_tolerance: The maximum of that time, which follows the measured reordering.
    """

    max_missing: int = attrs.field(default=500, validator=validators.ge(1))
    max_requests: int = attrs.field(default=10, validator=validators.ge(1))
    max_age: float = attrs.field(default=3.0, validator=validators.gt(0))
    initial_round_trip: float = attrs.field(default=0.1, validator=validators.gt(0))
    min_interval: float = attrs.field(default=0.02, validator=validators.gt(0))
    backoff: float = attrs.field(default=1.05, validator=validators.ge(1))
    min_tolerance: float = attrs.field(default=0.005, validator=validators.ge(0))
    max_tolerance: float = attrs.field(default=0.1, validator=validators.ge(0))


@attrs.frozen
class FecOptions:
    """Forward error correction (FlexFEC, ULPFEC).

    Attributes:
        protection: FEC packets per media packet, 0 to 1.
        max_frames: After this many frames FEC packets are made, even if they are less than one.
        max_packets: The media packets kept to recover others; the oldest is dropped. Less than half of the sequence
            number space.
        max_repairs: The FEC packets kept that cannot be used yet; the oldest is dropped.
    """

    protection: float = attrs.field(default=0.2, validator=[validators.ge(0), validators.le(1)])
    max_frames: int = attrs.field(default=4, validator=validators.ge(1))
    max_packets: int = attrs.field(default=512, validator=[validators.ge(2), validators.lt(1 << 15)])
    max_repairs: int = attrs.field(default=64, validator=validators.ge(1))


@attrs.frozen
class RedOptions:
    """Redundant audio (RED).

    Attributes:
        redundancy: The earlier payloads that each packet carries.
        max_payload_size: Bytes; the oldest redundant blocks are omitted from a payload that would be larger.
        max_remembered: The sequence numbers and timestamps of received packets that are kept.
    """

    redundancy: int = attrs.field(default=1, validator=[validators.ge(0), validators.lt(MAX_RED_BLOCKS)])
    max_payload_size: int = attrs.field(default=1100, validator=validators.ge(1))
    max_remembered: int = attrs.field(default=256, validator=validators.ge(MAX_RED_BLOCKS))


@attrs.frozen
class HistoryOptions:
    """The history of sent packets for retransmission.

    Attributes:
        max_packets: The maximum of packets; the oldest is dropped.
        max_age: The maximum age; no receiver waits longer for a packet.
        min_resend_interval: The minimum time between two retransmissions of a packet.
    """

    max_packets: int = attrs.field(default=1024, validator=validators.ge(1))
    max_age: float = attrs.field(default=3.0, validator=validators.gt(0))
    min_resend_interval: float = attrs.field(default=0.005, validator=validators.ge(0))


@strict_class
@attrs.frozen
class RtpOptions:
    """Options of the RTP session.

    Attributes:
        max_packet_size: The maximum size of a packet in bytes without SRTP's authentication tag: 1200 less what SRTP
            and RTX may add.
        max_streams: The maximum of received streams. Beyond, the packets of new SSRCs are dropped and counted
            (``too many streams``).
        report_interval_audio: The time between reports of audio sections (RFC 3550 section 6.2).
        report_interval_video: The time between reports of video sections.
        source_timeout: The silence after which a received stream ends (RFC 3550 section 6.3.5).
        keyframe_interval: The minimum time between two keyframe requests for a stream.
        max_early_packets: The received packets that are kept until the keys are set.
        max_early_media_bytes: The size of the first packets of video without demand, of all streams together: their
            payloads, and 512 bytes for each packet. Beyond, the stream whose first packets are the oldest drops them,
            and a keyframe is requested when its video is consumed (``early_media_dropped``).
        max_assembly_bytes: The size of the packets of incomplete video frames, of all streams together: their payloads,
            and 512 bytes for each packet. If a batch of received packets leaves more, the stream that has most drops
            all of them, and a keyframe is requested (``assembly_dropped``).
        max_held_bytes: The size of the video frames that wait for their audio, of all streams together. Beyond, those
            of the stream that adds one are released at once.
        max_fec_bytes: The size of the packets kept for forward error correction, of all streams together: all of each
            packet, and 512 bytes beside it. Beyond, the stream that has most drops all of them (``fec_dropped``).
        max_idle_sources: The SSRCs without a stream whose records and replay windows are kept.
        red_loss: The lost part of our packets, 0 to 1, at which audio is sent with redundancy where that was
            negotiated; redundancy stops at half of it.
        fec_loss: The lost part of our packets at which video is sent with forward error correction where that was
            negotiated; likewise.
        history: The history for retransmission.
        red: The redundancy of audio.
        fec: The forward error correction of video.
        nack: The requests for lost packets.
        assembler: The wait of video for missing packets.
        playout: The playout buffer of audio.
        av_sync: The synchronization of audio and video.
        bandwidth_estimation: Bandwidth estimation, pacing, feedback.
        srtp: The bounds of SRTP.
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
    av_sync: AvSyncOptions = attrs.field(factory=AvSyncOptions)
    bandwidth_estimation: BandwidthEstimationOptions = attrs.field(factory=BandwidthEstimationOptions)
    srtp: SrtpOptions = attrs.field(factory=SrtpOptions)
