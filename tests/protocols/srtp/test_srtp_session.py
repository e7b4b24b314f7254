"""SRTP sessions under every profile: valid packets pass, all others are dropped and counted."""

import random

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pylibsrtp import Policy

from trio_rtc.protocols.srtp import (
    MAX_PROTECTED_SIZE,
    MAX_RTCP_SIZE,
    MAX_RTP_SIZE,
    PROFILES,
    PacketCounters,
    Profile,
    SrtpOptions,
    SrtpSession,
)
from trio_rtc.protocols.srtp.session import SrtpContext

profiles = pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
GCM_128 = PROFILES["SRTP_AEAD_AES_128_GCM"]


def rtp(sequence_number: int, ssrc: int = 1, payload: bytes = b"payload") -> bytes:
    return b"\x80\x60" + sequence_number.to_bytes(2, "big") + bytes(4) + ssrc.to_bytes(4, "big") + payload


def rtcp(ssrc: int = 1, words: int = 0) -> bytes:
    return b"\x80\xc9" + (1 + words).to_bytes(2, "big") + ssrc.to_bytes(4, "big") + bytes(4 * words)


def pair(profile: Profile = GCM_128, **options: int) -> tuple[SrtpSession, SrtpSession]:
    rng = random.Random(1)
    keys = [(rng.randbytes(profile.key_size), rng.randbytes(profile.salt_size)) for _ in range(2)]
    bounds = SrtpOptions(**options)
    left = SrtpSession(profile.name, *keys[0], *keys[1], options=bounds)
    return left, SrtpSession(profile.name, *keys[1], *keys[0], options=bounds)


@profiles
def test_packets_pass_in_both_directions(profile: Profile) -> None:
    for sender, receiver in (pair(profile), pair(profile)[::-1]):
        for number in range(3):
            packet, report = rtp(number), rtcp(words=number)
            protected, protected_report = sender.protect(packet), sender.protect_rtcp(report)
            assert len(protected) == len(packet) + profile.rtp_overhead
            assert len(protected_report) == len(report) + profile.rtcp_overhead
            assert packet[12:] not in protected
            assert receiver.unprotect(protected) == packet
            assert receiver.unprotect_rtcp(protected_report) == report
        assert sender.counters.rtp == sender.counters.rtcp == PacketCounters(protected=3)
        assert receiver.counters.rtp == receiver.counters.rtcp == PacketCounters(unprotected=3)


def test_sizes_of_the_profiles() -> None:
    """RFC 5764 section 4.1.2 and RFC 7714 section 12: bytes of the master key, the master salt and the tag."""
    sizes = {name: (each.key_size, each.salt_size, each.tag_size) for name, each in PROFILES.items()}
    assert sizes == {
        "SRTP_AEAD_AES_256_GCM": (32, 12, 16),
        "SRTP_AEAD_AES_128_GCM": (16, 12, 16),
        "SRTP_AES128_CM_HMAC_SHA1_80": (16, 14, 10),
    }


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(b"\x81" + rtp(1, payload=b"\xff" * 12)[1:], id="csrc"),
        pytest.param(
            b"\x90" + rtp(1, payload=b"\xbe\xde\0\x01" + b"\xff" * 8)[1:], id="extension-of-one-word"
        ),
        pytest.param(
            b"\x91" + rtp(1, payload=b"\xff" * 4 + b"\xbe\xde\0\x02" + b"\xff" * 8)[1:],
            id="csrc-and-extension-up-to-the-end",
        ),
    ],
)
def test_headers_with_csrcs_and_extensions_pass(packet: bytes) -> None:
    sender, receiver = pair()
    assert receiver.unprotect(sender.protect(packet)) == packet


def test_the_vector_of_rfc_3711() -> None:
    # RFC 3711 appendix B.3 derives session keys from this master key; the keystream of index 0 follows from them.
    key, salt = (
        bytes.fromhex("e1f97a0d3e018be0d64fa32c06de4139"),
        bytes.fromhex("0ec675ad498afeebb6960b3aabe6"),
    )
    session = SrtpSession("SRTP_AES128_CM_HMAC_SHA1_80", key, salt, key, salt)
    # Packet and result are those of libsrtp's srtp_driver, which other implementations test with as well.
    packet = bytes.fromhex("800f1234decafbadcafebabe" + "ab" * 16)
    protected = bytes.fromhex("800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb")
    assert session.protect(packet) == protected
    assert session.unprotect(protected) == packet


@profiles
def test_replays_are_dropped(profile: Profile) -> None:
    sender, receiver = pair(profile)
    packet, report = sender.protect(rtp(1)), sender.protect_rtcp(rtcp())
    assert receiver.unprotect(packet) is not None
    assert receiver.unprotect_rtcp(report) is not None
    assert receiver.unprotect(packet) is None
    assert receiver.unprotect_rtcp(report) is None
    assert receiver.counters.rtp == receiver.counters.rtcp == PacketCounters(unprotected=1, replayed=1)


def test_packets_older_than_the_window_are_dropped() -> None:
    sender, receiver = pair(window_size=64)
    early = sender.protect(rtp(1))
    assert receiver.unprotect(sender.protect(rtp(200))) is not None
    assert receiver.unprotect(early) is None
    assert receiver.counters.rtp.replayed == 1


def test_packets_out_of_order_pass_within_the_window() -> None:
    sender, receiver = pair()
    protected = [sender.protect(rtp(number)) for number in range(1000)]
    random.Random(2).shuffle(protected)
    assert all(receiver.unprotect(packet) is not None for packet in protected)


def test_the_rollover_counter_is_updated() -> None:
    sender, receiver = pair()
    for number in range(65_530, 65_545):
        packet = rtp(number & 0xFFFF)
        assert receiver.unprotect(sender.protect(packet)) == packet


@profiles
@pytest.mark.parametrize("position", [1, 5, 13, -1])
def test_a_forged_packet_is_dropped_and_the_genuine_one_still_passes(profile: Profile, position: int) -> None:
    sender, receiver = pair(profile)
    for protected, unprotect, counters in (
        (sender.protect(rtp(1)), receiver.unprotect, receiver.counters.rtp),
        (sender.protect_rtcp(rtcp(words=2)), receiver.unprotect_rtcp, receiver.counters.rtcp),
    ):
        forged = bytearray(protected)
        forged[position] ^= 0x01
        assert unprotect(bytes(forged)) is None
        assert (counters.forged, counters.unprotected) == (1, 0)
        assert unprotect(protected) is not None


@profiles
def test_packets_under_another_key_are_dropped(profile: Profile) -> None:
    sender, _ = pair(profile)
    assert sender.unprotect(sender.protect(rtp(1))) is None
    assert sender.unprotect_rtcp(sender.protect_rtcp(rtcp())) is None
    assert sender.counters.rtp.forged == sender.counters.rtcp.forged == 1


@profiles
@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(b"", id="empty"),
        pytest.param(rtp(1, payload=b"")[:11], id="shorter-than-a-header"),
        pytest.param(rtp(1, payload=bytes(9)), id="shorter-than-a-tag"),
        pytest.param(b"\x40" + rtp(1, payload=bytes(40))[1:], id="version-1"),
        pytest.param(b"\x8f" + rtp(1, payload=bytes(60))[1:], id="csrcs-over-the-end"),
        pytest.param(
            b"\x90" + rtp(1, payload=b"\xbe\xde\xff\xff" + bytes(60))[1:], id="extension-over-the-end"
        ),
        pytest.param(b"\x9f" + rtp(1, payload=bytes(60))[1:], id="extension-header-over-the-end"),
        pytest.param(rtp(1, payload=bytes(MAX_PROTECTED_SIZE)), id="too-long"),
    ],
)
def test_malformed_packets_are_dropped(profile: Profile, packet: bytes) -> None:
    _, receiver = pair(profile)
    assert receiver.unprotect(packet) is None
    assert receiver.counters.rtp == PacketCounters(malformed=1)


@profiles
@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(b"", id="empty"),
        pytest.param(rtcp()[:7], id="shorter-than-a-header"),
        pytest.param(rtcp() + bytes(13), id="shorter-than-a-tag"),
        pytest.param(b"\x40" + rtcp(words=20)[1:], id="version-1"),
        pytest.param(rtcp(words=MAX_PROTECTED_SIZE // 4), id="too-long"),
    ],
)
def test_malformed_rtcp_packets_are_dropped(profile: Profile, packet: bytes) -> None:
    _, receiver = pair(profile)
    assert receiver.unprotect_rtcp(packet) is None
    assert receiver.counters.rtcp == PacketCounters(malformed=1)


@profiles
def test_unencrypted_srtcp_is_dropped(profile: Profile) -> None:
    """RFC 3711 section 3.4: the E flag follows the encrypted part; with AES-CM the tag follows it."""
    sender, receiver = pair(profile)
    protected = bytearray(sender.protect_rtcp(rtcp(words=2)))
    is_aead = "GCM" in profile.name
    protected[-4 if is_aead else -14] &= 0x7F
    assert receiver.unprotect_rtcp(bytes(protected)) is None
    assert receiver.counters.rtcp == (PacketCounters(forged=1) if is_aead else PacketCounters(malformed=1))


@profiles
def test_the_smallest_sizes(profile: Profile) -> None:
    """A header and the overhead of the profile are well-formed, though not authentic here."""
    _, receiver = pair(profile)
    for size, counters in ((1, PacketCounters(malformed=1)), (0, PacketCounters(malformed=1, forged=1))):
        assert receiver.unprotect(rtp(1, payload=bytes(profile.rtp_overhead - size))) is None
        assert receiver.unprotect_rtcp(rtcp() + b"\xff" * (profile.rtcp_overhead - 4 * size)) is None
        assert receiver.counters.rtp == receiver.counters.rtcp == counters


def test_the_largest_sizes() -> None:
    _, receiver = pair()
    for size, counters in (
        (MAX_PROTECTED_SIZE, PacketCounters(forged=1)),
        (MAX_PROTECTED_SIZE + 4, PacketCounters(forged=1, malformed=1)),
    ):
        assert receiver.unprotect(rtp(1, payload=bytes(size - 12))) is None
        assert receiver.unprotect_rtcp(rtcp(words=(size - 8) // 4)) is None
        assert receiver.counters.rtp == receiver.counters.rtcp == counters


def test_a_packet_larger_than_the_buffer_is_refused_before_libsrtp_reads_it() -> None:
    policy = Policy(bytes(28), ssrc_type=Policy.SSRC_ANY_INBOUND, srtp_profile=GCM_128.identifier)
    with pytest.raises(ValueError, match="length"):
        SrtpContext(policy).unprotect(rtp(1, payload=bytes(2048 + 1 - 12)))


@profiles
def test_random_bytes_are_dropped(profile: Profile) -> None:
    sender, receiver = pair(profile)
    assert receiver.unprotect(sender.protect(rtp(1))) is not None

    @given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda data: b"\x90" + data))
    def dropped(data: bytes) -> None:
        assert receiver.unprotect(data) is None
        assert receiver.unprotect_rtcp(data) is None

    dropped()
    for counters in (receiver.counters.rtp, receiver.counters.rtcp):
        assert counters.forged + counters.malformed + counters.replayed > 0
    assert receiver.inbound_sources == {1}


@profiles
def test_the_largest_packets_pass(profile: Profile) -> None:
    sender, receiver = pair(profile)
    packet = rtp(1, payload=bytes(MAX_RTP_SIZE - 12))
    report = rtcp(words=(MAX_RTCP_SIZE - 8) // 4)
    assert receiver.unprotect(sender.protect(packet)) == packet
    assert receiver.unprotect_rtcp(sender.protect_rtcp(report)) == report


@pytest.mark.parametrize(
    "packet", [b"", bytes(20), rtp(1, payload=bytes(MAX_RTP_SIZE)), b"\x8f" + rtp(1)[1:]], ids=len
)
def test_protect_refuses_all_but_rtp(packet: bytes) -> None:
    sender, _ = pair()
    with pytest.raises(ValueError, match="must be RTP of at most"):
        sender.protect(packet)


@pytest.mark.parametrize("packet", [b"", bytes(20), rtcp() + b"x", rtcp(words=MAX_RTCP_SIZE // 4)], ids=len)
def test_protect_rtcp_refuses_all_but_rtcp(packet: bytes) -> None:
    sender, _ = pair()
    with pytest.raises(ValueError, match="must be RTCP of at most"):
        sender.protect_rtcp(packet)


@profiles
def test_a_packet_may_be_protected_again_within_the_window(profile: Profile) -> None:
    sender, receiver = pair(profile, window_size=64)
    first = sender.protect(rtp(1))
    sender.protect(rtp(40))
    assert sender.protect(rtp(1)) == first
    assert receiver.unprotect(first) == rtp(1)
    sender.protect(rtp(100))
    with pytest.raises(ValueError, match="too old"):
        sender.protect(rtp(1))


def test_inbound_ssrcs_are_bounded() -> None:
    sender, receiver = pair(max_inbound_sources=3)
    assert receiver.unprotect(sender.protect(rtp(1, ssrc=1))) is not None
    assert receiver.unprotect(sender.protect(rtp(1, ssrc=2))) is not None
    assert receiver.unprotect_rtcp(sender.protect_rtcp(rtcp(3))) is not None
    assert receiver.unprotect(sender.protect(rtp(1, ssrc=4))) is None
    assert receiver.unprotect_rtcp(sender.protect_rtcp(rtcp(4))) is None
    assert (receiver.counters.rtp.refused, receiver.counters.rtcp.refused) == (1, 1)
    # Packets of known SSRCs still pass.
    assert receiver.unprotect(sender.protect(rtp(2, ssrc=1))) is not None
    assert receiver.inbound_sources == {1, 2, 3}
    receiver.remove_source(2)
    assert receiver.unprotect(sender.protect(rtp(2, ssrc=4))) is not None
    assert receiver.inbound_sources == {1, 3, 4}


def test_forged_packets_do_not_count_as_inbound_ssrcs() -> None:
    _, receiver = pair()
    for ssrc in range(100):
        receiver.unprotect(rtp(1, ssrc=ssrc, payload=bytes(30)))
    assert receiver.counters.rtp == PacketCounters(forged=100)
    assert not receiver.inbound_sources


def test_a_removed_source_begins_with_a_new_replay_window() -> None:
    """Therefore only sources that have ended are removed."""
    sender, receiver = pair()
    packet = sender.protect(rtp(1))
    assert receiver.unprotect(packet) is not None
    assert receiver.unprotect(packet) is None
    receiver.remove_source(1)
    assert receiver.unprotect(packet) == rtp(1)


def test_removing_an_unknown_source_does_nothing() -> None:
    _, receiver = pair()
    receiver.remove_source(77)
    assert not receiver.inbound_sources


@pytest.mark.parametrize("field", ["name", "key_size", "salt_size"])
def test_unknown_profiles_and_keys_of_wrong_size_are_refused(field: str) -> None:
    changed = attrs.evolve(GCM_128, **{field: "SRTP_NULL" if field == "name" else 11})
    with pytest.raises(ValueError, match="SRTP_"):
        pair(changed)


@pytest.mark.parametrize(
    "options", [{"window_size": 63}, {"window_size": 0x8000}, {"max_inbound_sources": 0}]
)
def test_options_are_validated(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be"):
        SrtpOptions(**options)


@profiles
def test_the_largest_packets_fit_with_the_longest_trailer(profile: Profile) -> None:
    """libsrtp's SRTP_MAX_TRAILER_LEN is 144, and SRTCP has an index of four bytes (RFC 3711 section 3.4)."""
    assert (MAX_RTP_SIZE, MAX_RTCP_SIZE) == (1500 - 144, 1500 - 144 - 4)
    left, right = pair(profile)
    largest = rtcp(words=(MAX_RTCP_SIZE - 8) // 4)
    assert right.unprotect_rtcp(left.protect_rtcp(largest)) == largest
    with pytest.raises(ValueError, match="RTCP"):
        left.protect_rtcp(rtcp(words=(MAX_RTCP_SIZE - 8) // 4 + 1))


def test_the_defaults_are_as_documented() -> None:
    assert attrs.asdict(SrtpOptions()) == {"window_size": 1024, "max_inbound_sources": 1024}
    assert not any(attrs.astuple(PacketCounters()))


@pytest.mark.parametrize("sources", [0, 1, 15])
@pytest.mark.parametrize("words", [None, 0, 3])
@pytest.mark.parametrize("missing", [0, 1, 4])
def test_a_header_ends_within_its_packet(sources: int, words: int | None, missing: int) -> None:
    """RFC 3550 section 5.1: 12 bytes, 4 for each CSRC, and 4 of header extension before its words."""
    left, right = pair()
    header = bytes((0x80 | 0x10 * (words is not None) | sources, 96)) + bytes(9) + b"\1" + bytes(4 * sources)
    if words is not None:
        header += b"\xbe\xde" + words.to_bytes(2, "big") + bytes(4 * words)
    if missing:
        with pytest.raises(ValueError, match="must be RTP of at most"):
            left.protect(header[: len(header) - missing])
    else:
        assert right.unprotect(left.protect(header)) == header
