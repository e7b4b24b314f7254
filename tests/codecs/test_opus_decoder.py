"""Lost Opus packets are recovered from in-band FEC with libopus, and concealed without it."""

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.strategies.opus_sweep import (
    SAMPLES,
    decode_all,
    error_between,
    has_lbrr_flag,
    sweep_packets,
)
from trio_rtc.codecs import (
    AudioDecoderOptions,
    CodecError,
    DecodeWorker,
    create_audio_decoder,
    decodes_in_band_fec,
    registry,
)
from trio_rtc.codecs.libopus import MAX_SAMPLES
from trio_rtc.codecs.samples import as_array, samples_of
from trio_rtc.protocols.rtp.packet.frame import EncodedFrame
from trio_rtc.protocols.rtp.payload import has_in_band_fec

COUNT = 100
MONO = AudioDecoderOptions(channels=1)
either_way = pytest.mark.parametrize("in_band_fec", ["never", "prefer"])


@pytest.fixture(scope="module")
def frames():
    return sweep_packets(COUNT)


def opus_decoder(in_band_fec="prefer", channels=1):
    return create_audio_decoder("opus", AudioDecoderOptions(channels=channels, in_band_fec=in_band_fec))


def samples_in(audio_frames):
    return as_array(b"".join(samples_of(audio) for audio in audio_frames))


def with_losses(frames, decoder, *, in_time=True):
    """Decode all but every fifth packet, and pass the following packet to the decoder if ``in_time``."""
    audio_frames = []
    for index, frame in enumerate(frames):
        if index % 5 == 3:
            audio_frames += decoder.conceal(0.02, frames[index + 1].payload if in_time else None)
        else:
            audio_frames += decoder.decode(frame)
    return samples_in(audio_frames)


def test_packets_have_in_band_fec(frames):
    carrying = [has_lbrr_flag(frame.payload) for frame in frames]
    assert sum(carrying) > 0.4 * COUNT
    assert [has_in_band_fec("opus", frame.payload) for frame in frames] == carrying


def in_place_of_lost(samples):
    """Return the audio at the positions of lost packets."""
    part = samples[:0]
    for index in range(3, COUNT, 5):
        part += samples[index * SAMPLES : (index + 1) * SAMPLES]
    return part


def test_following_packet_recovers_a_lost_one(frames):
    clean = decode_all(frames)
    recovered, concealed = (with_losses(frames, opus_decoder(), in_time=in_time) for in_time in (True, False))
    assert len(recovered) == len(concealed) == len(clean)
    if not decodes_in_band_fec():
        assert recovered == concealed
        return
    assert error_between(recovered, clean) < 0.6 * error_between(concealed, clean)
    expected, recovered, concealed = (in_place_of_lost(each) for each in (clean, recovered, concealed))
    assert error_between(recovered, expected) < 0.5 * error_between(concealed, expected)


def test_following_packet_recovers_the_end_of_a_longer_loss(frames):
    at_once, in_parts, concealed = (opus_decoder() for _ in range(3))
    for decoder in (at_once, in_parts, concealed):
        for frame in frames[:10]:
            decoder.decode(frame)
    following = next(frame.payload for frame in frames[13:] if has_lbrr_flag(frame.payload))
    audio = samples_in(at_once.conceal(0.06, following))
    assert audio == samples_in([*in_parts.conceal(0.04), *in_parts.conceal(0.02, following)])
    only_concealed = samples_in(concealed.conceal(0.06))
    assert audio[: 2 * SAMPLES] == only_concealed[: 2 * SAMPLES]
    assert (audio != only_concealed) == decodes_in_band_fec()


def test_without_libopus_everything_is_concealed(frames):
    decoder = opus_decoder("never")
    assert with_losses(frames, decoder) == with_losses(frames, opus_decoder("never"), in_time=False)


@pytest.mark.parametrize("channels", [1, 2])
def test_both_decoders_return_the_same_audio(frames, channels):
    one, other = opus_decoder("never", channels), opus_decoder("prefer", channels)
    assert [samples_of(audio) for frame in frames for audio in one.decode(frame)] == [
        samples_of(audio) for frame in frames for audio in other.decode(frame)
    ]


def test_packets_without_in_band_fec_recover_nothing():
    frames = sweep_packets(COUNT, fec=False)
    clean = decode_all(frames)
    with_following, without = (
        with_losses(frames, opus_decoder(), in_time=in_time) for in_time in (True, False)
    )
    assert error_between(with_following, without) < 0.01 * error_between(without, clean)


def test_ffmpeg_decodes_without_libopus_unless_fec_is_required(frames, monkeypatch):
    monkeypatch.setattr(registry, "find_libopus", lambda: None)
    assert not decodes_in_band_fec()
    assert with_losses(frames, opus_decoder()) == with_losses(frames, opus_decoder("never"))
    with pytest.raises(CodecError, match="libopus is not found"):
        opus_decoder("require")
    assert create_audio_decoder("PCMU", AudioDecoderOptions(in_band_fec="require")).codec == "PCMU"


def test_recovered_and_concealed_audio_have_pts(frames):
    decoder = opus_decoder()
    audio_frames = [
        *decoder.decode(frames[0]),
        *decoder.conceal(0.06, frames[4].payload),
        *decoder.decode(frames[4]),
    ]
    ends = [audio.pts + audio.samples for audio in audio_frames]
    assert [audio.pts for audio in audio_frames] == [0, *ends[:-1]]
    assert (audio_frames[-1].pts, ends[-1]) == (4 * SAMPLES, 5 * SAMPLES)


@pytest.mark.parametrize(("duration", "samples"), [(0.0001, 120), (0.0025, 120), (0.011, 600), (0.5, 24_000)])
def test_concealed_duration_is_rounded_up_to_multiples_of_opus(frames, duration, samples):
    decoder = opus_decoder()
    decoder.decode(frames[0])
    given_back = sum(audio.samples for audio in decoder.conceal(duration, frames[1].payload))
    assert given_back == samples if decodes_in_band_fec() else given_back >= samples


@either_way
def test_nothing_is_concealed_before_the_first_packet(frames, in_band_fec):
    assert opus_decoder(in_band_fec).conceal(0.02, frames[1].payload) == []


@either_way
def test_closed_decoder_raises(frames, in_band_fec):
    decoder = opus_decoder(in_band_fec)
    decoder.decode(frames[0])
    decoder.close()
    decoder.close()
    with pytest.raises(CodecError, match="closed"):
        decoder.decode(frames[1])
    with pytest.raises(CodecError, match="closed"):
        decoder.conceal(0.02, frames[1].payload)


@either_way
@pytest.mark.parametrize("size", [0, 1 << 16, 1 << 20])
def test_packets_of_any_size(frames, in_band_fec, size):
    decoder = opus_decoder(in_band_fec)
    decoder.decode(frames[0])
    packet = b"\xff\x41" + bytes(size) if size else b""
    assert sum(audio.samples for audio in decoder.conceal(0.02, packet)) == SAMPLES
    try:
        decoder.decode(attrs.evolve(frames[1], payload=packet))
    except CodecError:
        assert decoder.decode(frames[1])


packets = st.one_of(
    st.binary(max_size=60),
    # Each mode and frame count code, with arbitrary content.
    st.builds(lambda toc, rest: bytes([toc]) + rest, st.integers(0, 255), st.binary(max_size=60)),
    st.builds(lambda toc, count: bytes([toc | 3, count]), st.integers(0, 255), st.integers(0, 255)),
)
durations = st.one_of(st.sampled_from([0.0025, 0.01, 0.02, 0.06, 0.12, 2.0]), st.floats())


@either_way
@given(st.lists(st.tuples(packets, st.one_of(st.none(), durations)), max_size=8))
@example([(b"", 0.02), (b"\x78", 0.02), (b"\x78\x01\x02", 0.12), (b"\x03\xff", float("inf"))])
def test_any_packet_costs_only_itself(in_band_fec, received):
    decoder = opus_decoder(in_band_fec)
    for packet, lost in received:
        if lost is not None:
            concealed = sum(audio.samples for audio in decoder.conceal(lost, packet))
            assert concealed <= 50 * SAMPLES + MAX_SAMPLES
        try:
            decoded = decoder.decode(EncodedFrame(packet, 0, 48_000, "opus"))
        except CodecError:
            continue
        assert sum(audio.samples for audio in decoded) <= MAX_SAMPLES


async def test_worker_passes_the_following_packet_to_the_decoder(frames, autojump_clock):
    worker = DecodeWorker(create_audio_decoder("opus", MONO), capacity=2 * COUNT)
    for index, frame in enumerate(frames):
        if index % 5 == 3:
            worker.conceal(0.02, frames[index + 1].payload)
        else:
            worker.put(frame)
    audio_frames = []
    worker.end()
    await worker.run(audio_frames.append)
    assert samples_in(audio_frames) == with_losses(frames, opus_decoder())
    assert worker.counters.decoded == COUNT * 4 // 5
