"""Views of real offers."""

import pytest

from tests.strategies.descriptions import REAL_OFFERS
from trio_rtc.protocols.sdp import (
    Bandwidth,
    ExtMap,
    Fingerprint,
    Fmtp,
    Msid,
    Rid,
    Rtcp,
    RtcpFeedback,
    RtpMap,
    SessionDescription,
    SimulcastAlternative,
    Ssrc,
    SsrcGroup,
    application_attributes,
    field_value,
    groups,
    is_bundle_only,
    media_mid,
    parse,
    rtp_attributes,
    transport_attributes,
)

HEAD = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"


def offer(name: str) -> SessionDescription:
    return parse(REAL_OFFERS[name])


def test_chromium_application_section() -> None:
    description = offer("chromium-offer-dc")
    (media,) = description.media
    transport = transport_attributes(description, 0)
    assert media_mid(media) == "0"
    assert groups(description, "BUNDLE")[0].mids == ("0",)
    assert (transport.ice_ufrag, transport.ice_pwd) == ("xq37", "PMYTSKTDWfDKzFfQXFZrTeaE")
    assert transport.ice_options == {"trickle"}
    assert transport.setup == "actpass"
    assert not transport.ice_lite
    assert not transport.end_of_candidates
    assert len(transport.candidates) == 4
    assert transport.candidates[0].startswith("candidate:4287807085 1 udp ")
    assert transport.fingerprints[0].algorithm == "sha-256"
    application = application_attributes(media)
    assert application is not None
    assert (application.sctp_port, application.max_message_size, application.legacy) == (5000, 262144, False)


def test_firefox_has_session_level_fingerprint_and_ice_options() -> None:
    description = offer("firefox-offer-dc")
    transport = transport_attributes(description, 0)
    assert transport.fingerprints[0].value.startswith("8B:20:58:A2")
    assert transport.ice_options == {"trickle"}
    assert transport.end_of_candidates


def test_media_level_overrides_session_level() -> None:
    text = HEAD + (
        "a=setup:actpass\r\na=tls-id:abc\r\na=ice-ufrag:sess\r\na=ice-pwd:" + "s" * 22 + "\r\n"
        "a=fingerprint:md5 " + ":".join(["00"] * 16) + "\r\na=ice-options:ice2\r\na=ice-lite\r\n"
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=setup:active\r\na=ice-ufrag:sect\r\n"
        "a=fingerprint:SHA-1 " + ":".join(["ab"] * 20) + "\r\na=ice-options:trickle\r\n"
        "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n"
    )
    description = parse(text)
    first, second = (transport_attributes(description, index) for index in (0, 1))
    assert (first.setup, second.setup) == ("active", "actpass")
    assert first.fingerprints == (Fingerprint("sha-1", ":".join(["AB"] * 20)),)
    assert second.fingerprints[0].algorithm == "md5"
    assert first.ice_options == {"ice2", "trickle"}
    assert (first.ice_ufrag, first.ice_pwd) == ("sect", None)
    assert (second.ice_ufrag, second.ice_pwd) == ("sess", "s" * 22)
    assert first.ice_lite
    assert first.tls_id == "abc"


def test_aiortc_lists_three_fingerprints() -> None:
    algorithms = [f.algorithm for f in transport_attributes(offer("aiortc-offer-dc"), 0).fingerprints]
    assert algorithms == ["sha-256", "sha-384", "sha-512"]


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=sctp-port:5001\r\n", (5001, 65536, False)),
        ("m=application 9 TCP/DTLS/SCTP webrtc-datachannel\r\n", (5000, 65536, False)),
        ("m=application 9 DTLS/SCTP 5002\r\na=sctpmap:5002 webrtc-datachannel 1024\r\n", (5002, 65536, True)),
        ("m=application 9 DTLS/SCTP 5000\r\na=sctpmap:5000 webrtc-datachannel\r\n", (5000, 65536, True)),
        ("m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=max-message-size:0\r\n", (5000, 0, False)),
        ("m=application 9 DTLS/SCTP 5000\r\na=sctpmap:5000 other 1024\r\n", None),
        ("m=application 9 DTLS/SCTP 5000\r\na=sctpmap:5001 webrtc-datachannel 1024\r\n", None),
        ("m=application 9 UDP/BFCP *\r\n", None),
        ("m=audio 9 UDP/DTLS/SCTP webrtc-datachannel\r\n", None),
    ],
)
def test_application_forms(section: str, expected: tuple[int, int, bool] | None) -> None:
    application = application_attributes(parse(HEAD + section).media[0])
    found = application and (application.sctp_port, application.max_message_size, application.legacy)
    assert found == expected


def test_chromium_audio() -> None:
    description = offer("chromium-offer-sped-snap-ccfb")
    audio = rtp_attributes(description, 0)
    assert audio.direction == "sendrecv"
    assert audio.rtcp_mux
    assert audio.rtcp_rsize
    assert not audio.rtcp_mux_only
    assert audio.rtcp == Rtcp(9, "IN IP4 0.0.0.0")
    assert audio.extmap_allow_mixed
    assert audio.rtpmaps[0] == RtpMap(111, "opus", 48000, 2)
    assert RtcpFeedback(111, "ack", "ccfb") in audio.rtcp_feedback
    assert audio.extmaps[0] == ExtMap(1, None, "urn:ietf:params:rtp-hdrext:ssrc-audio-level", None)
    assert audio.msids == (
        Msid("12fa9d1c-61b4-4847-bb29-4ee1d12c0406", "2c85f2f6-8f6f-47ca-b208-83b085dc4c97"),
    )
    assert "sctp-init" in {attribute.name for attribute in description.media[2].attributes}


def test_firefox_simulcast() -> None:
    video = rtp_attributes(offer("firefox-offer-simulcast"), 0)
    assert video.direction == "sendonly"
    assert video.simulcast is not None
    assert video.simulcast.send == tuple((SimulcastAlternative(rid, paused=False),) for rid in "qhf")
    assert video.simulcast.receive == ()
    assert video.rids[0] == Rid("q", "send", None)
    assert video.ssrcs[0] == Ssrc(1468238822, "cname", "{f6c302c0-abeb-44ce-b210-8c274d70d916}")
    assert video.ssrc_groups[0] == SsrcGroup("FID", (1468238822, 1906025296))
    assert Fmtp("124", "apt=120") in video.fmtps
    assert video.extmaps[3].direction == "recvonly"


def test_rtp_details() -> None:
    description = parse(
        HEAD
        + "a=recvonly\r\nm=video 0 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP6 ::\r\nb=TIAS:128000\r\na=bundle-only\r\n"
        "a=rtcp-mux-only\r\na=rtcp-fb:* nack\r\na=simulcast:recv 1,~2;3 send 4\r\na=ssrc:1\r\n"
        "a=rid:4 send pt=96;max-width=1280\r\na=extmap:2 urn:x with attributes\r\n"
    )
    video = rtp_attributes(description, 0)
    assert video.direction == "recvonly"
    assert video.rtcp_mux_only
    assert video.bandwidths == (Bandwidth("TIAS", 128000),)
    assert video.rtcp_feedback == (RtcpFeedback(None, "nack", None),)
    assert video.simulcast is not None
    assert video.simulcast.receive == (
        (SimulcastAlternative("1", paused=False), SimulcastAlternative("2", paused=True)),
        (SimulcastAlternative("3", paused=False),),
    )
    assert video.ssrcs == (Ssrc(1, None, None),)
    assert video.rids[0].restrictions == "pt=96;max-width=1280"
    assert video.extmaps[0].attributes == "with attributes"
    assert is_bundle_only(description.media[0])
    assert field_value(description.media[0], "c") == "IN IP6 ::"
    assert field_value(description.media[0], "i") is None


@pytest.mark.parametrize("name", REAL_OFFERS)
def test_views_of_every_real_section(name: str) -> None:
    description = offer(name)
    for index, media in enumerate(description.media):
        transport = transport_attributes(description, index)
        assert transport.ice_ufrag is not None
        assert transport.ice_pwd is not None
        assert transport.fingerprints
        if media.kind == "application":
            assert application_attributes(media) is not None
        else:
            rtp = rtp_attributes(description, index)
            assert {str(rtpmap.payload_type) for rtpmap in rtp.rtpmaps} <= set(media.formats)
