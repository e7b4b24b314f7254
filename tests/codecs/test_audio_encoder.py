"""Audio encoders: packets, timestamps, pauses, DTX and in-band FEC."""

from itertools import pairwise

import pytest

from tests.strategies.tones import CODECS, encode_tone, silence
from trio_rtc.codecs import (
    AudioEncoderOptions,
    create_audio_encoder,
)
from trio_rtc.codecs.samples import audio_level, frame_of
from trio_rtc.media import tone

codecs = pytest.mark.parametrize("codec", CODECS)


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


@codecs
@pytest.mark.parametrize("timed", [True, False])
def test_a_pause_of_the_capture_clock_appears_in_timestamps(codec, timed):
    encoder = create_audio_encoder(codec)
    source = tone(440)
    frames = []
    for index in range(20):
        frame = source.next_frame()
        if not timed:
            frame.pts = None
        frames += encoder.encode(frame, captured=7.0 + 0.02 * index + (0.3 if index >= 10 else 0.0))
    marked = [frame for frame in frames if frame.marker]
    assert [frame.timestamp for frame in marked] == [0, CODECS[codec][0] * 5 // 10]


def test_padding_shortens_the_next_pause():
    encoder = create_audio_encoder("opus")
    frames = []
    for index in range(20):
        frame = frame_of(bytes(960), 1, 48_000, None)
        frames += encoder.encode(frame, captured=0.01 * index + (0.3 if index >= 10 else 0.0))
        if index in (2, 4):
            # Each pads 10 ms, although no pause follows.
            frames += encoder.flush()
    paused = [frame for frame in frames if frame.timestamp >= 0.3 * 48_000]
    assert paused[0].timestamp == 0.4 * 48_000
    assert paused[0].marker


def test_pts_has_no_effect_beside_the_capture_clock():
    encoder = create_audio_encoder("opus")
    source = tone(440)
    timestamps = []
    for index in range(10):
        frame = source.next_frame()
        frame.pts += 48_000 * (2 if index >= 5 else 1)
        timestamps += [each.timestamp for each in encoder.encode(frame, captured=0.02 * index)]
    assert timestamps == [48_000 + 960 * index for index in range(10)]


def test_audio_without_pts_is_contiguous():
    encoder = create_audio_encoder("PCMU")
    source = tone(440, sample_rate=8_000)
    frames = []
    for _ in range(5):
        frame = source.next_frame()
        frame.pts = None
        frames += encoder.encode(frame)
    assert [frame.timestamp for frame in frames] == [0, 160, 320, 480, 640]


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
