"""Options of RTP."""

from typing import Final

import attrs
from attrs import validators
from attrs.validators import ge, gt

from trio_rtc.protocols.bandwidth_estimation import BandwidthEstimationOptions
from trio_rtc.protocols.srtp import SrtpOptions

MAX_RED_BLOCKS: Final = 32
"""Blocks of a RED payload (RFC 2198): more redundancy is of no use, and each block costs work."""


@attrs.frozen
class StatisticsOptions:
    """Which sequence numbers are believed (RFC 3550 appendix A.1).

    Attributes:
        max_dropout: A number this much ahead, or more, is a jump.
        max_misorder: A number this much behind, or more, is a jump.
        min_sequential: How many packets in a row a source must send before any is taken. 1 for sources that were
            announced and are authenticated, where the first packet may begin a keyframe.
    """

    max_dropout: int = attrs.field(default=3000, validator=[validators.ge(1), validators.lt(1 << 15)])
    max_misorder: int = attrs.field(default=100, validator=[validators.ge(1), validators.lt(1 << 15)])
    min_sequential: int = attrs.field(default=1, validator=validators.ge(1))


@attrs.frozen
class FrameAssemblerOptions:
    """How long video waits for what is missing, and how much of it is kept.

    Attributes:
        max_wait: How long a frame waits for a packet that may still be retransmitted or recovered, until a keyframe is
            asked for.
        longest_wait: How long at most where the way is so long that the answer to a second request for the packet
            takes more time; and how long the keyframe is waited for at most.
        last_wait: How much longer it waits then at least, while the keyframe is under way.
        min_wait: How long it waits for reordering when nothing is retransmitted, and the measured jitter is less.
        max_packets: How many packets are kept; beyond, all are dropped and a keyframe is asked for. A sequence number
            that is this far from those that are next_expected is a new beginning.
        max_bytes: How many bytes of payload are kept; beyond, likewise.
        keyframe_interval: Time until a keyframe that was asked for is asked for again; half as long again each time.
        max_keyframe_interval: The longest it gets.
        restart_silence: When nothing has been of use for this long, a keyframe is taken whatever its number.
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
    """How the target delay follows the measured variation of delay.

    Attributes:
        percentile: Part of the frames that are to come in time.
        window: How many of the last frames are looked at.
        remembered: For how many frames a long delay that does not come again makes others wait.
        peak_interval: Seconds of which only the longest delay counts as a peak; 0 for no peaks.
        peaks: How many of the last peaks are looked at.
        peak_percentile: Part of the peaks that are to come in time.
        peak_patience: Peaks of a height are over when it was not reached for so many intervals, and as many more as
            there were at most from one of them to the next.
        longest_peak: A peak that is more than this above the least delay is not looked at.
        peak_margin: What is added to the peaks: playing is not exactly as late as it should be.
        peak_reserve: Part of the peaks that is added to them: the next may be higher than the few that are known.
        min_delay: Least target.
        max_delay: Greatest target.
        max_jump: A delay that differs so much from the one before is a new beginning.
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
    """How sound is buffered.

    Attributes:
        jitter: How the target delay is found.
        max_frames: How many frames wait at most; the oldest is dropped.
        tolerance: How far the delay may be above the target before frames are skipped. At least a frame's duration is
            tolerated in any case.
        adjustment_interval: Least time between two frames that are skipped or inserted.
        max_excess: A delay this much above the target is corrected at once.
        max_silence: After nothing has come for this long, nothing is put in its place any more.
        max_lag: A puller that comes later than this has slept: what it slept through is dropped.
        max_gap: A timestamp this far ahead of, or behind, the one that is due, is a new beginning.
        repeat_memory: For how long after a loss frames wait for their next ones, where those carry them once more
            (Opus in-band FEC); 0 for not at all.
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
class LipSyncOptions:
    """How timestamps are mapped to the sender's clock, and streams delayed for each other.

    Attributes:
        max_reports: How many sender reports a mapping is made of.
        max_deviation: A report that is so far off the mapping is an outlier.
        max_outliers: After so many outliers in a row they are the truth, and the mapping begins anew.
        max_extra_delay: What a stream is made to wait at most; beyond, the streams are not of one clock.
        step: By how much the extra delay of a stream changes at most at a time.
        tolerance: A stream waits for slower ones from this difference on (libwebrtc: 30 ms). Nobody notices less (ITU-R
            BT.1359: audio that is 45 ms early or 125 ms late). Video waits until no more than this is left. Audio waits
            for all of it, and until the difference is half of this: audio that is early is noticed sooner.
    """

    max_reports: int = attrs.field(default=20, validator=validators.ge(2))
    max_deviation: float = attrs.field(default=0.2, validator=validators.gt(0))
    max_outliers: int = attrs.field(default=3, validator=validators.ge(1))
    max_extra_delay: float = attrs.field(default=2.0, validator=validators.gt(0))
    step: float = attrs.field(default=0.08, validator=validators.gt(0))
    tolerance: float = attrs.field(default=0.03, validator=validators.ge(0))


@attrs.frozen
class NackOptions:
    """How lost packets are asked for. Times are in seconds.

    Attributes:
        max_missing: How many numbers may be missing at once; when there are more, all are given up.
        max_requests: How often a packet is asked for at most.
        max_age: How long a packet is asked for at most.
        initial_round_trip: The round-trip time before one is known.
        min_interval: Least time between two requests for a packet.
        backoff: By what the interval grows with each request.
        min_tolerance: Least time that a hole is left alone before it is asked for.
        max_tolerance: The longest that measured reordering may make it.
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
    """How packets are protected, and how much is kept to get them back.

    Attributes:
        protection: Repair packets for each media packet, 0 to 1.
        max_frames: After so many frames repair packets are made, even if there is less than one to make.
        max_packets: How many media packets are kept to get others back; the oldest is forgotten. Less than half of
            the sequence numbers there are.
        max_repairs: How many repair packets are kept that cannot be used yet; the oldest is forgotten.
    """

    protection: float = attrs.field(default=0.2, validator=[validators.ge(0), validators.le(1)])
    max_frames: int = attrs.field(default=4, validator=validators.ge(1))
    max_packets: int = attrs.field(default=512, validator=[validators.ge(2), validators.lt(1 << 15)])
    max_repairs: int = attrs.field(default=64, validator=validators.ge(1))


@attrs.frozen
class RedOptions:
    """How much redundancy is sent, and how much of what came is remembered.

    Attributes:
        redundancy: How many earlier payloads each packet carries.
        max_payload_size: Bytes; the oldest redundant blocks are left out of a payload that would be larger.
        max_remembered: How many sequence numbers and timestamps of received packets are remembered.
    """

    redundancy: int = attrs.field(default=1, validator=[validators.ge(0), validators.lt(MAX_RED_BLOCKS)])
    max_payload_size: int = attrs.field(default=1100, validator=validators.ge(1))
    max_remembered: int = attrs.field(default=256, validator=validators.ge(MAX_RED_BLOCKS))


@attrs.frozen
class HistoryOptions:
    """How much of what was sent is kept.

    Attributes:
        max_packets: How many packets at most; the oldest is forgotten.
        max_age: How long, in seconds. Longer ago than this nobody waits for a packet any more.
        min_resend_interval: Least time between two retransmissions of a packet, in seconds.
    """

    max_packets: int = attrs.field(default=1024, validator=validators.ge(1))
    max_age: float = attrs.field(default=3.0, validator=validators.gt(0))
    min_resend_interval: float = attrs.field(default=0.005, validator=validators.ge(0))


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
        max_idle_sources: Sources without a stream whose replay windows are kept.
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
