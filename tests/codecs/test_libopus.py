"""libopus by ctypes."""

import pytest
from cryptography.hazmat.bindings import _rust
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.strategies.tones import encode_tone
from trio_rtc.codecs import AudioEncoderOptions, CodecError, create_audio_encoder
from trio_rtc.codecs.libopus import MAX_SAMPLES, STEP, OpusState, find_libopus, first_libopus


@pytest.mark.parametrize("names", [(), ("no such library",), ("no such library", "/nor/this/one.so")])
def test_libopus_may_be_missing(names):
    assert first_libopus(names) is None


def test_other_libraries_are_rejected():
    assert first_libopus([__file__, _rust.__file__]) is None


@pytest.fixture(scope="module")
def library():
    found = find_libopus()
    if found is None:
        pytest.skip("libopus is not found")
    return found


SILENCE = b"\xf8\xff\xfe"


@pytest.mark.parametrize("channels", [1, 2])
def test_decoded_concealed_and_recovered_audio_has_the_requested_size(library, channels):
    state = OpusState(library, channels)
    assert state.decode(SILENCE) == bytes(2 * channels * 960)
    assert len(state.conceal(STEP)) == 2 * channels * STEP
    assert len(state.conceal(MAX_SAMPLES)) == 2 * channels * MAX_SAMPLES
    assert len(state.recover(SILENCE, 2 * STEP)) == 2 * channels * 2 * STEP


@pytest.mark.parametrize("samples", [-STEP, 0, MAX_SAMPLES + 1, 1 << 40])
def test_number_of_samples_is_checked_before_the_call(library, samples):
    state = OpusState(library, 1)
    with pytest.raises(CodecError, match=f"samples must be 1 to 5760, not {samples}"):
        state.conceal(samples)
    with pytest.raises(CodecError, match="samples must be"):
        state.recover(SILENCE, samples)


@pytest.mark.parametrize("channels", [0, 3, -1])
def test_other_numbers_of_channels_are_refused(library, channels):
    with pytest.raises(CodecError, match=f"channels must be 1 or 2, not {channels}"):
        OpusState(library, channels)


@pytest.mark.parametrize(
    ("packet", "samples"),
    [(b"\xf8", 960), (b"\xe0", 120), (b"\x18", 2880), (b"\x19", 5760), (b"\xfb\x06", 5760)],
)
def test_duration_of_a_packet(library, packet, samples):
    """RFC 6716 section 3.1: frame sizes from 2.5 to 60 ms, at most 120 ms in a packet."""
    assert library.duration(packet) == samples


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (b"", "packet is empty"),
        (bytes((1 << 16) + 1), "has 65537 bytes, more than 65536"),
        (b"\xff", "corrupted stream"),
        (b"\xfb\x07", "corrupted stream"),
        (b"\xfb\x00", "0 samples instead of 1 to 5760"),
    ],
)
def test_malformed_packets_raise_before_they_are_decoded(library, packet, reason):
    for use in (
        library.duration,
        OpusState(library, 1).decode,
        lambda each: OpusState(library, 1).recover(each, STEP),
    ):
        with pytest.raises(CodecError, match=f"^opus: .*{reason}"):
            use(packet)


@given(st.binary(max_size=80))
def test_arbitrary_packets_raise_only_codec_errors(packet):
    library = find_libopus()
    assume(library is not None)
    state = OpusState(library, 2)
    try:
        samples = library.duration(packet)
        decoded = state.decode(packet)
    except CodecError:
        assert len(state.decode(SILENCE)) == 4 * 960
    else:
        assert len(decoded) == 4 * samples <= 4 * MAX_SAMPLES


def test_decoders_are_independent(library):
    one, other = OpusState(library, 1), OpusState(library, 1)
    encoder = create_audio_encoder("opus", AudioEncoderOptions(channels=1))
    packets = [frame.payload for frame in encode_tone(encoder, 6)]
    expected = [one.decode(packet) for packet in packets]
    one.decode(SILENCE)
    assert [other.decode(packet) for packet in packets] == expected


def test_the_library_is_searched_once():
    assert find_libopus() is find_libopus()
