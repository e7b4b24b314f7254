"""Parsed attributes and cached views of descriptions."""

import attrs

from trio_rtc.protocols.sdp import (
    Attribute,
    make_attribute,
    parse,
    rtp_attributes,
    transport_attributes,
    with_candidates,
)

HEAD = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"


def test_views_are_cached_per_description() -> None:
    description = parse(f"{HEAD}m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=ptime:20\r\n")
    assert rtp_attributes(description, 0) is rtp_attributes(description, 0)
    assert transport_attributes(description, 0) is transport_attributes(description, 0)
    (media,) = description.media
    changed = attrs.evolve(description, media=(attrs.evolve(media, attributes=media.attributes[:1]),))
    assert rtp_attributes(changed, 0).ptime is None
    assert rtp_attributes(description, 0).ptime == 20
    assert description == parse(f"{HEAD}m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=ptime:20\r\n")


def test_equal_lines_that_most_descriptions_have_are_one_object() -> None:
    text = f"{HEAD}m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\na=ice-pwd:{'p' * 22}\r\n"
    (one, secret), (other, same_secret) = (parse(text).media[0].attributes for _ in range(2))
    assert one is other
    assert secret is not same_secret
    assert secret == same_secret
    long = f"111 x={'1' * 256}"
    assert make_attribute("fmtp", long) is not make_attribute("fmtp", long)
    assert make_attribute("fmtp", "111 x=1").parsed is make_attribute("fmtp", "111 x=1").parsed


def test_candidates_change_only_the_view_of_their_transport() -> None:
    section = "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=ptime:20\r\n"
    description = parse(HEAD + section + section)
    audio, transports = rtp_attributes(description, 0), [transport_attributes(description, i) for i in (0, 1)]
    media = description.media[0]
    candidate = Attribute("candidate", "1 1 udp 1 192.0.2.1 1 typ host")
    changed = with_candidates(description, 0, attrs.evolve(media, attributes=(*media.attributes, candidate)))
    assert rtp_attributes(changed, 0) is audio
    assert transport_attributes(changed, 1) is transports[1]
    assert transport_attributes(changed, 0).candidates == (f"candidate:{candidate.value}",)
    assert transport_attributes(description, 0) is transports[0]
