"""Aggregation packets with length fields of 0, a header, a header and a byte, or beyond the end."""

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.strategies.rtp_payloads import make_depacketizer
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.payload._nal import split_annex_b
from trio_rtc.protocols.rtp.payload.h264 import read_layers

Element = tuple[int, bytes]
"""Value of a length field, and the unit after it."""

UNITS = {
    # Slices (first, second), IDR, SPS, PPS, delimiter, a prefix NAL unit with layers.
    "H264": ["419a02", "414a02", "658884", "6742c00c", "68ce3c", "0910", "6e80105f", "65", "67", "41"],
    # Trailing slices (first, second), IDR, VPS, SPS, delimiter.
    "H265": ["02019a02", "02014a02", "26019a02", "400101", "420101", "460150", "2601", "4201", "26"],
}
AGGREGATE = {"H264": b"\x78", "H265": b"\x60\x01"}
HEADER_SIZE = {"H264": 1, "H265": 2}


def encode(codec: str, elements: list[Element]) -> bytes:
    return AGGREGATE[codec] + b"".join(length.to_bytes(2, "big") + unit for length, unit in elements)


def read(data: bytes) -> list[bytes] | None:
    """Return the units by their length fields, ``None`` if one is empty or exceeds the payload: RFC 6184, 5.7.1."""
    units = []
    while data:
        length = int.from_bytes(data[:2], "big")
        if len(data) < 2 or not 0 < length <= len(data) - 2:
            return None
        units.append(data[2 : 2 + length])
        data = data[2 + length :]
    return units or None


@st.composite
def aggregates(draw: st.DrawFn, codec: str) -> list[Element]:
    elements = []
    for _ in range(draw(st.integers(1, 3))):
        unit = bytes.fromhex(draw(st.sampled_from(UNITS[codec])))
        header = HEADER_SIZE[codec]
        length = draw(st.sampled_from([0, 1, header, header + 1, len(unit), len(unit) + 1, 0xFFFF]))
        elements.append((length, unit))
    return elements


def check(codec: str, elements: list[Element]) -> None:
    """Compare with the result for the first unit alone, and with the units by their length fields."""
    payload = encode(codec, elements)
    depacketizer = make_depacketizer(codec)
    data = payload[HEADER_SIZE[codec] :]
    first_length = int.from_bytes(data[:2], "big")
    first = data[2 : 2 + first_length]
    whole = len(first) == first_length and len(first) > HEADER_SIZE[codec]
    starts = whole and depacketizer.starts_frame(first)
    assert depacketizer.starts_frame(payload) is starts
    units = read(data)
    if depacketizer.is_keyframe_start(payload):
        assert starts
        within = [unit for unit in units or [] if depacketizer.is_keyframe_start(unit)]
        assert depacketizer.is_keyframe_start(first) or within or is_short_sps(codec, units)
    elif whole:
        assert not depacketizer.is_keyframe_start(first)
    try:
        assembled = depacketizer.assemble([payload])
    except ProtocolError:
        assert units is None or codec == "H265"
        return
    assert units is not None
    assert b"".join(split_annex_b(assembled.payload)).replace(b"\0", b"") == b"".join(units).replace(
        b"\0", b""
    )


def is_short_sps(codec: str, units: list[bytes] | None) -> bool:
    """An SPS truncated after its header still counts among the units of an aggregation packet."""
    if codec == "H264":
        return any(unit[0] & 0x1F == 7 for unit in units or [])
    return any(unit[0] >> 1 & 0x3F == 33 for unit in units or [])


@given(aggregates("H264"))
@example([(1, b"\x65")])
@example([(1, b"\x65"), (3, b"\x41\x9a\x02")])
@example([(1, b"\x65\x88")])
@example([(0, b"\x65\x88\x84")])
def test_length_fields_of_h264(elements: list[Element]) -> None:
    check("H264", elements)


@given(aggregates("H265"))
@example([(2, b"\x26\x01")])
@example([(2, b"\x26\x01"), (4, b"\x02\x01\x9a\x02")])
@example([(1, b"\x26")])
def test_length_fields_of_h265(elements: list[Element]) -> None:
    check("H265", elements)


@pytest.mark.parametrize(
    ("codec", "payload"),
    [
        # A unit that is only a header is followed by the next length field, not by its first bit.
        ("H264", "78 0001 65 8000"),
        ("H264", "78 0001 65"),
        ("H264", "78 0001 41 0003 65 88 84"),
        ("H264", "78 0000 65 88 84"),
        ("H264", "78 0004 65 88 84"),
        ("H264", "78 00"),
        ("H264", "78 0001"),
        ("H265", "6001 0002 2601 8000"),
        ("H265", "6001 0002 2601"),
        ("H265", "6001 0001 26 019a"),
        ("H265", "6001 0000 26019a"),
        ("H265", "6001 0004 26019a"),
    ],
)
def test_no_frame_starts_with_an_incomplete_unit(codec: str, payload: str) -> None:
    depacketizer = make_depacketizer(codec)
    assert not depacketizer.starts_frame(bytes.fromhex(payload))
    assert not depacketizer.is_keyframe_start(bytes.fromhex(payload))


def test_layers_are_read_within_the_first_unit_only() -> None:
    """A prefix NAL unit of two bytes, followed by a unit that resembles its extension."""
    assert read_layers(bytes.fromhex("78 0004 6e80105f")).temporal_id == 2
    for cut in ("78 0002 6e80 105f", "78 0003 6e8010 5f", "78 0000 6e80105f", "78 0005 6e80105f"):
        assert read_layers(bytes.fromhex(cut)).temporal_id is None


# AV1: the length of an OBU element is a leb128, and the last of up to three counted ones has none.


def leb128(number: int, size: int = 1) -> bytes:
    return bytes(number >> 7 * index & 0x7F | (0x80 if index < size - 1 else 0) for index in range(size))


@pytest.mark.parametrize("size", [1, 2, 8])
@pytest.mark.parametrize("counted", [0, 1, 2])
@pytest.mark.parametrize("stated", [lambda real: 0, lambda real: 1, lambda real: real, lambda real: real + 1])
def test_length_fields_of_av1(size: int, counted: int, stated: Callable[[int], int]) -> None:
    """A sequence header (0x08) and a frame OBU (0x30); a length of 0 is an empty OBU, which is malformed."""
    first, second = b"\x08\x99\x98\x97", b"\x30\x10\x96\x95"
    length = stated(len(first))
    prefix = b"" if counted == 1 else leb128(length, size)
    last = second if counted == 2 else leb128(len(second)) + second
    payload = bytes([counted << 4]) + prefix + (first if counted == 1 else first + last)
    depacketizer = make_depacketizer("AV1")
    whole = counted == 1 or 0 < length <= len(first) + len(last)
    assert depacketizer.starts_frame(payload) is whole
    if not whole:
        with pytest.raises(ProtocolError):
            depacketizer.assemble([payload])
    elif length == len(first) and counted != 1:
        frame = depacketizer.assemble([payload])
        # The delimiter, and the sizes in the headers.
        assert frame.payload == b"\x12\x00\x0a\x03\x99\x98\x97\x32\x03\x10\x96\x95"


@pytest.mark.parametrize("codec", ["H264", "H265", "AV1"])
@given(data=st.binary(max_size=12))
def test_keyframe_start_implies_frame_start(codec: str, data: bytes) -> None:
    payload = AGGREGATE.get(codec, b"\x20") + data
    depacketizer = make_depacketizer(codec)
    if depacketizer.is_keyframe_start(payload):
        assert depacketizer.starts_frame(payload)
