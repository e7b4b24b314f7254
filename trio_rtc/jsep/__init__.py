"""JSEP (RFC 9429) as a pure core: creates and applies offers and answers, and has the signaling state table."""

from .capabilities import (
    AUDIO_CODECS,
    AUDIO_EXTENSIONS,
    DEFAULT_CAPABILITIES,
    VIDEO_CODECS,
    VIDEO_EXTENSIONS,
    KindCapabilities,
    MediaCapabilities,
)
from .description import Description, LocalMedia, LocalTransport
from .extensions import HeaderExtension, NegotiatedExtension
from .jsep_session import JsepSession
from .media_plan import MediaPlan, RemoteSource
from .options import SessionOptions
from .opus import OpusParameters
from .plan import ApplyResult, Disassociated, DtlsRole, TransportPlan
from .signaling import TRANSITIONS, Side, mermaid
from .simulcast import Layer
from .transceivers import LocalTransceiver, MediaKind
from .trickle import CandidateRoute

__all__ = [
    "AUDIO_CODECS",
    "AUDIO_EXTENSIONS",
    "DEFAULT_CAPABILITIES",
    "TRANSITIONS",
    "VIDEO_CODECS",
    "VIDEO_EXTENSIONS",
    "ApplyResult",
    "CandidateRoute",
    "Description",
    "Disassociated",
    "DtlsRole",
    "HeaderExtension",
    "KindCapabilities",
    "Layer",
    "LocalMedia",
    "LocalTransceiver",
    "LocalTransport",
    "MediaCapabilities",
    "MediaKind",
    "MediaPlan",
    "NegotiatedExtension",
    "OpusParameters",
    "RemoteSource",
    "JsepSession",
    "SessionOptions",
    "Side",
    "TransportPlan",
    "mermaid",
]
