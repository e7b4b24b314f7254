"""Transceivers as the session sees them, and a side that updates them like W3C's objects."""

import itertools
import random
from typing import Any

import attrs

from tests.strategies.jsep_sessions import Outcome, local_media
from trio_rtc.enums import RTCBundlePolicy
from trio_rtc.enums import RTCRtpTransceiverDirection as Direction
from trio_rtc.jsep import (
    DEFAULT_CAPABILITIES,
    ApplyResult,
    JsepSession,
    LocalMedia,
    LocalTransceiver,
    LocalTransport,
    MediaKind,
    MediaPlan,
    SessionOptions,
)
from trio_rtc.protocols.rtp import Encoding
from trio_rtc.protocols.rtp.codec import UNASSIGNED, Codec
from trio_rtc.protocols.sdp import MediaDescription, parse

OPUS = Codec(111, "opus", 48000, 2, {"useinbandfec": "1"}, ("transport-cc",))
PCMU = Codec(0, "PCMU", 8000)
VP8 = Codec(96, "VP8", 90000, feedback=("nack", "nack pli"))
VP9 = Codec(98, "VP9", 90000)
RTX = Codec(UNASSIGNED, "rtx", 90000)
RED = Codec(63, "red", 48000, 2)
LAYERS = tuple(Encoding(1, rid=rid, active=rid != "h") for rid in ("q", "h", "f"))


def transceiver(
    key: int, kind: MediaKind, direction: Direction = Direction.SENDRECV, *, mid: str | None = None
) -> LocalTransceiver:
    """Return a transceiver with all capabilities, one encoding and one stream."""
    capabilities = DEFAULT_CAPABILITIES.of(kind)
    video = kind == "video"
    return LocalTransceiver(
        key=key,
        kind=kind,
        direction=direction,
        codecs=capabilities.codecs,
        mid=mid,
        header_extensions=capabilities.header_extensions,
        stream_ids=(f"stream{key}",),
        track_id=f"track{key}",
        encodings=(Encoding(ssrc=1000 + key, rtx_ssrc=2000 + key if video else None),),
        cname="canonical",
    )


@attrs.define
class MediaSide:
    """A side whose transceivers follow applied descriptions (W3C webrtc section 4.4.1.5)."""

    generation: str
    data_channels: bool = False
    transceivers: list[LocalTransceiver] = attrs.Factory(list)
    bundle_policy: RTCBundlePolicy = RTCBundlePolicy.BALANCED
    transports: int = 1
    keys: "itertools.count[int]" = attrs.Factory(itertools.count)
    _created: set[int] = attrs.Factory(set)

    def add(
        self, kind: MediaKind, direction: Direction = Direction.SENDRECV, **changes: Any
    ) -> LocalTransceiver:
        """Add a transceiver, as ``add_transceiver`` does."""
        added = attrs.evolve(transceiver(next(self.keys), kind, direction), **changes)
        self.transceivers.append(added)
        return added

    def change(self, key: int, **changes: Any) -> LocalTransceiver:
        """Replace some attributes of a transceiver."""
        place = next(place for place, each in enumerate(self.transceivers) if each.key == key)
        self.transceivers[place] = changed = attrs.evolve(self.transceivers[place], **changes)
        return changed

    def stop(self, key: int) -> None:
        """Stop a transceiver: at once without a media section, otherwise with the next exchange."""
        if self.change(key, stopping=True).mid is None:
            self.transceivers = [each for each in self.transceivers if each.key != key]

    def media(self) -> LocalMedia:
        """Return the local media that is passed to the session."""
        return attrs.evolve(
            local_media(self.generation, data_channels=self.data_channels),
            transceivers=tuple(self.transceivers),
            bundle_policy=self.bundle_policy,
            further={number: self.further_transport(number) for number in range(1, self.transports)},
        )

    def needs_negotiation(self, session: JsepSession) -> bool:
        """Return whether a session needs negotiation for this side."""
        return session.needs_negotiation(self.transceivers, data_channels=self.data_channels)

    def further_transport(self, number: int) -> LocalTransport:
        """Return the local end of a transport beyond the first."""
        fragment = f"{self.generation}t{number}"
        first = local_media(self.generation).transport(0)
        return attrs.evolve(first, username_fragment=fragment, password=fragment.ljust(24, "x"))

    def update_transceivers(self, applied: ApplyResult) -> None:
        """Update the transceivers from the result of applying a description."""
        for lost in applied.disassociated:
            for each in [each for each in self.transceivers if each.mid == lost.mid]:
                if lost.created and each.key in self._created:
                    self.transceivers.remove(each)
                else:
                    self.change(each.key, mid=None)
                    if each.stopping:
                        self.transceivers = [kept for kept in self.transceivers if kept.key != each.key]
        for plan in applied.media:
            if plan.stopped:
                for each in [each for each in self.transceivers if each.mid == plan.mid]:
                    self.change(each.key, stopped=True)
            elif plan.key is not None:
                self.change(plan.key, mid=plan.mid)
            elif not plan.rejected and all(each.mid != plan.mid for each in self.transceivers):
                added = transceiver(next(self.keys), "audio" if plan.kind == "audio" else "video")
                self.transceivers.append(attrs.evolve(added, direction=Direction.RECVONLY, mid=plan.mid))
                self._created.add(added.key)
        if applied.negotiated:
            self._created.clear()
            self.transceivers = [each for each in self.transceivers if not each.stopped]


def media_session(seed: int = 1, options: SessionOptions | None = None) -> JsepSession:
    """Return a new session that accepts all media sections."""
    return JsepSession(rng=random.Random(seed), options=options, capabilities=DEFAULT_CAPABILITIES)


def exchange(
    offerer: JsepSession, offering: MediaSide, answerer: JsepSession, answering: MediaSide
) -> Outcome:
    """Run an offer/answer exchange between two sessions, and update the transceivers of both."""
    offer = offerer.create_offer(offering.media())
    local_offer = offerer.apply_local("offer", offer)
    offering.update_transceivers(local_offer)
    remote_offer = answerer.apply_remote("offer", offer, answering.transceivers)
    answering.update_transceivers(remote_offer)
    answer = answerer.create_answer(answering.media())
    local_answer = answerer.apply_local("answer", answer)
    answering.update_transceivers(local_answer)
    remote_answer = offerer.apply_remote("answer", answer)
    offering.update_transceivers(remote_answer)
    return Outcome(local_offer, remote_offer, local_answer, remote_answer)


def offered_sections(side: MediaSide, session: JsepSession | None = None) -> tuple[MediaDescription, ...]:
    """Return the media sections of a side's offer."""
    return parse((session or media_session()).create_offer(side.media())).media


def answer_to(text: str, side: MediaSide) -> tuple[str, tuple[MediaPlan, ...]]:
    """Return the answer to an offer, and its plans."""
    session = media_session()
    side.update_transceivers(session.apply_remote("offer", text, side.transceivers))
    answer = session.create_answer(side.media())
    applied = session.apply_local("answer")
    side.update_transceivers(applied)
    return answer, applied.media


def codec_names(plan: MediaPlan) -> list[str]:
    """Return the names of the codecs that may be sent."""
    return [each.name for each in plan.send_codecs]
