"""Exchanges: the sections in use, grouped by transport."""

import attrs
import pytest

from trio_rtc.enums import RTCSdpType
from trio_rtc.jsep import Description, Side
from trio_rtc.jsep.offer_answer_exchange import OfferAnswerExchange, Slots, has_rtcp_mux, section_mids
from trio_rtc.protocols.sdp import parse

HEAD = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
DATA = "m=application {port} UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:{mid}\r\na=sctp-port:5000\r\n"
AUDIO = "m=audio {port} UDP/TLS/RTP/SAVPF 0\r\na=mid:{mid}\r\na=rtcp-mux\r\n"


def description(kind: RTCSdpType, *sections: str, bundle: str = "") -> Description:
    text = HEAD + (f"a=group:BUNDLE {bundle}\r\n" if bundle else "") + "".join(sections)
    return Description(kind, text, parse(text))


def offer(*sections: str, bundle: str = "") -> OfferAnswerExchange:
    return OfferAnswerExchange(Side.REMOTE, description(RTCSdpType.OFFER, *sections, bundle=bundle))


def test_sections_outside_of_a_bundle_have_their_own_transports() -> None:
    exchange = offer(*(AUDIO.format(port=9, mid=mid) for mid in "abc"), bundle="c a")
    assert exchange.bundles == ((2, 0), (1,))
    assert exchange.carried_mids() == ("c", "a", "b")
    assert exchange.rejected_mids() == ()


def test_rejected_sections_and_further_data_sections_are_not_in_use() -> None:
    exchange = offer(
        AUDIO.format(port=0, mid="a"),
        DATA.format(port=9, mid="d"),
        DATA.format(port=9, mid="e"),
        bundle="a d e",
    )
    assert exchange.carried_mids() == ("d",)
    assert (exchange.data_section(), exchange.data_mid()) == (1, "d")
    assert exchange.rejected_mids() == ("a", "e")


def test_an_answer_rejects_and_unbundles() -> None:
    exchange = offer(*(AUDIO.format(port=9, mid=mid) for mid in "ab"), bundle="a b")
    answered = attrs.evolve(
        exchange,
        answer=description(
            RTCSdpType.ANSWER, *(AUDIO.format(port=port, mid=mid) for port, mid in ((0, "a"), (9, "b")))
        ),
    )
    assert answered.bundles == ((1,),)
    assert answered.without_answer() == exchange
    assert exchange.without_answer() is exchange


@pytest.mark.parametrize("offerer", Side)
def test_sides(offerer: Side) -> None:
    exchange = OfferAnswerExchange(offerer, description(RTCSdpType.OFFER, DATA.format(port=9, mid="0")))
    own, other = (
        (exchange.local, exchange.remote) if offerer is Side.LOCAL else (exchange.remote, exchange.local)
    )
    assert (own, other) == (exchange.offer, None)
    assert exchange.with_description(offerer, exchange.offer) is exchange


def test_sections_without_mid_get_one_that_no_other_has() -> None:
    without_mid = AUDIO.replace("a=mid:{mid}\r\n", "").format(port=9)
    parsed = description(RTCSdpType.OFFER, without_mid, AUDIO.format(port=9, mid="0")).parsed
    assert section_mids(parsed) == ("-0", "0")


def test_rtcp_mux_of_the_tagged_section_is_that_of_its_bundle() -> None:
    plain = AUDIO.replace("a=rtcp-mux\r\n", "")
    bundled = description(
        RTCSdpType.OFFER, AUDIO.format(port=9, mid="a"), plain.format(port=9, mid="b"), bundle="a b"
    )
    apart = description(RTCSdpType.OFFER, AUDIO.format(port=9, mid="a"), plain.format(port=9, mid="b"))
    assert has_rtcp_mux(bundled.parsed, 1)
    assert not has_rtcp_mux(apart.parsed, 1)


def test_the_pending_description_precedes_the_current_one() -> None:
    current, pending = (offer(DATA.format(port=9, mid=mid)) for mid in "ab")
    assert Slots(current=current).remote is current.offer
    assert Slots(current, pending).remote is pending.offer
    assert Slots(current, pending).latest(Side.REMOTE) is pending
    assert Slots(current, pending).latest(Side.LOCAL) is None
