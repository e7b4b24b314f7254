"""Audio of any format is preserved by encoding and decoding."""

from fractions import Fraction
from itertools import pairwise

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.codecs import (
    AudioDecoderOptions,
    AudioEncoderOptions,
    CodecError,
    create_audio_decoder,
    create_audio_encoder,
)
from trio_rtc.codecs.samples import audio_level, frame_of, samples_of
from trio_rtc.media import dominant_frequency, tone
from trio_rtc.protocols.rtp.packet.frame import EncodedFrame

CODECS = {"opus": (48_000, 48_000), "PCMU": (8_000, 8_000), "PCMA": (8_000, 8_000), "G722": (8_000, 16_000)}
codecs = pytest.mark.parametrize("codec", CODECS)


def encode_tone(encoder, count=50, frequency=440.0, **settings):
    source = tone(frequency, **settings)
    return [frame for _ in range(count) for frame in encoder.encode(source.next_frame())]


def silence(index, samples=960, rate=48_000):
    return frame_of(bytes(2 * samples), 1, rate, index * samples)


@codecs
@pytest.mark.parametrize("sample_rate", [8_000, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_tone_is_preserved(codec, sample_rate, channels):
    encoder, decoder = create_audio_encoder(codec), create_audio_decoder(codec)
    frames = encode_tone(encoder, sample_rate=sample_rate, channels=channels)
    decoded = [each for frame in frames for each in decoder.decode(frame)]
    assert abs(dominant_frequency(decoded) - 440) < 2
    assert {frame.sample_rate for frame in decoded} == {CODECS[codec][1]}
    assert sum(frame.samples for frame in decoded) / CODECS[codec][1] == pytest.approx(1.0, abs=0.05)


@codecs
@pytest.mark.parametrize("frame_duration", [0.01, 0.02, 0.06])
def test_packets_have_constant_duration_and_consecutive_timestamps(codec, frame_duration):
    encoder = create_audio_encoder(codec, AudioEncoderOptions(frame_duration=frame_duration))
    frames = encode_tone(encoder, 30, sample_rate=44_100)
    step = round(frame_duration * CODECS[codec][0])
    assert [frame.timestamp for frame in frames] == [step * index for index in range(len(frames))]
    assert {frame.clock_rate for frame in frames} == {CODECS[codec][0]}
    assert all(frame.keyframe for frame in frames)
    if codec != "opus":
        assert {len(frame.payload) for frame in frames} == {step}


@codecs
def test_decoded_audio_has_the_timestamp_of_its_packet(codec):
    encoder, decoder = create_audio_encoder(codec), create_audio_decoder(codec)
    for frame in encode_tone(encoder, 5):
        (decoded,) = decoder.decode(frame)
        assert decoded.pts * decoded.time_base == Fraction(frame.timestamp, frame.clock_rate)
        assert decoded.samples == CODECS[codec][1] // 50


def test_audio_level_of_frames():
    frames = encode_tone(create_audio_encoder("opus"), 10, amplitude=0.1)
    assert {frame.audio_level for frame in frames[1:-1]} == {23}  # 20 dB for a tenth, 3 dB for a sine
    assert audio_level(bytes(960)) == 127
    assert audio_level(b"\x00\x80" * 480) == 0


@codecs
def test_pause_appears_in_timestamps_and_marker(codec):
    encoder = create_audio_encoder(codec)
    source = tone(440)
    frames = []
    for index in range(20):
        frame = source.next_frame()
        frame.pts += 48_000 if index >= 10 else 0
        frames += encoder.encode(frame)
    marked = [frame for frame in frames if frame.marker]
    assert [frame.timestamp for frame in marked] == [0, CODECS[codec][0] * 12 // 10]
    timestamps = [frame.timestamp for frame in frames]
    assert timestamps == sorted(set(timestamps))


def test_audio_without_pts_is_contiguous():
    encoder = create_audio_encoder("PCMU")
    source = tone(440, sample_rate=8_000)
    frames = []
    for _ in range(5):
        frame = source.next_frame()
        frame.pts = None
        frames += encoder.encode(frame)
    assert [frame.timestamp for frame in frames] == [0, 160, 320, 480, 640]


def test_audio_format_may_change_at_any_time():
    encoder, decoder = create_audio_encoder("opus"), create_audio_decoder("opus")
    frames = []
    position = Fraction(0)
    for rate, channels in ((48_000, 1), (16_000, 2), (44_100, 1)):
        source = tone(440, sample_rate=rate, channels=channels)
        for _ in range(20):
            audio = source.next_frame()
            audio.pts, audio.time_base = round(position * 90_000), Fraction(1, 90_000)
            position += Fraction(audio.samples, rate)
            frames += encoder.encode(audio)
    decoded = [each for frame in frames for each in decoder.decode(frame)]
    assert abs(dominant_frequency(decoded) - 440) < 2
    assert 57 <= len(frames) <= 60


def test_opus_bitrate_follows_the_target():
    encoder = create_audio_encoder("opus", AudioEncoderOptions(bitrate=96_000, fec=False))
    source = tone(440, channels=2)

    def size(bitrate):
        return sum(
            len(frame.payload)
            for _ in range(20)
            for frame in encoder.encode(source.next_frame(), bitrate=bitrate)
        )

    high, low, again = size(96_000), size(16_000), size(96_000)
    assert low < 0.4 * high
    assert again > 2 * low


def test_opus_packets_have_in_band_fec_if_enabled():
    def has_lbrr(fec):
        options = AudioEncoderOptions(bitrate=20_000, channels=1, fec=fec, expected_loss=30)
        frames = encode_tone(create_audio_encoder("opus", options), 40, frequency=200)
        # SILK mode, and the LBRR flag after the voice activity flag (RFC 6716 section 4.2.3).
        return [frame.payload[0] >> 3 < 12 and bool(frame.payload[1] & 0x40) for frame in frames]

    assert sum(has_lbrr(True)) > 20
    assert not any(has_lbrr(False))


def test_silence_is_not_sent_with_dtx():
    encoder = create_audio_encoder("opus", AudioEncoderOptions(dtx=True, channels=1))
    spoken = encode_tone(encoder, 10)
    silent = [frame for index in range(10, 110) for frame in encoder.encode(silence(index))]
    assert len(spoken) >= 9
    assert len(silent) == 10 + 4  # and then one every 400 ms
    gaps = [after.timestamp - before.timestamp for before, after in pairwise(silent[9:])]
    assert set(gaps) == {19_200}
    source = tone(440)
    for _ in range(110):
        source.next_frame()
    (again,) = encoder.encode(source.next_frame())
    assert again.marker


@codecs
def test_lost_audio_is_concealed_and_fades(codec):
    encoder, decoder = create_audio_encoder(codec), create_audio_decoder(codec)
    assert decoder.conceal(0.02) == []
    frames = encode_tone(encoder, 20)
    end = Fraction(0)
    for frame in frames:
        for decoded in decoder.decode(frame):
            end = decoded.pts * decoded.time_base + Fraction(decoded.samples, decoded.sample_rate)
    levels = []
    for _ in range(8):
        concealed = decoder.conceal(0.02)
        assert sum(each.samples for each in concealed) == CODECS[codec][1] // 50
        assert concealed[0].pts * concealed[0].time_base == end
        end += Fraction(1, 50)
        levels.append(audio_level(samples_of(concealed[0])))
    before = audio_level(samples_of(decoded))
    assert levels[0] - before < 6
    assert levels[-1] > levels[0] + 10


@codecs
def test_decoding_continues_after_a_gap(codec):
    encoder, decoder = create_audio_encoder(codec), create_audio_decoder(codec)
    frames = encode_tone(encoder, 60)
    decoded = []
    for index, frame in enumerate(frames):
        decoded += decoder.conceal(0.02) if index % 7 == 3 else decoder.decode(frame)
    times = [each.pts for each in decoded]
    assert times == [index * CODECS[codec][1] // 50 for index in range(len(frames))]
    assert abs(dominant_frequency(decoded) - 440) < 2


@codecs
def test_concealment_is_bounded(codec):
    encoder, decoder = create_audio_encoder(codec), create_audio_decoder(codec)
    for frame in encode_tone(encoder, 5):
        decoder.decode(frame)
    assert sum(each.samples for each in decoder.conceal(1e6)) <= CODECS[codec][1]
    assert decoder.conceal(0.0) == []


@codecs
@given(data=st.binary(max_size=100))
def test_arbitrary_bytes_raise_only_codec_errors(codec, data):
    decoder = create_audio_decoder(codec)
    try:
        decoded = decoder.decode(EncodedFrame(data, 0, CODECS[codec][0], codec))
    except CodecError:
        return
    assert all(isinstance(each, av.AudioFrame) for each in decoded)


def test_corrupt_packet_costs_only_itself():
    encoder, decoder = create_audio_encoder("opus"), create_audio_decoder("opus")
    frames = encode_tone(encoder, 10)
    decoder.decode(frames[0])
    with pytest.raises(CodecError):
        decoder.decode(EncodedFrame(b"\xff" * 20, 960, 48_000, "opus"))
    with pytest.raises(CodecError, match="empty"):
        decoder.decode(EncodedFrame(b"", 960, 48_000, "opus"))
    assert decoder.decode(frames[2])
    assert decoder.conceal(0.02)


def test_opus_is_decoded_to_mono_on_request():
    encoder = create_audio_encoder("opus")
    decoder = create_audio_decoder("opus", AudioDecoderOptions(channels=1))
    decoded = [each for frame in encode_tone(encoder, 20, channels=2) for each in decoder.decode(frame)]
    assert {each.layout.name for each in decoded} == {"mono"}
    assert abs(dominant_frequency(decoded) - 440) < 2


def test_options_from_format_parameters():
    requested = {"stereo": "1", "useinbandfec": "1", "usedtx": "1", "maxaveragebitrate": "20000"}
    options = AudioEncoderOptions.from_format_parameters(requested)
    assert options == AudioEncoderOptions(bitrate=20_000, channels=2, fec=True, dtx=True)
    assert AudioEncoderOptions.from_format_parameters({}) == AudioEncoderOptions(channels=1, fec=False)


@pytest.mark.parametrize(
    ("parameters", "frame_duration"),
    [
        ({}, 0.02),
        ({"ptime": "20", "minptime": "10", "maxptime": "40"}, 0.02),
        ({"ptime": "10"}, 0.01),
        ({"ptime": "30"}, 0.02),
        ({"ptime": "40"}, 0.04),
        ({"ptime": "120"}, 0.06),
        ({"ptime": "60", "maxptime": "40"}, 0.04),
        ({"maxptime": "10"}, 0.01),
        ({"minptime": "40"}, 0.04),
        ({"ptime": "3"}, 0.01),
        ({"ptime": "20.5"}, 0.02),
    ],
)
def test_frame_duration_from_ptime_and_maxptime(parameters, frame_duration):
    assert AudioEncoderOptions.from_format_parameters(parameters).frame_duration == frame_duration


@pytest.mark.parametrize(
    ("stated", "rate"),
    [("8000", 8_000), ("9000", 8_000), ("16000", 16_000), ("44100", 24_000), ("96000", 48_000), ("1", 8_000)],
)
def test_max_playback_rate_from_format_parameters(stated, rate):
    options = AudioEncoderOptions.from_format_parameters({"maxplaybackrate": stated, "cbr": "1"})
    assert options == AudioEncoderOptions(channels=1, fec=False, cbr=True, max_playback_rate=rate)


OPUS_PARAMETERS = ["stereo", "useinbandfec", "usedtx", "maxaveragebitrate", "cbr", "maxplaybackrate", "ptime"]


@given(
    st.dictionaries(
        st.sampled_from([*OPUS_PARAMETERS, "minptime", "maxptime"]), st.text() | st.integers().map(str)
    )
)
def test_any_format_parameters_are_accepted(parameters):
    assert 6_000 <= AudioEncoderOptions.from_format_parameters(parameters).bitrate <= 510_000


def test_closed_codec_raises():
    encoder, decoder = create_audio_encoder("opus"), create_audio_decoder("opus")
    frames = encode_tone(encoder, 3)
    encoder.close()
    decoder.close()
    with pytest.raises(CodecError, match="closed"):
        encoder.encode(silence(0))
    with pytest.raises(CodecError, match="closed"):
        decoder.decode(frames[0])
    with pytest.raises(CodecError, match="codec must be one of"):
        create_audio_encoder("mp3")


@pytest.mark.parametrize(
    "options",
    [{"bitrate": 1}, {"channels": 3}, {"frame_duration": 0.03}, {"application": "x"}, {"expected_loss": 101}],
)
def test_options_are_validated(options):
    with pytest.raises(ValueError, match="must be"):
        AudioEncoderOptions(**options)
