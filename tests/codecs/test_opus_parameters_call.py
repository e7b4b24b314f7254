"""A receiver's Opus parameters are applied to the sender's packets, with real Opus on the simulated network."""

import itertools
import math
from array import array

import attrs
import pytest
import trio

from tests.strategies.media import connect_track, until_connected
from tests.strategies.peers import connect, negotiate, two_peers
from trio_rtc import EncodedFrame, OpusParameters, Settings, open_media_track
from trio_rtc.codecs.samples import as_array, frame_of, samples_of
from trio_rtc.media import dominant_frequency

RATE, SAMPLES, STEP = 48_000, 960, 0.02
LEFT, RIGHT = 440.0, 1320.0
BROADBAND = (300.0, 900.0, 2_700.0, 8_100.0)

pytestmark = pytest.mark.usefixtures("autojump_clock")


def audio(index, left=(LEFT,), right=(RIGHT,), amplitude=6_000):
    """Return 20 ms of two channels, each a sum of tones."""
    samples = array("h")
    for position in range(index * SAMPLES, (index + 1) * SAMPLES):
        for tones in (left, right):
            value = sum(math.sin(2 * math.pi * tone * position / RATE) for tone in tones)
            samples.append(round(amplitude * value / len(tones)))
    return frame_of(samples.tobytes(), 2, RATE, index * SAMPLES)


@attrs.define
class ReceivedAudio:
    """Received audio: packets and decoded frames."""

    encoded: list[EncodedFrame] = attrs.Factory(list)
    decoded: bytearray = attrs.Factory(bytearray)
    sdp: str = ""

    def channel(self, number):
        """Return the dominant frequency of a channel after the beginning."""
        samples = as_array(bytes(self.decoded))[number::2]
        frame = frame_of(samples[10 * SAMPLES :].tobytes(), 1, RATE, 0)
        return dominant_frequency([frame])

    @property
    def payloads(self):
        return [frame.payload for frame in self.encoded[5:]]


async def keep_encoded(receiver, received):
    async with receiver.encoded_frames() as frames:
        async for frame in frames:
            received.encoded.append(frame)


async def keep_decoded(track, received):
    async for frame in track:
        assert len(frame.layout.channels) == 2
        received.decoded += samples_of(frame)


async def play(source, make, count):
    for index in range(count):
        await source.send(make(index))
        await trio.sleep(STEP)


async def received_with(requested, make=audio, count=60, *, offers=True):
    """Return the audio that a receiver with these Opus parameters receives, whichever side offers."""
    received = ReceivedAudio()
    async with two_peers(settings=Settings(opus=requested)) as peers, trio.open_nursery() as nursery:
        source, track = open_media_track("audio")
        sending, receiving = (peers.alice, peers.bob) if offers else (peers.bob, peers.alice)
        if not offers:
            receiving.add_transceiver("audio", direction="recvonly")
        sending.add_track(track)
        async with receiving.subscribe("track") as tracks:
            await connect(peers.alice, peers.bob)
            event = await tracks.receive()
        await until_connected(sending)
        received.sdp = receiving.local_description.sdp
        nursery.start_soon(keep_encoded, event.receiver, received)
        nursery.start_soon(keep_decoded, event.track, received)
        await play(source, make, count)
        await trio.sleep(0.5)
        nursery.cancel_scope.cancel()
    return received


@pytest.mark.parametrize("offers", [True, False], ids=["the sender offers", "the receiver offers"])
async def test_stereo_is_sent_on_request(offers):
    received = await received_with(OpusParameters(stereo=True), offers=offers)
    assert "stereo=1" in received.sdp
    assert abs(received.channel(0) - LEFT) < 5
    assert abs(received.channel(1) - RIGHT) < 5
    # RFC 6716 section 3.1: the stereo bit of the TOC byte.
    assert all(payload[0] & 0x04 for payload in received.payloads)


async def test_mono_is_sent_by_default():
    received = await received_with(OpusParameters())
    assert "stereo" not in received.sdp
    samples = as_array(bytes(received.decoded))
    # The decoder may round the channels differently.
    assert max(abs(left - right) for left, right in zip(samples[::2], samples[1::2], strict=True)) <= 2
    assert any(samples)
    assert not any(payload[0] & 0x04 for payload in received.payloads)


def bitrate(received):
    return 8 * sum(map(len, received.payloads)) / (STEP * len(received.payloads))


def broadband(index):
    return audio(index, BROADBAND, BROADBAND)


async def test_maxaveragebitrate_is_respected():
    low = await received_with(OpusParameters(max_average_bitrate=12_000), broadband)
    high = await received_with(OpusParameters(max_average_bitrate=128_000), broadband)
    assert bitrate(low) < 16_000
    # Beyond the 64 kbit/s of audio without a request for more.
    assert bitrate(high) > 80_000


async def test_silence_is_not_sent_with_usedtx():
    def silence(index):
        return frame_of(bytes(4 * SAMPLES), 2, RATE, index * SAMPLES)

    with_dtx = await received_with(OpusParameters(use_dtx=True), silence, 100)
    without = await received_with(OpusParameters(), silence, 100)
    assert len(with_dtx.encoded) < 0.3 * len(without.encoded)


@pytest.mark.parametrize("ptime", [10, 40, 60])
async def test_packets_have_the_requested_ptime(ptime):
    received = await received_with(OpusParameters(ptime=ptime))
    assert f"a=ptime:{ptime}\r\n" in received.sdp
    times = [frame.timestamp for frame in received.encoded]
    steps = {later - sooner for sooner, later in itertools.pairwise(times[3:])}
    assert steps == {ptime * RATE // 1000}
    assert abs(received.channel(0) - LEFT) < 5 or abs(received.channel(0) - RIGHT) < 5


async def test_packets_have_constant_size_with_cbr():
    def pauses(index):
        return audio(index, BROADBAND, BROADBAND, amplitude=6_000 if index % 20 < 10 else 0)

    constant = await received_with(OpusParameters(cbr=True, use_inband_fec=False), pauses)
    variable = await received_with(OpusParameters(use_inband_fec=False), pauses)
    assert len({len(payload) for payload in constant.payloads}) == 1
    assert len({len(payload) for payload in variable.payloads}) > 3


@pytest.mark.parametrize(
    ("parameters", "size"),
    [
        ({}, 80),
        ({"stereo": True}, 160),
        ({"max_playback_rate": 16_000}, 50),
        ({"max_playback_rate": 8_000}, 30),
    ],
)
async def test_default_bitrate_is_for_speech(parameters, size):
    """RFC 7587 section 3.1.1; 32 kbit/s in one channel are 80 bytes in 20 ms."""
    received = await received_with(OpusParameters(cbr=True, use_inband_fec=False, **parameters), broadband)
    assert {len(payload) for payload in received.payloads} == {size}


async def test_frequencies_above_maxplaybackrate_are_not_encoded():
    narrow = await received_with(OpusParameters(max_playback_rate=8_000), broadband)
    # RFC 6716 section 3.1, table 2: narrow band, by SILK or by CELT.
    assert {payload[0] >> 3 for payload in narrow.payloads} <= {0, 1, 2, 3, 16, 17, 18, 19}


async def test_in_band_fec_is_not_sent_unless_requested():
    def has_lbrr(payload):
        return payload[0] >> 3 < 12 and bool(payload[1] & 0x40)

    def voice(index):
        return audio(index, (200.0,), (200.0,))

    low = {"max_average_bitrate": 20_000}
    with_fec = await received_with(OpusParameters(**low), voice)
    without = await received_with(OpusParameters(use_inband_fec=False, **low), voice)
    assert any(map(has_lbrr, with_fec.payloads))
    assert not any(map(has_lbrr, without.payloads))


async def test_parameters_change_with_a_new_negotiation():
    async with two_peers() as peers, trio.open_nursery() as nursery:
        source, track = open_media_track("audio")
        peers.alice.add_track(track)
        event = await connect_track(peers.alice, peers.bob)
        received = ReceivedAudio()
        nursery.start_soon(keep_encoded, event.receiver, received)
        nursery.start_soon(play, source, audio, 200)
        await trio.sleep(1)
        assert not any(payload[0] & 0x04 for payload in received.payloads)
        requested = OpusParameters(stereo=True)
        event.transceiver.set_opus_parameters(requested)
        assert event.transceiver.opus_parameters == requested
        await negotiate(peers.bob, peers.alice)
        await trio.sleep(0.5)
        received.encoded.clear()
        await trio.sleep(1)
        assert received.payloads
        assert all(payload[0] & 0x04 for payload in received.payloads)
        (line,) = [each for each in peers.bob.local_description.sdp.splitlines() if "stereo=1" in each]
        assert line.startswith("a=fmtp:111 ")
        nursery.cancel_scope.cancel()
