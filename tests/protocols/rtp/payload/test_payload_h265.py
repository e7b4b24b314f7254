"""H.265: single NAL units, aggregation packets and fragmentation units as in the figures of RFC 7798."""

import base64
from random import Random

import pytest

from tests.strategies.rtp_payloads import load_sample, make_frame
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.payload import depacketizer, packetizer
from trio_rtc.protocols.rtp.payload._nal import join_annex_b, split_annex_b
from trio_rtc.protocols.rtp.payload.h265 import H265Depacketizer, H265Packetizer, read_sps_size

UNITS = split_annex_b(load_sample("libx265")[0][1])
VPS, SPS, PPS = UNITS[:3]
# IDR_W_RADL (19) and TRAIL_R (1), both the first slice of their frame, temporal id 0.
IDR = bytes.fromhex("2601 af09 99 98 97 96")
SLICE = bytes.fromhex("0201 d009 99")


def fragments(*payloads: str) -> list[bytes]:
    return [bytes.fromhex(payload) for payload in payloads]


def test_sample_begins_with_its_parameter_sets() -> None:
    assert [unit[0] >> 1 & 0x3F for unit in UNITS[:3]] == [32, 33, 34]
    assert read_sps_size(SPS) == (96, 64)


def test_single_nal_unit() -> None:
    frame = H265Depacketizer().assemble([SLICE])
    assert frame.payload == b"\x00\x00\x00\x01" + SLICE
    assert (frame.keyframe, frame.temporal_id) == (False, 0)


def test_aggregation_packet() -> None:
    """RFC 7798 figure 3: a payload header of type 48, then alternating sizes and NAL units."""
    payload = bytes.fromhex("6001 0005 0201d00999 0005 0203d00998")
    units = [SLICE, bytes.fromhex("0203d00998")]
    assert H265Depacketizer().assemble([payload]).payload == join_annex_b(units)
    # The lowest temporal id of the two.
    assert H265Packetizer().packetize(make_frame(join_annex_b(units)), 100) == [payload]


def test_fragmentation_unit() -> None:
    """RFC 7798 figures 9 and 10: a payload header of type 49, then S, E and the type."""
    payloads = fragments("6201 93 af09", "6201 13 9998", "6201 53 9796")
    frame = H265Depacketizer([VPS, SPS, PPS]).assemble(payloads)
    assert split_annex_b(frame.payload) == [VPS, SPS, PPS, IDR]
    assert (frame.keyframe, frame.width, frame.height) == (True, 96, 64)
    assert H265Packetizer().packetize(make_frame(join_annex_b([IDR])), 5) == payloads


@pytest.mark.parametrize(
    "payloads",
    [
        fragments("0201"),
        fragments("6201 93"),
        fragments("6201 93 af09"),
        fragments("6201 53 af09"),
        fragments("6201 93 af", "6201 93 af", "6201 53 af"),
        fragments("6201 93 af", "6201 41 af"),
        fragments("6201 93 af", "0201 d009", "6201 53 af"),
        # Fragments of a fragment.
        fragments("6201 b1 af", "6201 71 af"),
        fragments("6001 00"),
        fragments("6001 0009 0201d0"),
        fragments("6001 0002 0201"),
        # A temporal id of minus one, a PACI packet, a reserved type.
        fragments("0200 d009"),
        fragments("6401 d00999"),
        fragments("7e01 d00999"),
    ],
)
def test_malformed_frames(payloads: list[bytes]) -> None:
    with pytest.raises(ProtocolError):
        H265Depacketizer().assemble(payloads)


@pytest.mark.parametrize(
    ("payload", "starts", "keyframe"),
    [
        (VPS, True, True),
        (SPS, True, True),
        (PPS, True, False),
        (IDR, True, True),
        (SLICE, True, False),
        (bytes.fromhex("2601 2f09"), False, False),
        (bytes.fromhex("6001 0003 4601aa 0003 4201aa"), True, True),
        (bytes.fromhex("6001 0003 4601aa 0003 0201d0"), True, False),
        (bytes.fromhex("6201 93 af"), True, True),
        (bytes.fromhex("6201 13 af"), False, False),
        # A suffix SEI.
        (bytes.fromhex("5001 aa"), False, False),
        (b"\x02\x01", False, False),
        (b"", False, False),
    ],
)
def test_where_a_frame_may_start(payload: bytes, starts: bool, keyframe: bool) -> None:
    assert H265Depacketizer().starts_frame(payload) is starts
    assert H265Depacketizer().is_keyframe_start(payload) is keyframe


@pytest.mark.parametrize("kind", range(16, 24))
def test_intra_random_access_points_are_keyframes(kind: int) -> None:
    unit = bytes([kind << 1, 1]) + IDR[2:]
    assert H265Depacketizer([VPS, SPS, PPS]).assemble([unit]).keyframe
    assert not H265Depacketizer().assemble([unit]).keyframe


def test_parameter_sets_are_repeated() -> None:
    sending = H265Packetizer()
    sending.packetize(make_frame(join_annex_b([VPS, SPS, PPS, IDR])), 1000)
    (payload,) = sending.packetize(make_frame(join_annex_b([IDR])), 1000)
    assert split_annex_b(H265Depacketizer().assemble([payload]).payload) == [VPS, SPS, PPS, IDR]


def test_parameter_sets_from_sdp() -> None:
    values = {
        f"sprop-{name}": base64.b64encode(unit).decode()
        for name, unit in (("vps", VPS), ("sps", SPS), ("pps", PPS))
    }
    configured = depacketizer("H265", values)
    assert configured is not None
    assert split_annex_b(configured.assemble([IDR]).payload) == [VPS, SPS, PPS, IDR]


def test_decoding_order_numbers_are_not_supported() -> None:
    assert depacketizer("H265", {"sprop-max-don-diff": "2"}) is None
    assert packetizer("H265", {"sprop-max-don-diff": "2"}, Random(1)) is None
    assert depacketizer("H265", {"sprop-max-don-diff": "0"}) is not None


@pytest.mark.parametrize("size", [0, 2, 3, 8, 16])
def test_size_of_a_truncated_sps(size: int) -> None:
    assert read_sps_size(SPS[:size]) is None
