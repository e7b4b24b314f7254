"""AV1: aggregation header, OBU elements and their fragments."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.rtp_payloads import load_sample, make_frame
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.payload import LayerIds
from trio_rtc.protocols.rtp.payload.av1 import Av1Depacketizer, Av1Packetizer, read_layers
from trio_rtc.protocols.rtp.payload.av1_obu import (
    Obu,
    split_temporal_unit,
)

DELIMITER = bytes.fromhex("1200")
SEQUENCE = split_temporal_unit(load_sample("svt-av1")[0][1])[1]
# Frames: a shown keyframe and a delta frame.
KEY = Obu(b"\x30", bytes.fromhex("10 99 98 97"))
INTER = Obu(b"\x30", bytes.fromhex("30 99"))


def unit(*obus: Obu) -> bytes:
    return DELIMITER + b"".join(obu.encode_with_size() for obu in obus)


@pytest.mark.parametrize(
    "payloads",
    [
        # W=2: the first element has a length, the last does not. N is set.
        ["28 02 0899 30109998 97"],
        # W=0: all elements have lengths.
        ["08 02 0899 05 3010999897"],
        # OBUs with their sizes.
        ["28 03 0a0199 32041099 9897"],
        # The frame in three fragments: Y, Z and Y, Z.
        ["68 02 0899 3010", "d0 99", "90 9897"],
        # The same with lengths.
        ["48 02 0899 02 3010", "c0 01 99", "80 02 9897"],
        # A superfluous temporal delimiter.
        ["38 02 1200 02 0899 3010999897"],
    ],
)
def test_assemble(payloads: list[str]) -> None:
    frame = Av1Depacketizer().assemble([bytes.fromhex(payload) for payload in payloads])
    assert frame.payload == bytes.fromhex("1200 0a0199 320410999897")
    assert frame.keyframe


@pytest.mark.parametrize(
    "payloads",
    [
        [],
        [""],
        ["10"],
        # An element that exceeds the payload; W=2 with one element; an empty OBU.
        ["00 05 30"],
        ["20 02 3030"],
        ["20 00 30"],
        ["00 00"],
        # No beginning, no end, or both missing in the middle.
        ["90 3030"],
        ["50 3030"],
        ["50 3030", "10 3030"],
        # The forbidden bit; a size that exceeds the element; bytes after the OBU; a truncated extension.
        ["10 b030"],
        ["10 3205 30"],
        ["10 3201 3030"],
        ["10 34"],
        # Only a temporal delimiter.
        ["10 1200"],
    ],
)
def test_malformed_frames(payloads: list[str]) -> None:
    with pytest.raises(ProtocolError):
        Av1Depacketizer().assemble([bytes.fromhex(payload) for payload in payloads])


def test_packetize_in_one_packet() -> None:
    (payload,) = Av1Packetizer().packetize(make_frame(unit(SEQUENCE, KEY)), 100)
    sequence = SEQUENCE.encode()
    assert payload == bytes([0x28, len(sequence)]) + sequence + bytes.fromhex("3010999897")


def test_only_the_first_packet_of_a_keyframe_begins_a_sequence() -> None:
    key = Obu(b"\x30", b"\x10" + b"\x99" * 100)
    payloads = Av1Packetizer().packetize(make_frame(unit(SEQUENCE, key)), 40)
    assert [bool(payload[0] & 0x08) for payload in payloads] == [True] + [False] * (len(payloads) - 1)
    assert [bool(payload[0] & 0x80) for payload in payloads] == [False] + [True] * (len(payloads) - 1)
    assert [bool(payload[0] & 0x40) for payload in payloads] == [True] * (len(payloads) - 1) + [False]
    (payload,) = Av1Packetizer().packetize(make_frame(unit(INTER)), 40)
    assert payload == bytes.fromhex("10 303099")


def test_more_than_three_elements_all_have_lengths() -> None:
    metadata = [Obu(b"\x28", bytes([number])) for number in range(4)]
    (payload,) = Av1Packetizer().packetize(make_frame(unit(*metadata, INTER)), 100)
    assert payload == bytes.fromhex("00 022800 022801 022802 022803 03303099")


def test_frames_do_not_share_a_packet() -> None:
    """A packet must not aggregate OBUs of several frames (section 1 of the specification)."""
    payloads = Av1Packetizer().packetize(make_frame(unit(INTER, INTER)), 100)
    assert payloads == [bytes.fromhex("10 303099")] * 2


def test_layers_do_not_share_a_packet() -> None:
    lower, upper = Obu(b"\x34\x00", b"\x30\x99"), Obu(b"\x24\x08", b"\x30\x99")
    payloads = Av1Packetizer().packetize(make_frame(unit(lower, upper)), 100)
    assert [read_layers(payload) for payload in payloads] == [LayerIds(0, 0), LayerIds(1, 0)]


@pytest.mark.parametrize(
    ("payload", "starts", "keyframe"),
    [
        ("18 0899", True, True),
        ("10 0899", True, True),
        ("10 3030", True, False),
        ("00 02 3030", True, False),
        ("18 3010", True, True),
        ("90 3030", False, False),
        ("98 3030", False, False),
        # A tile group, a redundant frame header.
        ("10 2030", False, False),
        ("18 2030", False, False),
        ("10 3830", False, False),
        ("20 80", False, False),
        ("10", False, False),
        ("", False, False),
    ],
)
def test_where_a_frame_may_start(payload: str, starts: bool, keyframe: bool) -> None:
    assert Av1Depacketizer().starts_frame(bytes.fromhex(payload)) is starts
    assert Av1Depacketizer().is_keyframe_start(bytes.fromhex(payload)) is keyframe


def test_keyframe_requires_a_sequence_header() -> None:
    (payload,) = Av1Packetizer().packetize(make_frame(unit(KEY)), 100)
    assert not Av1Depacketizer().assemble([payload]).keyframe
    (payload,) = Av1Packetizer().packetize(make_frame(unit(SEQUENCE, INTER)), 100)
    assert not Av1Depacketizer().assemble([payload]).keyframe


def test_layers() -> None:
    frame = Av1Depacketizer().assemble([bytes.fromhex("10 34203099"), bytes.fromhex("10 34283099")])
    assert (frame.temporal_id, frame.spatial_id) == (1, 1)
    # A continued fragment has no layer ids, the OBU after it has.
    assert read_layers(bytes.fromhex("a0 03 342830 34403099")) == LayerIds(0, 2)
    assert read_layers(bytes.fromhex("90 34403099")) == LayerIds()


@given(
    obus=st.lists(
        st.builds(
            Obu,
            st.sampled_from([b"\x28", b"\x30", b"\x20", b"\x18", b"\x34\x00", b"\x34\x28", b"\x78"]),
            st.binary(max_size=300),
        ),
        min_size=1,
        max_size=12,
    ),
    max_size=st.integers(9, 200),
)
def test_temporal_units_round_trip(obus: list[Obu], max_size: int) -> None:
    payloads = Av1Packetizer().packetize(make_frame(unit(*obus)), max_size)
    assert max(map(len, payloads)) <= max_size
    assert Av1Depacketizer().assemble(payloads).payload == unit(*obus)


def test_too_many_elements_are_rejected() -> None:
    payload = b"\x08" + b"\x01\x10" * 257
    with pytest.raises(ProtocolError, match="more than 256 OBU elements"):
        Av1Depacketizer().assemble([payload])
