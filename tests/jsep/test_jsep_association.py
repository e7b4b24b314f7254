"""Association of the sections of a remote offer with transceivers."""

from tests.strategies.descriptions import REAL_OFFERS
from tests.strategies.transceivers import (
    MediaSide,
    media_session,
)
from trio_rtc.protocols.rtp.codec import UNASSIGNED, Codec


class TestAssociation:
    """Association of offered sections with transceivers (RFC 9429 section 5.10)."""

    OFFER = REAL_OFFERS["chromium-offer-av"]

    def keys(self, side: MediaSide, text: str = OFFER) -> list[int | None]:
        return [plan.key for plan in media_session().apply_remote("offer", text, side.transceivers).media]

    def test_new_transceivers_are_created_if_there_are_none(self) -> None:
        assert self.keys(MediaSide("ans1")) == [None, None]

    def test_the_first_transceiver_of_add_track_is_used(self) -> None:
        side = MediaSide("ans1")
        side.add("video")
        side.add("video", added_by_track=True)
        side.add("video", added_by_track=True)
        assert self.keys(side) == [None, 1]

    def test_stopped_and_associated_transceivers_are_not_used(self) -> None:
        side = MediaSide("ans1")
        side.add("video", added_by_track=True, stopping=True)
        side.add("video", added_by_track=True, mid="7")
        assert self.keys(side) == [None, None]

    def test_no_existing_transceiver_is_used_for_a_section_that_does_not_receive(self) -> None:
        side = MediaSide("ans1")
        side.add("audio", added_by_track=True)
        side.add("video", added_by_track=True)
        assert self.keys(side, self.OFFER.replace("a=sendrecv", "a=sendonly")) == [None, None]
        assert self.keys(side, self.OFFER.replace("a=sendrecv", "a=recvonly")) == [0, 1]

    def test_transceivers_without_common_codecs_are_not_used(self) -> None:
        side = MediaSide("ans1")
        side.add("video", codecs=(Codec(UNASSIGNED, "H265", 90000),), added_by_track=True)
        media = media_session().apply_remote("offer", self.OFFER, side.transceivers).media
        assert [(plan.key, plan.rejected) for plan in media] == [(None, False), (None, True)]

    def test_each_transceiver_is_used_once(self) -> None:
        section = self.OFFER[self.OFFER.index("m=audio") : self.OFFER.index("m=video")]
        side = MediaSide("ans1")
        side.add("audio", added_by_track=True)
        again = section.replace("a=mid:0", "a=mid:9").replace("a=msid:", "a=msid:other-")
        offer = (self.OFFER + again).replace("BUNDLE 0", "BUNDLE 9 0")
        assert self.keys(side, offer) == [0, None, None]
