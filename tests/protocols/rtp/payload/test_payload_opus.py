"""Opus: the duration of packets, and in-band FEC."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.rtp_payloads import make_frame, make_packetizer
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.payload import (
    has_in_band_fec,
    opus,
    payload_duration,
)


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


# RFC 6716: table 2 for the first byte, section 3.2 for the bytes between, sections 4.2.3 and 4.2.4 for the last byte.
@pytest.mark.parametrize(
    ("packet", "repeats"),
    [
        pytest.param("48 40", True, id="20 ms"),
        pytest.param("48 bf", False, id="20 ms, all other bits"),
        pytest.param("40 40", True, id="10 ms"),
        pytest.param("50 20", True, id="40 ms"),
        pytest.param("50 df", False, id="40 ms, all other bits"),
        pytest.param("58 10", True, id="60 ms"),
        pytest.param("58 ef", False, id="60 ms, all other bits"),
        pytest.param("4c 40", True, id="stereo, middle"),
        pytest.param("4c 10", True, id="stereo, side"),
        pytest.param("4c af", False, id="stereo, all other bits"),
        pytest.param("5c 10", True, id="stereo of 60 ms, middle"),
        pytest.param("5c 01", True, id="stereo of 60 ms, side"),
        pytest.param("5c ee", False, id="stereo of 60 ms, all other bits"),
        pytest.param("68 40", True, id="hybrid"),
        pytest.param("80 ff", False, id="CELT of narrow band"),
        pytest.param("fc ff", False, id="CELT of full band"),
        pytest.param("49 40 00", True, id="two frames of one size"),
        pytest.param("4a 01 40 00", True, id="two frames"),
        pytest.param("4a fc 00 40", True, id="two frames, the first long"),
        pytest.param("4b 02 40 00", True, id="many frames of one size"),
        pytest.param("4b 42 01 40 00 00", True, id="padding"),
        pytest.param("4b 42 ff 01 40 00", True, id="much padding"),
        pytest.param("4b 83 01 fc 00 40", True, id="many frames"),
        pytest.param("4b c3 01 01 fc 00 40", True, id="many frames with padding"),
        *(
            (ends, False)
            for ends in ("", "48", "4a", "4a fc", "4b", "4b 02", "4b 42 ff ff", "4b bf", "4b bf 40")
        ),
    ],
)
def test_position_of_the_lbrr_flag(packet: str, repeats: bool) -> None:
    assert opus.has_in_band_fec(bytes.fromhex(packet)) is repeats
    assert has_in_band_fec("OPUS", bytes.fromhex(packet)) is repeats
    assert not has_in_band_fec("PCMU", bytes.fromhex(packet))


@given(st.binary(max_size=80))
def test_any_bytes_are_accepted(packet: bytes) -> None:
    assert opus.has_in_band_fec(packet) in (True, False)
