"""Sessions with media to offer, and their observable state."""

import random

import attrs

from trio_rtc.enums import RTCSignalingState
from trio_rtc.jsep import ApplyResult, JsepSession, LocalMedia, SessionOptions

SHA_256 = ":".join(["AB"] * 32)


def local_media(generation: str = "gen1", *, data_channels: bool = True, digest: str = SHA_256) -> LocalMedia:
    """Return the local media of a side; ``generation`` determines its ICE credentials."""
    return LocalMedia(
        data_channels=data_channels,
        ice_parameters=(generation, generation.ljust(24, "x")),
        fingerprints=(("sha-256", digest),),
    )


def make_session(seed: int = 1, options: SessionOptions | None = None) -> JsepSession:
    """Return a new session with a seeded generator."""
    return JsepSession(rng=random.Random(seed), options=options)


@attrs.frozen
class Outcome:
    """Results of the four steps of an offer/answer exchange."""

    local_offer: ApplyResult
    remote_offer: ApplyResult
    local_answer: ApplyResult
    remote_answer: ApplyResult


def negotiate(
    offerer: JsepSession,
    answerer: JsepSession,
    offering: LocalMedia | None = None,
    answering: LocalMedia | None = None,
) -> Outcome:
    """Run an offer/answer exchange between two sessions."""
    offer = offerer.create_offer(offering or local_media("off1"))
    local_offer = offerer.apply_local("offer", offer)
    remote_offer = answerer.apply_remote("offer", offer)
    answer = answerer.create_answer(answering or local_media("ans1", data_channels=False))
    local_answer = answerer.apply_local("answer", answer)
    return Outcome(local_offer, remote_offer, local_answer, offerer.apply_remote("answer", answer))


def visible(session: JsepSession) -> tuple[object, ...]:
    """Return a session's observable state; descriptions compare by identity."""
    return (
        session.signaling_state,
        session.pending_local,
        session.current_local,
        session.pending_remote,
        session.current_remote,
        session.last_created_offer,
        session.last_created_answer,
        session.can_trickle,
    )


def without(text: str, *prefixes: str) -> str:
    """Return a description without the lines that begin with one of the prefixes."""
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith(prefixes))


def session_in(state: RTCSignalingState) -> JsepSession:
    """Bring a session into a state."""
    session, peer = make_session(1), make_session(2)
    if state in (RTCSignalingState.HAVE_LOCAL_OFFER, RTCSignalingState.HAVE_REMOTE_PRANSWER):
        session.create_offer(local_media("off1"))
        session.apply_local("offer")
    if state in (RTCSignalingState.HAVE_REMOTE_OFFER, RTCSignalingState.HAVE_LOCAL_PRANSWER):
        session.apply_remote("offer", peer.create_offer(local_media("off1")))
    if state is RTCSignalingState.HAVE_LOCAL_PRANSWER:
        session.create_answer(local_media("ans1"))
        session.apply_local("pranswer")
    if state is RTCSignalingState.HAVE_REMOTE_PRANSWER:
        session.apply_remote("pranswer", answer_for(session))
    if state is RTCSignalingState.CLOSED:
        session.close()
    assert session.signaling_state is state
    return session


def answer_for(session: JsepSession) -> str:
    """Return an answer to the pending local offer."""
    peer = make_session(3)
    assert session.pending_local is not None
    peer.apply_remote("offer", session.pending_local.sdp)
    return peer.create_answer(local_media("ans1"))


def offering_session() -> JsepSession:
    """Return a session with a local offer."""
    session = make_session()
    session.create_offer(local_media("off1"))
    session.apply_local("offer")
    return session


def local_text(session: JsepSession) -> str:
    """Return the local description."""
    assert session.local_description is not None
    return session.local_description.sdp


def remote_text(session: JsepSession) -> str:
    """Return the remote description."""
    assert session.remote_description is not None
    return session.remote_description.sdp
