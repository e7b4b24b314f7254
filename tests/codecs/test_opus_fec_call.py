"""In a call that loses every fifth audio packet, the lost audio is recovered from in-band FEC."""

from array import array

import numpy as np
import pytest
import trio

from tests.strategies.media import connect_track
from tests.strategies.opus_sweep import SAMPLES, decode_all, sweep_packets
from tests.strategies.peers import two_peers
from trio_rtc import EncodedFrame, MediaStreamTrackSource, RTCRtpTransceiver, open_media_track
from trio_rtc.codecs import decodes_in_band_fec
from trio_rtc.codecs.samples import as_array, samples_of
from trio_rtc.testing import Drop, Packet, Pass

COUNT = 130
COMPARED = 50 * SAMPLES  # of the end, when the jitter buffer waits for the following packet
LATEST = 30 * SAMPLES
PART = 5 * SAMPLES
STEP = 0.02


class EveryFifth:
    """A filter that drops packets of Opus."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, packet: Packet) -> Drop | Pass:
        # RTP (RFC 7983 section 7) and the payload type of Opus, which is that of browsers.
        if 128 <= packet.data[0] <= 191 and packet.data[1] & 0x7F == 111:
            self.count += 1
            if self.count % 5 == 0:
                return Drop()
        return Pass()


def prefer_opus(transceiver: RTCRtpTransceiver) -> None:
    """Negotiate Opus without RED, which would also recover lost packets."""
    capabilities = transceiver.sender.get_capabilities("audio")
    assert capabilities is not None
    transceiver.set_codec_preferences([codec for codec in capabilities.codecs if codec.name == "opus"])


async def send_all(source: MediaStreamTrackSource, frames: list[EncodedFrame]) -> None:
    for frame in frames:
        await source.send(frame)
        await trio.sleep(STEP)


async def unchanged(frame: EncodedFrame) -> EncodedFrame:
    return frame


async def audio_of_call(frames: list[EncodedFrame], *, transformed: bool) -> "array[int]":
    """Return one channel of the audio that the receiver decodes."""
    samples = bytearray()
    async with two_peers() as peers, trio.open_nursery() as nursery:
        source, track = open_media_track("audio")
        transceiver = peers.alice.add_transceiver(track)
        prefer_opus(transceiver)
        event = await connect_track(peers.alice, peers.bob)
        if transformed:
            event.receiver.transform = unchanged
        peers.network.add_filter(EveryFifth())
        nursery.start_soon(send_all, source, frames)
        with trio.move_on_after(COUNT * STEP):
            async for audio in event.track:
                samples += samples_of(audio)
        nursery.cancel_scope.cancel()
    return as_array(bytes(samples))[::2]


def least_error(audio: "array[int]", reference: "array[int]") -> float:
    """Return the error of the end of the audio, each tenth of a second at its best position in the reference.

    Of what is not recovered only half is concealed, and the audio behind it lengthened, so positions vary.
    """
    values, reference_values = (
        np.array(each[-COMPARED - LATEST :], dtype=float) for each in (audio, reference)
    )
    squares = 0.0
    for begin in range(LATEST, len(values), PART):
        part, searched = values[begin : begin + PART], reference_values[begin - LATEST : begin + PART]
        energies = np.concatenate(([0.0], np.cumsum(searched**2)))
        errors = energies[PART:] - energies[:-PART] + sum(part**2) - 2 * np.correlate(searched, part, "valid")
        squares += max(0.0, min(errors))
    return float(np.sqrt(squares / COMPARED))


async def test_lost_audio_is_recovered_unless_transformed(autojump_clock):
    frames = sweep_packets(COUNT)
    reference = decode_all(frames)
    found, made_up = [
        least_error(await audio_of_call(frames, transformed=transformed), reference)
        for transformed in (False, True)
    ]
    if decodes_in_band_fec():
        assert found < 0.5 * made_up
    else:
        assert found == pytest.approx(made_up, rel=0.01)
