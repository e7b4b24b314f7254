"""RTCP datagrams: the first packet of a compound and its SSRCs, by which servers find the stream."""

import attrs
import pytest

from tests.strategies.rtp_pair import (
    AUDIO,
    AUDIO_SSRC,
    EXTENSIONS,
    OPUS,
    VIDEO,
    VIDEO_SSRC,
    VP8,
    VP8_RTX,
    Pair,
    audio_section,
    is_rtcp,
    make_session,
    random_loss,
    received,
    srtp_pair,
    video_section,
    vp8_payload,
)
from trio_rtc.protocols.rtcp import (
    Bye,
    CongestionControlFeedback,
    FullIntraRequest,
    GenericNack,
    PictureLossIndication,
    ReceiverEstimatedMaximumBitrate,
    ReceiverReport,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    TransportFeedback,
    encode,
    encode_datagrams,
    parse,
)
from trio_rtc.protocols.rtp import Codec, Encoding, RtpPacket, SendParameters
from trio_rtc.protocols.rtp.packet.extensions import MID
from trio_rtc.protocols.rtp.reports import MAX_DATAGRAM, MAX_FEEDBACK, feedback_head, make_bye

OURS_IN_VIDEO, OURS_IN_AUDIO = 5000, 6000
SECOND_SSRC = 1500
SECOND = "2"


class Listener:
    """A session that receives hand-made RTCP datagrams of a peer."""

    def __init__(self, *sections: SendParameters, sending: tuple[SendParameters, ...] = ()) -> None:
        self.session = make_session(3)
        self.peer, srtp = srtp_pair()
        self.now = 10.0
        self.session.set_keys(srtp, self.now)
        self.session.set_sections(sending, [received(section) for section in sections], self.now)
        for section in sections:
            self.session.set_demand(section.mid, frames=True, packets=False)

    def receive(self, *packets: RtpPacket) -> None:
        self.session.receive([self.peer.protect(packet.encode()) for packet in packets], self.now)

    def sent(self) -> list[list[RtcpPacket]]:
        """Return the packets of each RTCP datagram that is sent."""
        datagrams = []
        for data in self.session.datagrams_to_send(self.now):
            assert len(data) <= 1200
            if is_rtcp(data) and (clear := self.peer.unprotect_rtcp(data)) is not None:
                datagrams.append(parse(clear))
        return datagrams

    def wait(self, seconds: float) -> list[list[RtcpPacket]]:
        """Advance the time, and return the sent packets."""
        datagrams = self.sent()
        end = self.now + seconds
        while self.session.next_timer() <= end:
            self.now = max(self.session.next_timer(), self.now)
            self.session.handle_timer(self.now)
            datagrams += self.sent()
        self.now = end
        return datagrams


def compound_only(*codecs: Codec, mid: str = VIDEO, ssrc: int = VIDEO_SSRC) -> SendParameters:
    return video_section(*codecs, mid=mid, encodings=(Encoding(ssrc),), extensions={3: EXTENSIONS[3], 4: MID})


def video_packet(
    number: int, ssrc: int = VIDEO_SSRC, mid: str = VIDEO, *, numbered: bool = False
) -> RtpPacket:
    payload = b"\x10" + vp8_payload(number, 40, keyframe=not number)
    extensions = ((4, mid.encode()), *(((3, number.to_bytes(2, "big")),) if numbered else ()))
    return RtpPacket(96, number, 3000 * number, ssrc, payload, True, extensions=extensions)


def plain(*feedback: str) -> Codec:
    return attrs.evolve(VP8, feedback=feedback, rtx_payload_type=None)


def of_type(datagrams: list[list[RtcpPacket]], wanted: type[RtcpPacket]) -> list[list[RtcpPacket]]:
    return [packets for packets in datagrams if any(isinstance(packet, wanted) for packet in packets)]


def assert_begins_with_its_report(packets: list[RtcpPacket], ssrc: int) -> ReceiverReport:
    report, description = packets[:2]
    assert isinstance(report, ReceiverReport)
    assert [block.ssrc for block in report.blocks] == [ssrc]
    assert isinstance(description, SourceDescription)
    assert [chunk.ssrc for chunk in description.chunks] == [report.ssrc]
    return report


@pytest.mark.parametrize(
    ("feedback", "wanted"),
    [
        ("nack", GenericNack),
        ("nack pli", PictureLossIndication),
        ("ccm fir", FullIntraRequest),
        ("transport-cc", TransportFeedback),
        ("ack ccfb", CongestionControlFeedback),
    ],
)
def test_feedback_follows_the_report_block_of_its_source(feedback: str, wanted: type[RtcpPacket]) -> None:
    listener = Listener(compound_only(plain(feedback)))
    listener.receive(
        video_packet(0, numbered=True), video_packet(1, numbered=True), video_packet(5, numbered=True)
    )
    listener.session.request_keyframe(VIDEO, None, listener.now)
    sent = of_type(listener.wait(0.3), wanted)
    assert sent
    for packets in sent:
        report = assert_begins_with_its_report(packets, VIDEO_SSRC)
        assert report.ssrc not in (VIDEO_SSRC, AUDIO_SSRC)
        # The highest number: a report covers all packets received until now.
        assert report.blocks[0].highest_sequence_number == 5


def test_an_estimate_of_the_bitrate_follows_a_report_block_of_a_source_that_it_is_about() -> None:
    pair = Pair()
    section = attrs.evolve(video_section(plain("goog-remb")), reduced_size_rtcp=False)
    pair.negotiate(section)
    pair.run(3, video=30)
    peer = srtp_pair()[0]
    clear = [peer.unprotect_rtcp(each) for each in pair.bob.datagrams]
    estimates = of_type([parse(each) for each in clear if each is not None], ReceiverEstimatedMaximumBitrate)
    assert estimates
    for packets in estimates:
        assert_begins_with_its_report(packets, VIDEO_SSRC)


def test_feedback_stands_alone_only_in_sections_with_reduced_size_rtcp() -> None:
    sections = [compound_only(plain("nack")), compound_only(plain("nack"), mid=SECOND, ssrc=SECOND_SSRC)]
    silent = [attrs.evolve(section, encodings=(), active=False) for section in sections]
    listener = Listener(*sections, sending=(attrs.evolve(silent[0], reduced_size_rtcp=False), silent[1]))
    for mid, ssrc in ((VIDEO, VIDEO_SSRC), (SECOND, SECOND_SSRC)):
        listener.receive(video_packet(0, ssrc, mid), video_packet(2, ssrc, mid))
    compound, alone = of_type(listener.wait(0.05), GenericNack)
    assert_begins_with_its_report(compound, VIDEO_SSRC)
    assert [type(packet) for packet in alone] == [GenericNack]
    assert isinstance(alone[0], GenericNack)
    assert alone[0].media_ssrc == SECOND_SSRC


def test_each_source_has_a_compound_of_its_own() -> None:
    sections = [compound_only(plain("nack")), compound_only(plain("nack"), mid=SECOND, ssrc=SECOND_SSRC)]
    listener = Listener(*sections)
    listener.receive(video_packet(0), video_packet(0, SECOND_SSRC, SECOND))
    listener.wait(0.3)
    listener.receive(video_packet(2), video_packet(2, SECOND_SSRC, SECOND))
    sent = of_type(listener.wait(0.05), GenericNack)
    assert len(sent) == 2
    for packets, ssrc in zip(sent, (VIDEO_SSRC, SECOND_SSRC), strict=True):
        assert_begins_with_its_report(packets, ssrc)
        (nack,) = [packet for packet in packets if isinstance(packet, GenericNack)]
        assert nack.media_ssrc == ssrc


def test_feedback_is_sent_from_our_ssrc_of_the_same_section() -> None:
    """A server that knows our SSRCs would take feedback from another section's SSRC for feedback about that section."""
    ours = (
        audio_section(mid=AUDIO, encodings=(Encoding(OURS_IN_AUDIO),), reduced_size_rtcp=False),
        video_section(mid=VIDEO, encodings=(Encoding(OURS_IN_VIDEO),), reduced_size_rtcp=False),
    )
    listener = Listener(
        compound_only(plain("nack")), compound_only(plain("nack"), mid=SECOND, ssrc=SECOND_SSRC), sending=ours
    )
    for mid, ssrc in ((VIDEO, VIDEO_SSRC), (SECOND, SECOND_SSRC)):
        listener.receive(video_packet(0, ssrc, mid), video_packet(2, ssrc, mid))
    in_both, only_received = of_type(listener.wait(0.05), GenericNack)
    assert assert_begins_with_its_report(in_both, VIDEO_SSRC).ssrc == OURS_IN_VIDEO
    # Where no media is sent, an SSRC without media.
    assert assert_begins_with_its_report(only_received, SECOND_SSRC).ssrc not in (
        OURS_IN_VIDEO,
        OURS_IN_AUDIO,
    )


def test_reports_of_a_section_are_a_compound_of_their_own() -> None:
    pair = Pair()
    pair.negotiate(video_section(), audio_section())
    pair.run(12, video=30, audio=True)
    peer, own = srtp_pair()
    from_alice = [
        parse(clear) for each in pair.alice.datagrams if is_rtcp(each) and (clear := own.unprotect_rtcp(each))
    ]
    of_senders = {
        tuple(p.ssrc for p in each if isinstance(p, SenderReport))
        for each in of_type(from_alice, SenderReport)
    }
    assert of_senders == {(VIDEO_SSRC,), (AUDIO_SSRC,)}
    from_bob = [parse(clear) for each in pair.bob.datagrams if (clear := peer.unprotect_rtcp(each))]
    blocks = {
        tuple(block.ssrc for block in p.blocks)
        for each in from_bob
        for p in each
        if isinstance(p, ReceiverReport)
    }
    assert blocks == {(VIDEO_SSRC,), (AUDIO_SSRC,)}


def test_every_datagram_of_a_lossy_call_is_a_compound() -> None:
    pair = Pair()
    pair.drop = random_loss(4, 0.2)
    pair.negotiate(
        video_section(VP8, VP8_RTX, reduced_size_rtcp=False), audio_section(OPUS, reduced_size_rtcp=False)
    )
    pair.run(4, video=30, audio=True)
    pair.alice.session.close(pair.now)
    pair.run(0.1)
    for side, srtp in zip(pair.sides, reversed(srtp_pair()), strict=True):
        datagrams = [
            parse(c) for each in side.datagrams if is_rtcp(each) and (c := srtp.unprotect_rtcp(each))
        ]
        assert len(datagrams) > 4
        for packets in datagrams:
            assert isinstance(packets[0], SenderReport | ReceiverReport)
            descriptions = [packet for packet in packets if isinstance(packet, SourceDescription)]
            assert packets[0].ssrc in [chunk.ssrc for each in descriptions for chunk in each.chunks]


def test_feedback_that_does_not_fit_one_datagram_is_a_compound_in_each() -> None:
    listener = Listener(compound_only(plain("nack")))
    listener.receive(video_packet(0))
    listener.wait(0.3)
    # So far apart that each needs an entry.
    for number in range(20, 20 * 25, 20):
        listener.receive(video_packet(number))
    sent = of_type(listener.wait(0.02), GenericNack)
    assert sent
    for packets in sent:
        assert_begins_with_its_report(packets, VIDEO_SSRC)
    head = feedback_head(
        1, "x" * 300, listener.session.receiver.report_blocks(["video"], listener.now)[VIDEO][0]
    )
    nacks = GenericNack.build(1, VIDEO_SSRC, range(0, 20000, 20), MAX_FEEDBACK)
    datagrams = encode_datagrams([*head, *nacks], MAX_DATAGRAM, head=head)
    assert len(datagrams) == len(nacks) > 2
    assert all(len(each) <= MAX_DATAGRAM for each in datagrams)
    for each in datagrams:
        assert_begins_with_its_report(parse(each), VIDEO_SSRC)


def test_a_bye_of_any_number_of_ssrcs_fits_datagrams() -> None:
    sources = list(range(100, 200))
    cname = "x" * 300
    datagrams = encode_datagrams(
        make_bye(sources[0], cname, sources), MAX_DATAGRAM, head=feedback_head(sources[0], cname, None)
    )
    packets = [packet for each in datagrams for packet in parse(each)]
    assert [ssrc for packet in packets if isinstance(packet, Bye) for ssrc in packet.ssrcs] == sources
    assert all(isinstance(parse(each)[0], ReceiverReport) for each in datagrams)


def test_a_head_is_repeated_and_never_stands_alone() -> None:
    head = [ReceiverReport(1)]
    size = len(encode(head))
    packets = [PictureLossIndication(1, ssrc) for ssrc in range(4)]
    assert encode_datagrams([], 100, head=head) == []
    two_each = size + 2 * len(encode(packets[:1]))
    datagrams = encode_datagrams([*head, *packets], two_each, head=head)
    assert [parse(each) for each in datagrams] == [[*head, *packets[:2]], [*head, *packets[2:]]]
    with pytest.raises(ValueError, match="max_size must be at least"):
        encode_datagrams([*head, *packets], size + 4, head=head)
