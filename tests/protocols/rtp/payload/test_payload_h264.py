"""H.264: single NAL units, STAP-A and FU-A as in the figures of RFC 6184, and parameter sets."""

import base64

import pytest

from tests.strategies.rtp_payloads import load_sample, make_depacketizer, make_frame
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.payload import LayerIds, depacketizer
from trio_rtc.protocols.rtp.payload._nal import join_annex_b, split_annex_b
from trio_rtc.protocols.rtp.payload.h264 import H264Depacketizer, H264Packetizer, read_layers, read_sps_size

SPS, PPS, *_ = split_annex_b(load_sample("libx264")[0][1])
IDR = bytes.fromhex("65 88 84 00 21 99 98 97 96 95")
SLICE = bytes.fromhex("41 9a 02 05 99")
SECOND_SLICE = bytes.fromhex("41 4a 02 05 99")


def fragments(*payloads: str) -> list[bytes]:
    return [bytes.fromhex(payload) for payload in payloads]


def test_single_nal_unit() -> None:
    frame = H264Depacketizer().assemble([SLICE])
    assert frame.payload == b"\x00\x00\x00\x01" + SLICE
    assert not frame.keyframe


def test_stap_a() -> None:
    """RFC 6184 figure 7: a header of type 24, then alternating sizes and NAL units."""
    payload = bytes.fromhex("78 0005 419a020599 0003 0910aa")
    assert H264Depacketizer().assemble([payload]).payload == join_annex_b([SLICE, bytes.fromhex("0910aa")])
    (sent,) = H264Packetizer(1).packetize(make_frame(join_annex_b([SLICE, bytes.fromhex("0910aa")])), 100)
    # The highest NRI of the two is 2.
    assert sent == bytes.fromhex("58 0005 419a020599 0003 0910aa")


def test_fu_a() -> None:
    """RFC 6184 figures 14 and 15: indicator with NRI and type 28, header with S, E and the type."""
    payloads = fragments("7c 85 888400", "7c 05 219998", "7c 45 979695")
    frame = H264Depacketizer([SPS, PPS]).assemble(payloads)
    assert split_annex_b(frame.payload) == [SPS, PPS, IDR]
    assert H264Packetizer(1).packetize(make_frame(join_annex_b([IDR])), 5) == payloads


@pytest.mark.parametrize(
    "payloads",
    [
        fragments(""),
        fragments("7c"),
        fragments("7c 85"),
        # No end, no beginning, two beginnings, another type, another unit between.
        fragments("7c 85 88"),
        fragments("7c 45 88"),
        fragments("7c 85 88", "7c 85 88", "7c 45 88"),
        fragments("7c 85 88", "7c 41 88"),
        fragments("7c 85 88", "41 9a 02", "7c 45 88"),
        # Fragments of an aggregate and of type 0.
        fragments("7c 98 88", "7c 58 88"),
        fragments("7c 80 88", "7c 40 88"),
        # STAP-A that is empty, cut, or has an empty unit.
        fragments("78"),
        fragments("78 00"),
        fragments("78 0003 41 9a"),
        fragments("78 0000 0001 41"),
        # Types 0, STAP-B, MTAP16, FU-B, 31.
        *[fragments(f"{kind} 0003 41 9a 02") for kind in ("60", "79", "7a", "7d", "7f")],
    ],
)
def test_malformed_frames(payloads: list[bytes]) -> None:
    with pytest.raises(ProtocolError):
        H264Depacketizer().assemble(payloads)


@pytest.mark.parametrize(
    ("payload", "starts", "keyframe"),
    [
        (SPS, True, True),
        (PPS, True, False),
        (IDR, True, True),
        (SLICE, True, False),
        (SECOND_SLICE, False, False),
        (bytes.fromhex("65 48 84"), False, False),
        (bytes.fromhex("0910"), True, False),
        (bytes.fromhex("78 0002 0910 0003 6742c0"), True, True),
        (bytes.fromhex("78 0002 0910 0003 419a02"), True, False),
        (bytes.fromhex("7c 85 88"), True, True),
        (bytes.fromhex("7c 05 88"), False, False),
        (bytes.fromhex("7c 81 9a"), True, False),
        (bytes.fromhex("7c 85"), False, False),
        (b"\x41", False, False),
        (b"", False, False),
    ],
)
def test_where_a_frame_may_start(payload: bytes, starts: bool, keyframe: bool) -> None:
    assert H264Depacketizer().starts_frame(payload) is starts
    assert H264Depacketizer().is_keyframe_start(payload) is keyframe


def test_parameter_sets_are_repeated_before_every_idr_frame() -> None:
    packetizer = H264Packetizer(1)
    packetizer.packetize(make_frame(join_annex_b([SPS, PPS, IDR])), 1000)
    packetizer.packetize(make_frame(join_annex_b([SLICE])), 1000)
    (payload,) = packetizer.packetize(make_frame(join_annex_b([IDR])), 1000)
    assert split_annex_b(H264Depacketizer().assemble([payload]).payload) == [SPS, PPS, IDR]
    (payload,) = packetizer.packetize(make_frame(join_annex_b([SLICE])), 1000)
    assert payload == SLICE


def test_newer_parameter_sets_replace_older_ones() -> None:
    other = split_annex_b(load_sample("libx264-slices")[0][1])[1] + b"\x01"
    packetizer = H264Packetizer(0)
    packetizer.packetize(make_frame(join_annex_b([SPS, PPS, IDR])), 1000)
    packetizer.packetize(make_frame(join_annex_b([SPS, other, IDR])), 1000)
    assert packetizer.packetize(make_frame(join_annex_b([IDR])), 1000) == [SPS, other, IDR]


def test_parameter_sets_of_the_encoder_come_first() -> None:
    assert H264Packetizer(0, [SPS, PPS]).packetize(make_frame(join_annex_b([IDR])), 1000) == [SPS, PPS, IDR]


def test_oversized_parameter_sets_are_not_stored() -> None:
    packetizer = H264Packetizer(1)
    packetizer.packetize(make_frame(join_annex_b([SPS + b"\x99" * 9000, PPS, IDR])), 1000)
    assert packetizer.packetize(make_frame(join_annex_b([IDR])), 1000) == [IDR]


def test_parameter_sets_from_sdp() -> None:
    value = ",".join(base64.b64encode(unit).decode() for unit in (SPS, PPS))
    configured = depacketizer("H264", {"sprop-parameter-sets": value})
    assert configured is not None
    frame = configured.assemble([IDR])
    assert split_annex_b(frame.payload) == [SPS, PPS, IDR]
    assert (frame.keyframe, frame.width, frame.height) == (True, 96, 64)


def test_idr_frame_without_sps_is_not_a_keyframe() -> None:
    assert not make_depacketizer("H264").assemble([IDR]).keyframe


def test_mode_0_sends_single_nal_units() -> None:
    packetizer = H264Packetizer(0)
    assert packetizer.packetize(make_frame(join_annex_b([SPS, PPS, IDR])), 100) == [SPS, PPS, IDR]
    with pytest.raises(ValueError, match="must have at most"):
        packetizer.packetize(make_frame(join_annex_b([SPS + b"\x99" * 100])), 100)


def test_mode_2_is_not_supported() -> None:
    with pytest.raises(ValueError, match="mode"):
        H264Packetizer(2)


def test_size_limited_slices_fit_mode_0() -> None:
    packetizer, assembling = H264Packetizer(0), H264Depacketizer()
    for keyframe, payload in load_sample("libx264-slices"):
        units = [unit for unit in split_annex_b(payload) if len(unit) <= 500]
        sent = packetizer.packetize(make_frame(join_annex_b(units)), 500)
        assert [assembling.starts_frame(one) for one in sent if one[0] & 31 in (1, 5)][1:] == [False] * (
            len([one for one in sent if one[0] & 31 in (1, 5)]) - 1
        )
        assert assembling.assemble(sent).keyframe is keyframe


@pytest.mark.parametrize(
    ("sps", "size"),
    [
        # Chromium's, constrained baseline; libx264's of 1080p in the high profile, which is cropped.
        ("6742c00c8c8d41422f2cd41818181e1108d4", (160, 120)),
        ("67640028acd940780227e5c044000003000400000300f03c60c658", (1920, 1080)),
        ("67", None),
        ("6742c00c", None),
        ("6742c00c00000000000000", None),
    ],
)
def test_size_of_an_sps(sps: str, size: tuple[int, int] | None) -> None:
    assert read_sps_size(bytes.fromhex(sps)) == size


def test_layers_of_scalable_h264() -> None:
    # A prefix NAL unit: dependency_id 1, temporal_id 2.
    assert read_layers(bytes.fromhex("6e 80 10 5f 99")) == LayerIds(1, 2)
    assert read_layers(SLICE) == LayerIds()
    with pytest.raises(ProtocolError):
        read_layers(b"")
