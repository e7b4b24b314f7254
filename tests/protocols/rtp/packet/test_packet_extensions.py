"""Header extensions as values: each byte for byte, malformed ones are ignored."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.protocols.rtp.packet.extensions import (
    ABS_CAPTURE_TIME,
    ABS_SEND_TIME,
    AUDIO_LEVEL,
    CSRC_AUDIO_LEVEL,
    MID,
    PLAYOUT_DELAY,
    REPAIRED_RTP_STREAM_ID,
    RTP_STREAM_ID,
    SUPPORTED,
    TRANSMISSION_OFFSET,
    TRANSPORT_WIDE_CC,
    VIDEO_ORIENTATION,
    ExtensionMap,
    HeaderValues,
    encode_abs_capture_time,
    encode_abs_send_time,
    encode_audio_level,
    encode_csrc_audio_levels,
    encode_playout_delay,
    encode_text,
    encode_transmission_offset,
    encode_transport_sequence_number,
    encode_video_orientation,
)

EVERYTHING = ExtensionMap(dict(enumerate(SUPPORTED, 1)))


def read(uri: str, value: bytes) -> HeaderValues:
    return ExtensionMap({7: uri}).read(((7, value),))


@pytest.mark.parametrize(
    ("uri", "value", "expected"),
    [
        (MID, "3031", HeaderValues(mid="01")),
        (RTP_STREAM_ID, "68", HeaderValues(rid="h")),
        (REPAIRED_RTP_STREAM_ID, "68", HeaderValues(repaired_rid="h")),
        (AUDIO_LEVEL, "8c", HeaderValues(audio_level=12, voice=True)),
        (AUDIO_LEVEL, "7f", HeaderValues(audio_level=127, voice=False)),
        (CSRC_AUDIO_LEVEL, "0cff", HeaderValues(csrc_audio_levels=(12, 127))),
        (ABS_SEND_TIME, "040000", HeaderValues(send_time=1 << 18)),
        (TRANSPORT_WIDE_CC, "fffe", HeaderValues(transport_sequence_number=0xFFFE)),
        (TRANSPORT_WIDE_CC, "01028001", HeaderValues(transport_sequence_number=0x0102)),
        (ABS_CAPTURE_TIME, "0000000180000000", HeaderValues(capture_time=1.5)),
        (
            ABS_CAPTURE_TIME,
            "0000000180000000 ffffffff80000000",
            HeaderValues(capture_time=1.5, capture_clock_offset=-0.5),
        ),
        (VIDEO_ORIENTATION, "00", HeaderValues(rotation=0)),
        (VIDEO_ORIENTATION, "01", HeaderValues(rotation=90)),
        (VIDEO_ORIENTATION, "0f", HeaderValues(rotation=270)),
        (PLAYOUT_DELAY, "00a fff", HeaderValues(playout_delay_min=0.1, playout_delay_max=40.95)),
        (TRANSMISSION_OFFSET, "ffffff", HeaderValues(transmission_offset=-1)),
    ],
)
def test_values(uri: str, value: str, expected: HeaderValues) -> None:
    assert read(uri, bytes.fromhex(value.replace(" ", ""))) == expected


@pytest.mark.parametrize(
    ("uri", "value"),
    [
        (MID, b""),
        (MID, b"\xff"),
        (RTP_STREAM_ID, b"\xc3"),
        (REPAIRED_RTP_STREAM_ID, b""),
        (AUDIO_LEVEL, b""),
        (AUDIO_LEVEL, b"ab"),
        (CSRC_AUDIO_LEVEL, b""),
        (CSRC_AUDIO_LEVEL, bytes(16)),
        (ABS_SEND_TIME, b"ab"),
        (ABS_SEND_TIME, b"abcd"),
        (TRANSPORT_WIDE_CC, b"a"),
        (TRANSPORT_WIDE_CC, b"abc"),
        (ABS_CAPTURE_TIME, bytes(7)),
        (ABS_CAPTURE_TIME, bytes(15)),
        (VIDEO_ORIENTATION, b""),
        (VIDEO_ORIENTATION, b"ab"),
        (PLAYOUT_DELAY, b"ab"),
        (PLAYOUT_DELAY, bytes.fromhex("002001")),  # the shortest is longer than the longest
        (TRANSMISSION_OFFSET, b"abcd"),
    ],
)
def test_malformed_elements_are_ignored(uri: str, value: bytes) -> None:
    assert read(uri, value) == HeaderValues()


@given(st.lists(st.tuples(st.integers(0, 20), st.binary(max_size=20))))
def test_no_bytes_raise(elements: list[tuple[int, bytes]]) -> None:
    EVERYTHING.read(elements)


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        (encode_text("0é"), "30c3a9"),
        (encode_audio_level(12, voice=True), "8c"),
        (encode_audio_level(127, voice=False), "7f"),
        (encode_csrc_audio_levels([1, 127]), "017f"),
        (encode_abs_send_time(1.5), "060000"),
        (encode_abs_send_time(64.0), "000000"),
        (encode_transport_sequence_number(0x10002), "0002"),
        (encode_abs_capture_time(1.5), "0000000180000000"),
        (encode_abs_capture_time(1.5, -0.5), "0000000180000000ffffffff80000000"),
        (encode_video_orientation(270), "03"),
        (encode_video_orientation(-90), "03"),
        (encode_playout_delay(0.1, 100.0), "00afff"),
        (encode_playout_delay(-1.0, 0.0), "000000"),
        (encode_transmission_offset(-2), "fffffe"),
    ],
)
def test_elements(element: bytes, expected: str) -> None:
    assert element.hex() == expected


@given(st.integers(0, 127), st.booleans(), st.floats(0, 4e9), st.floats(-1000, 1000), st.integers(0, 4095))
def test_encoded_values_are_parsed_to_the_same(
    level: int, voice: bool, time: float, offset: float, delay: int
) -> None:
    numbers = EVERYTHING.number
    values = EVERYTHING.read(
        [
            (numbers(AUDIO_LEVEL) or 0, encode_audio_level(level, voice)),
            (numbers(ABS_CAPTURE_TIME) or 0, encode_abs_capture_time(time, offset)),
            (numbers(PLAYOUT_DELAY) or 0, encode_playout_delay(delay / 100, delay / 100)),
        ]
    )
    assert (values.audio_level, values.voice) == (level, voice)
    assert values.capture_time == pytest.approx(time, abs=1e-6)
    assert values.capture_clock_offset == pytest.approx(offset, abs=1e-6)
    assert values.playout_delay_min == values.playout_delay_max == delay / 100


def test_numbers_and_uris() -> None:
    extensions = ExtensionMap({3: MID, 4: "urn:unknown", 5: MID})
    assert (extensions.uri(3), extensions.uri(4), extensions.uri(9)) == (MID, "urn:unknown", None)
    assert (extensions.number(MID), extensions.number("urn:unknown"), extensions.number(AUDIO_LEVEL)) == (
        3,
        4,
        None,
    )
    assert extensions.read([(5, b"a"), (4, b"b"), (9, b"c")]) == HeaderValues(mid="a")


def test_only_elements_written_at_sending_are_mutable() -> None:
    extensions = ExtensionMap({1: VIDEO_ORIENTATION, 2: ABS_SEND_TIME, 5: TRANSPORT_WIDE_CC})
    assert extensions.mutable_elements() == {2, 5}


def test_a_map_is_a_value() -> None:
    uris = {3: MID}
    extensions = ExtensionMap(uris)
    uris[4] = AUDIO_LEVEL
    assert extensions == ExtensionMap({3: MID})
    assert hash(extensions) == hash(ExtensionMap({3: MID}))
    assert extensions != ExtensionMap(uris)
    assert ExtensionMap() == ExtensionMap({})
    assert ExtensionMap([(3, MID), (4, AUDIO_LEVEL)]) == ExtensionMap(uris)
