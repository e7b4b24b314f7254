"""Payload types and codecs of offers and answers, and the ids of header extensions."""

import attrs

from tests.strategies.descriptions import REAL_OFFERS
from tests.strategies.transceivers import (
    OPUS,
    RTX,
    VP8,
    VP9,
    MediaSide,
    answer_to,
    codec_names,
    exchange,
    media_session,
    offered_sections,
)
from trio_rtc.jsep import HeaderExtension
from trio_rtc.protocols.rtp.codec import UNASSIGNED, Codec
from trio_rtc.protocols.sdp import (
    parse,
)


class TestNumbers:
    """Payload types and numbers of header extensions."""

    def test_sections_share_numbers_of_equal_items_only(self) -> None:
        side = MediaSide("off1")
        side.add("audio", codecs=(attrs.evolve(OPUS, payload_type=96),))
        side.add("video", codecs=(VP8, RTX))
        side.add("video", codecs=(RTX, VP9, VP8))
        assert [media.formats for media in offered_sections(side)] == [
            ("96",),
            ("97", "98"),
            ("99", "100", "97", "98"),
        ]

    def test_numbers_of_a_peer_are_kept_in_later_offers(self) -> None:
        side, session = MediaSide("ans1"), media_session()
        side.add("audio", added_by_track=True)
        side.update_transceivers(
            session.apply_remote("offer", REAL_OFFERS["firefox-offer-av"], side.transceivers)
        )
        session.create_answer(side.media())
        side.update_transceivers(session.apply_local("answer"))
        side.add("video")
        audio, video, _, added = parse(session.create_offer(side.media())).media
        assert audio.formats == ("109", "63", "9", "0", "8", "101", "13", "110")
        assert video.formats[:2] == ("120", "124")
        # VP8 is equal in both sections, and thus has the same payload type.
        assert "120" in added.formats
        mids = [
            each.value
            for each in added.attributes
            if each.name == "extmap" and "sdes:mid" in (each.value or "")
        ]
        assert mids == ["3 urn:ietf:params:rtp-hdrext:sdes:mid"]

    def test_numbers_run_out(self) -> None:
        side = MediaSide("off1")
        codecs = tuple(
            Codec(UNASSIGNED, "VP8", 90000, parameters={"max-fs": str(number)}) for number in range(100)
        )
        extensions = tuple(HeaderExtension(f"urn:example:{number}") for number in range(300))
        side.add("video", codecs=(*codecs, RTX), header_extensions=extensions)
        (media,) = offered_sections(side)
        numbers = [int(number) for number in media.formats]
        assert len(numbers) == len(set(numbers)) == 61
        # RFC 5761 section 4: these would be ambiguous with RTCP.
        assert not any(64 <= number <= 95 or number > 127 for number in numbers)
        ids = [int((each.value or "").split()[0]) for each in media.attributes if each.name == "extmap"]
        assert ids == [*range(1, 15), *range(16, 256)]

    def test_a_transceiver_without_codecs_is_not_offered(self) -> None:
        side, session = MediaSide("off1"), media_session()
        side.add("video", codecs=())
        side.add("audio")
        assert [media.port for media in offered_sections(side, session)] == [0, 9]
        assert session.last_created_offer.count("a=group:BUNDLE 1\r\n") == 1


class TestPreferences:
    """The order of codecs."""

    def test_answer_follows_the_offer(self) -> None:
        side = MediaSide("ans1")
        side.add("video", codecs=(VP9, RTX, VP8), added_by_track=True)
        _, plans = answer_to(REAL_OFFERS["chromium-offer-simulcast"].replace("sendonly", "sendrecv"), side)
        assert codec_names(plans[0]) == ["VP8", "rtx", "VP9", "rtx"]

    def test_answer_follows_the_preferences(self) -> None:
        side = MediaSide("ans1")
        side.add("video", codecs=(VP9, RTX, VP8), codecs_preferred=True, added_by_track=True)
        answer, plans = answer_to(
            REAL_OFFERS["chromium-offer-simulcast"].replace("sendonly", "sendrecv"), side
        )
        assert codec_names(plans[0]) == ["VP9", "rtx", "VP8", "rtx"]
        assert "m=video 9 UDP/TLS/RTP/SAVPF 98 99 96 97\r\n" in answer

    def test_no_retransmission_without_rtx(self) -> None:
        side = MediaSide("ans1")
        side.add("video", codecs=(VP8,), added_by_track=True)
        _, plans = answer_to(REAL_OFFERS["chromium-offer-av"], side)
        assert [plan.rejected for plan in plans] == [False, False]
        assert codec_names(plans[1]) == ["VP8"]
        assert plans[1].send_codecs[0].rtx_payload_type is None

    def test_later_offers_keep_the_order_without_new_preferences(self) -> None:
        one, offering = media_session(1), MediaSide("off1")
        offering.add("video", codecs=(VP8, VP9))
        answering = MediaSide("ans1")
        answering.add("video", codecs=(VP9, VP8), codecs_preferred=True, added_by_track=True)
        exchange(one, offering, media_session(2), answering)
        assert offered_sections(offering, one)[0].formats == ("96", "98")
        offering.change(0, codecs=(VP9, VP8), codecs_preferred=True)
        assert offered_sections(offering, one)[0].formats == ("98", "96")
