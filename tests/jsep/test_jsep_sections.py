"""Builders of local sections for data channels, transports and rejected sections."""

import attrs

from tests.strategies.jsep_sessions import local_media
from trio_rtc.jsep.sections import (
    bundle_only_section,
    mirrored_data_section,
    offer_data_section,
    rejected_section,
    with_transport,
)
from trio_rtc.protocols.sdp import (
    Attribute,
    MediaDescription,
    application_attributes,
    attribute_value,
    has_attribute,
    is_rejected_offer,
)

LEGACY = MediaDescription(
    "application",
    9,
    "DTLS/SCTP",
    ("5000",),
    attributes=(Attribute("sctpmap", "5000 webrtc-datachannel 1024"),),
)
CANDIDATE = "candidate:1 1 udp 2122194687 192.0.2.1 1111 typ host"


def test_data_channels_are_offered_as_in_rfc_8841() -> None:
    section = offer_data_section("3", local_media())
    assert (section.protocol, section.formats) == ("UDP/DTLS/SCTP", ("webrtc-datachannel",))
    attributes = application_attributes(section)
    assert attributes is not None
    assert (attributes.sctp_port, attributes.max_message_size, attributes.legacy) == (5000, 262144, False)
    assert attribute_value(section, "mid") == "3"


def test_the_form_before_rfc_8841_is_answered_in_it() -> None:
    attributes = application_attributes(mirrored_data_section(LEGACY, local_media()))
    assert attributes is not None
    assert attributes.legacy
    assert not has_attribute(mirrored_data_section(LEGACY, local_media()), "mid")


def test_a_transport_has_credentials_fingerprints_and_candidates() -> None:
    transport = attrs.evolve(
        local_media("gen1").transport(0), candidates=(CANDIDATE,), candidates_complete=True
    )
    section = with_transport(offer_data_section("0", local_media()), transport, "actpass")
    assert attribute_value(section, "ice-ufrag") == "gen1"
    assert attribute_value(section, "setup") == "actpass"
    assert has_attribute(section, "fingerprint")
    assert has_attribute(section, "end-of-candidates")
    # The default candidate (RFC 8839 section 4.2.1.2).
    assert (section.port, section.fields[0].value) == (1111, "IN IP4 192.0.2.1")


def test_bundle_only_sections_have_all_but_candidates() -> None:
    transport = attrs.evolve(
        local_media("gen1").transport(0), candidates=(CANDIDATE,), candidates_complete=True
    )
    section = bundle_only_section(offer_data_section("0", local_media()), transport)
    assert section.port == 0
    assert not is_rejected_offer(section)
    assert has_attribute(section, "ice-ufrag")
    assert not has_attribute(section, "candidate")
    assert not has_attribute(section, "end-of-candidates")


def test_rejected_sections_keep_mid_formats_and_codecs() -> None:
    attributes = (Attribute("mid", "a"), Attribute("rtpmap", "96 VP8/90000"), Attribute("sendrecv"))
    rejected = rejected_section(MediaDescription("video", 9, "RTP/SAVPF", ("96",), attributes=attributes))
    assert (rejected.port, rejected.protocol, rejected.formats) == (0, "RTP/SAVPF", ("96",))
    assert [each.name for each in rejected.attributes] == ["mid", "inactive", "rtpmap"]
    assert rejected_section(LEGACY).attributes == ()
