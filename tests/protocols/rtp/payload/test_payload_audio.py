"""Audio payload formats, durations of payloads, and telephone events (RFC 4733)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.rtp_payloads import load_sample, make_depacketizer, make_frame, make_packetizer
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.payload import DTMF_EVENTS, TelephoneEvent, opus, payload_duration
from trio_rtc.protocols.rtp.payload.telephone_event import parse_events

AUDIO_CODECS = ("opus", "PCMU", "PCMA", "G722", "CN", "telephone-event")


@pytest.mark.parametrize("codec", AUDIO_CODECS)
def test_payload_is_one_frame(codec: str) -> None:
    payload = bytes.fromhex("050a0140")
    assert make_packetizer(codec).packetize(make_frame(payload, codec), 4) == [payload]
    depacketizer = make_depacketizer(codec)
    assert depacketizer.starts_frame(payload)
    assert depacketizer.is_keyframe_start(payload)
    frame = depacketizer.assemble([payload])
    assert (frame.payload, frame.keyframe) == (payload, True)


@pytest.mark.parametrize("codec", AUDIO_CODECS)
@pytest.mark.parametrize("payloads", [[], [b""], [b"\x05\x0a\x01\x40"] * 2])
def test_malformed_frames(codec: str, payloads: list[bytes]) -> None:
    depacketizer = make_depacketizer(codec)
    with pytest.raises(ProtocolError):
        depacketizer.assemble(payloads)
    assert not depacketizer.starts_frame(b"")
    assert not depacketizer.is_keyframe_start(b"")


@pytest.mark.parametrize("codec", AUDIO_CODECS)
def test_audio_frames_are_not_split(codec: str) -> None:
    with pytest.raises(ValueError, match=r"must have"):
        make_packetizer(codec).packetize(make_frame(bytes(8), codec), 7)


# RFC 6716 table 2, configurations by their first and last number, in milliseconds.
@pytest.mark.parametrize(
    ("configuration", "milliseconds"),
    [
        (0, 10),
        (1, 20),
        (2, 40),
        (3, 60),
        (11, 60),
        (12, 10),
        (13, 20),
        (15, 20),
        (16, 2.5),
        (19, 20),
        (31, 20),
    ],
)
def test_duration_of_opus(configuration: int, milliseconds: float) -> None:
    samples = int(milliseconds * 48)
    first = configuration << 3
    assert opus.payload_duration(bytes([first])) == samples
    assert opus.payload_duration(bytes([first | 1, 9])) == 2 * samples
    assert opus.payload_duration(bytes([first | 2, 9])) == 2 * samples
    assert opus.payload_duration(bytes([first | 3, 0xC2, 9])) == 2 * samples


@pytest.mark.parametrize("payload", ["", "03", "0300", "0b07", "03 8d"])
def test_malformed_opus_packets(payload: str) -> None:
    with pytest.raises(ProtocolError):
        opus.payload_duration(bytes.fromhex(payload))
    assert payload_duration("opus", bytes.fromhex(payload)) is None
    with pytest.raises(ValueError, match="Opus"):
        make_packetizer("opus").packetize(make_frame(bytes.fromhex(payload)), 100)


def test_durations_by_name() -> None:
    assert [payload_duration("OPUS", payload) for _, payload in load_sample("libopus")] == [960] * 5
    # 20 ms: 160 samples of G.711 in as many bytes; 320 samples of G.722 in 160 bytes, but a clock rate of 8000.
    assert [payload_duration(codec, bytes(160)) for codec in ("PCMU", "pcma", "G722")] == [160] * 3
    assert payload_duration("VP8", bytes(160)) is None


@pytest.mark.parametrize(
    ("encoded", "event"),
    [
        # RFC 4733 section 2.5.2.1: digit 9, volume 7, after 50 ms and at its end after 200 ms.
        ("09070190", TelephoneEvent(9, False, 7, 400)),
        ("09870640", TelephoneEvent(9, True, 7, 1600)),
        ("10bfffff", TelephoneEvent(16, True, 63, 65535)),
    ],
)
def test_telephone_event(encoded: str, event: TelephoneEvent) -> None:
    assert TelephoneEvent.parse(bytes.fromhex(encoded)) == event
    assert event.encode() == bytes.fromhex(encoded)


def test_reserved_bit_is_ignored() -> None:
    assert TelephoneEvent.parse(bytes.fromhex("09470190")) == TelephoneEvent(9, False, 7, 400)


def test_digits() -> None:
    assert [DTMF_EVENTS[digit] for digit in "0159*#AD"] == [0, 1, 5, 9, 10, 11, 12, 15]


@given(st.integers(0, 255), st.booleans(), st.integers(0, 63), st.integers(0, 65535))
def test_events_round_trip(event: int, end: bool, volume: int, duration: int) -> None:
    value = TelephoneEvent(event, end, volume, duration)
    assert parse_events(value.encode() * 3) == (value,) * 3


@pytest.mark.parametrize("size", [0, 1, 3, 5, 7])
def test_truncated_events(size: int) -> None:
    with pytest.raises(ProtocolError):
        TelephoneEvent.parse(bytes(size))
    with pytest.raises(ProtocolError):
        parse_events(bytes(size))


@pytest.mark.parametrize(
    "event",
    [
        TelephoneEvent(256),
        TelephoneEvent(-1),
        TelephoneEvent(1, volume=64),
        TelephoneEvent(1, duration=65536),
    ],
)
def test_events_out_of_range(event: TelephoneEvent) -> None:
    with pytest.raises(ValueError, match="must be 0 to 255"):
        event.encode()
