"""The receive path: from packets, in whatever order they come, to frames at the time they are to be seen or heard."""

from .frame_assembler import AssemblerCounters, CompletedFrame, FrameAssembler
from .jitter import JitterEstimator
from .lip_sync import ClockMap, LipSync, StreamTiming
from .options import (
    AudioPlayoutOptions,
    FrameAssemblerOptions,
    JitterOptions,
    LipSyncOptions,
    StatisticsOptions,
)
from .playout import AudioPlayout, Concealment, ConcealmentKind, PlayoutCounters
from .sequence import SequenceUnwrapper
from .statistics import ReceptionStatistics, ReportBlockValues
from .temporal import LayerPosition, TemporalContinuity, TemporalLayers

__all__ = [
    "AssemblerCounters",
    "AudioPlayout",
    "AudioPlayoutOptions",
    "ClockMap",
    "CompletedFrame",
    "Concealment",
    "ConcealmentKind",
    "FrameAssembler",
    "FrameAssemblerOptions",
    "JitterEstimator",
    "JitterOptions",
    "LayerPosition",
    "LipSync",
    "LipSyncOptions",
    "PlayoutCounters",
    "ReceptionStatistics",
    "ReportBlockValues",
    "SequenceUnwrapper",
    "StatisticsOptions",
    "StreamTiming",
    "TemporalContinuity",
    "TemporalLayers",
]
