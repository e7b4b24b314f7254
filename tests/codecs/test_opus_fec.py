"""What is lost of Opus is found in the packet that follows, where there is a libopus; elsewhere it is made up."""

import attrs
import pytest
from cryptography.hazmat.bindings import _rust
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
from trio_rtc.codecs.libopus import MAX_SAMPLES, find_libopus, first_libopus
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


def samples_in(sounds):
    return as_array(b"".join(samples_of(sound) for sound in sounds))


def with_losses(frames, decoder, *, tell=True):
    """Decode all but every fifth packet, and tell the decoder, or not, what follows each gap."""
    sounds = []
    for index, frame in enumerate(frames):
        if index % 5 == 3:
            sounds += decoder.conceal(0.02, frames[index + 1].payload if tell else None)
        else:
            sounds += decoder.decode(frame)
    return samples_in(sounds)


def test_the_packets_carry_each_other(frames):
    carrying = [has_lbrr_flag(frame.payload) for frame in frames]
    assert sum(carrying) > 0.4 * COUNT
    assert [has_in_band_fec("opus", frame.payload) for frame in frames] == carrying


def in_place_of_lost(samples):
    """Return the part where the packets that are lost would be heard."""
    part = samples[:0]
    for index in range(3, COUNT, 5):
        part += samples[index * SAMPLES : (index + 1) * SAMPLES]
    return part


def test_what_follows_gives_back_what_was_lost(frames):
    clean = decode_all(frames)
    found, made_up = (with_losses(frames, opus_decoder(), tell=tell) for tell in (True, False))
    assert len(found) == len(made_up) == len(clean)
    if not decodes_in_band_fec():
        assert found == made_up
        return
    assert error_between(found, clean) < 0.6 * error_between(made_up, clean)
    wanted, found, made_up = (in_place_of_lost(each) for each in (clean, found, made_up))
    assert error_between(found, wanted) < 0.5 * error_between(made_up, wanted)


def test_of_a_longer_loss_what_follows_gives_back_the_end(frames):
    at_once, in_parts, made_up = (opus_decoder() for _ in range(3))
    for decoder in (at_once, in_parts, made_up):
        for frame in frames[:10]:
            decoder.decode(frame)
    following = next(frame.payload for frame in frames[13:] if has_lbrr_flag(frame.payload))
    sound = samples_in(at_once.conceal(0.06, following))
    assert sound == samples_in([*in_parts.conceal(0.04), *in_parts.conceal(0.02, following)])
    only_made_up = samples_in(made_up.conceal(0.06))
    assert sound[: 2 * SAMPLES] == only_made_up[: 2 * SAMPLES]
    assert (sound != only_made_up) == decodes_in_band_fec()


def test_without_libopus_all_is_made_up(frames):
    decoder = opus_decoder("never")
    assert with_losses(frames, decoder) == with_losses(frames, opus_decoder("never"), tell=False)


@pytest.mark.parametrize("channels", [1, 2])
def test_both_decoders_decode_the_same(frames, channels):
    one, other = opus_decoder("never", channels), opus_decoder("prefer", channels)
    assert [samples_of(sound) for frame in frames for sound in one.decode(frame)] == [
        samples_of(sound) for frame in frames for sound in other.decode(frame)
    ]


def test_packets_that_carry_nothing_else_are_of_no_use_and_no_harm():
    frames = sweep_packets(COUNT, fec=False)
    clean = decode_all(frames)
    told, untold = (with_losses(frames, opus_decoder(), tell=tell) for tell in (True, False))
    assert error_between(told, untold) < 0.01 * error_between(untold, clean)


def test_the_registry_says_whether_there_is_libopus():
    assert decodes_in_band_fec() == (find_libopus() is not None)
    if decodes_in_band_fec():
        assert opus_decoder("require").implementation == "libopus"
    else:
        with pytest.raises(CodecError, match="no libopus"):
            opus_decoder("require")


def test_where_there_is_no_libopus_ffmpeg_decodes_unless_fec_is_required(frames, monkeypatch):
    monkeypatch.setattr(registry, "find_libopus", lambda: None)
    assert not decodes_in_band_fec()
    assert with_losses(frames, opus_decoder()) == with_losses(frames, opus_decoder("never"))
    with pytest.raises(CodecError, match="no libopus"):
        opus_decoder("require")
    assert create_audio_decoder("PCMU", AudioDecoderOptions(in_band_fec="require")).codec == "PCMU"


@pytest.mark.parametrize("names", [(), ("no such library",), ("no such library", "/nor/this/one.so")])
def test_there_may_be_no_libopus(names):
    assert first_libopus(names) is None


def test_a_library_that_is_something_else_is_not_taken():
    assert first_libopus([__file__, _rust.__file__]) is None


def test_sound_has_its_time_whether_found_or_made_up(frames):
    decoder = opus_decoder()
    sounds = [
        *decoder.decode(frames[0]),
        *decoder.conceal(0.06, frames[4].payload),
        *decoder.decode(frames[4]),
    ]
    ends = [sound.pts + sound.samples for sound in sounds]
    assert [sound.pts for sound in sounds] == [0, *ends[:-1]]
    assert (sounds[-1].pts, ends[-1]) == (4 * SAMPLES, 5 * SAMPLES)


@pytest.mark.parametrize(("duration", "samples"), [(0.0001, 120), (0.0025, 120), (0.011, 600), (0.5, 24_000)])
def test_what_is_asked_for_is_rounded_up_to_what_opus_can(frames, duration, samples):
    decoder = opus_decoder()
    decoder.decode(frames[0])
    given_back = sum(sound.samples for sound in decoder.conceal(duration, frames[1].payload))
    assert given_back == samples if decodes_in_band_fec() else given_back >= samples


@either_way
def test_nothing_is_found_before_anything_was_heard(frames, in_band_fec):
    assert opus_decoder(in_band_fec).conceal(0.02, frames[1].payload) == []


@either_way
def test_a_closed_decoder_is_told(frames, in_band_fec):
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
    assert sum(sound.samples for sound in decoder.conceal(0.02, packet)) == SAMPLES
    try:
        decoder.decode(attrs.evolve(frames[1], payload=packet))
    except CodecError:
        assert decoder.decode(frames[1])


packets = st.one_of(
    st.binary(max_size=60),
    # Each mode and way of framing, with whatever inside.
    st.builds(lambda toc, rest: bytes([toc]) + rest, st.integers(0, 255), st.binary(max_size=60)),
    st.builds(lambda toc, count: bytes([toc | 3, count]), st.integers(0, 255), st.integers(0, 255)),
)
durations = st.one_of(st.sampled_from([0.0025, 0.01, 0.02, 0.06, 0.12, 2.0]), st.floats())


@either_way
@given(st.lists(st.tuples(packets, st.one_of(st.none(), durations)), max_size=8))
@example([(b"", 0.02), (b"\x78", 0.02), (b"\x78\x01\x02", 0.12), (b"\x03\xff", float("inf"))])
def test_whatever_a_peer_sends_costs_no_more_than_its_packet(in_band_fec, received):
    decoder = opus_decoder(in_band_fec)
    for packet, lost in received:
        if lost is not None:
            made_up = sum(sound.samples for sound in decoder.conceal(lost, packet))
            assert made_up <= 50 * SAMPLES + MAX_SAMPLES
        try:
            decoded = decoder.decode(EncodedFrame(packet, 0, 48_000, "opus"))
        except CodecError:
            continue
        assert sum(sound.samples for sound in decoded) <= MAX_SAMPLES


async def test_a_worker_lets_the_decoder_have_what_follows(frames, autojump_clock):
    worker = DecodeWorker(create_audio_decoder("opus", MONO), capacity=2 * COUNT)
    for index, frame in enumerate(frames):
        if index % 5 == 3:
            worker.conceal(0.02, frames[index + 1].payload)
        else:
            worker.put(frame)
    sounds = []
    worker.end()
    await worker.run(sounds.append)
    assert samples_in(sounds) == with_losses(frames, opus_decoder())
    assert worker.counters.decoded == COUNT * 4 // 5
