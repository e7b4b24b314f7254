"""Sessions with media to offer, and their observable state."""

import random

import attrs

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
