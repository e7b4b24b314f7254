"""Simulcast layers in offers and answers."""

import pytest

from tests.strategies.descriptions import REAL_OFFERS
from tests.strategies.jsep_sessions import without
from tests.strategies.transceivers import (
    LAYERS,
    MediaSide,
    answer_to,
    media_session,
)
from trio_rtc.jsep import Layer


class TestSimulcast:
    """Layers in both directions (RFC 8853)."""

    OFFER = REAL_OFFERS["chromium-offer-simulcast"]

    def test_all_layers_are_received(self) -> None:
        answer, plans = answer_to(self.OFFER, MediaSide("ans1"))
        assert answer.count("a=rid:") == 3
        assert "a=simulcast:recv q;h;f\r\n" in answer
        assert plans[0].receive_layers == (Layer("q"), Layer("h"), Layer("f"))
        assert plans[0].send_layers == ()

    def test_sent_layers_are_those_accepted_by_the_peer(self) -> None:
        offering, answering = MediaSide("off1"), MediaSide("ans1")
        offering.add("video", encodings=LAYERS)
        one, other = media_session(1), media_session(2)
        offering.update_transceivers(one.apply_local("offer", one.create_offer(offering.media())))
        applied = other.apply_remote("offer", one.last_created_offer)
        assert [(layer.rid, layer.paused) for layer in applied.media[0].receive_layers] == [
            ("q", False),
            ("h", False),
            ("f", False),
        ]
        answering.update_transceivers(applied)
        answer = other.create_answer(answering.media()).replace("recv q;h;f", "recv ~f;q")
        applied = one.apply_remote("answer", without(answer, "a=rid:h"))
        assert applied.media[0].send_layers == (Layer("f", paused=True), Layer("q"))

    def test_a_peer_without_simulcast_accepts_no_layers(self) -> None:
        offering, answering = MediaSide("off1"), MediaSide("ans1")
        offering.add("video", encodings=LAYERS)
        one, other = media_session(1), media_session(2)
        offering.update_transceivers(one.apply_local("offer", one.create_offer(offering.media())))
        answering.update_transceivers(other.apply_remote("offer", one.last_created_offer))
        answer = without(other.create_answer(answering.media()), "a=rid", "a=simulcast")
        assert one.apply_remote("answer", answer).media[0].send_layers == ()

    def test_layers_requested_by_a_peer_are_sent(self) -> None:
        asking = self.OFFER.replace("a=sendonly", "a=recvonly")
        asking = asking.replace(" send", " recv").replace("simulcast:send q;h;f", "simulcast:recv q,x;~h;z")
        side = MediaSide("ans1")
        side.add("video", encodings=LAYERS[:2], added_by_track=True)
        session = media_session()
        applied = session.apply_remote("offer", asking, side.transceivers)
        assert applied.media[0].send_layers == (Layer("q"), Layer("h", paused=True))
        side.update_transceivers(applied)
        answer = session.create_answer(side.media())
        assert "a=rid:q send\r\na=rid:h send\r\na=simulcast:send q;h\r\n" in answer
        assert session.apply_local("answer").media[0].send_layers == applied.media[0].send_layers

    @pytest.mark.parametrize(
        ("restrictions", "accepted"),
        [
            ("pt=96", True),
            ("pt=96,98;max-width=640", True),
            ("max-fps=30;depend=q", True),
            ("pt=96,41", False),
            ("max-colour=2", False),
        ],
    )
    def test_restrictions(self, restrictions: str, accepted: bool) -> None:
        offer = self.OFFER.replace("a=rid:h send", f"a=rid:h send {restrictions}")
        answer, plans = answer_to(offer, MediaSide("ans1"))
        assert (f"a=rid:h recv {restrictions}\r\n" in answer) is accepted
        assert ("h" in [layer.rid for layer in plans[0].receive_layers]) is accepted
        assert "q" in [layer.rid for layer in plans[0].receive_layers]
