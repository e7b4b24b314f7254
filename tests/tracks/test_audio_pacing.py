"""Audio sent by an application is passed on in real time, completely, with its pauses."""

import functools
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise

import av
import pytest
import trio
import trio.lowlevel

from trio_rtc import EncodedFrame, MediaStreamTrack, MediaStreamTrackSource, open_media_track
from trio_rtc.codecs import create_audio_encoder
from trio_rtc.codecs.samples import frame_of, samples_of
from trio_rtc.tracks.audio_pacing import MAX_QUEUED, AudioTimeline, split_frame
from trio_rtc.tracks.frame_source import CapturedFrame

pytestmark = pytest.mark.usefixtures("autojump_clock")

RATE = 16_000


def make_audio(seconds: float, *, rate: int = RATE, channels: int = 1, begin: int = 0) -> av.AudioFrame:
    """Return audio without ``pts`` with distinct samples."""
    count = round(seconds * rate)
    samples = b"".join(((begin + i) % 30_000).to_bytes(2, "little") * channels for i in range(count))
    return frame_of(samples, channels, rate, None)


class Sender:
    """Stand-in for a track's sender, which receives each frame when it is due.

    Attributes:
        received: Received frames with their times.
    """

    def __init__(self, track: MediaStreamTrack) -> None:
        self.received: list[tuple[float, av.AudioFrame]] = []
        self._track = track

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        queue = self._track._state.source.consume(self._track._state, paces=True)
        task_status.started()
        async for taken in queue:
            assert isinstance(taken, CapturedFrame)
            await trio.sleep_until(taken.captured)
            if self._track._state.stopped or self._track._state.source.is_dropped(taken):
                continue
            self.received.append((taken.captured, taken.frame))

    @property
    def seconds(self) -> float:
        return sum(frame.samples / frame.sample_rate for _, frame in self.received)

    def gaps(self) -> list[float]:
        """Return the gaps between received frames."""
        ends = [at + frame.samples / frame.sample_rate for at, frame in self.received]
        steps = [begin - end for end, (begin, _) in zip(ends, self.received[1:], strict=False)]
        return [step for step in steps if step > 0.001]


async def opened(nursery: trio.Nursery) -> tuple[MediaStreamTrackSource, MediaStreamTrack, Sender]:
    frames, track = open_media_track("audio")
    sender = Sender(track)
    await nursery.start(sender.run)
    return frames, track, sender


# -- the timeline ----------------------------------------------------------------------------------------------------


async def test_audio_sent_at_once_is_received_in_real_time() -> None:
    async with trio.open_nursery() as nursery:
        frames, _, sender = await opened(nursery)
        began = trio.current_time()
        await frames.send(make_audio(10))
        # All audio except that queued in advance has been received.
        assert trio.current_time() - began == pytest.approx(10 - MAX_QUEUED, abs=0.05)
        assert frames.queued == pytest.approx(MAX_QUEUED, abs=0.03)
        await frames.drain()
        assert trio.current_time() - began == pytest.approx(10, abs=0.05)
        await trio.sleep(0.1)
        assert sender.seconds == pytest.approx(10)
        assert not sender.gaps()
        frames.close()


@pytest.mark.parametrize("length", [0.0025, 0.01, 0.02, 0.06, 0.5])
async def test_short_frames_are_paced_like_long_ones(length: float) -> None:
    async with trio.open_nursery() as nursery:
        frames, _, sender = await opened(nursery)
        began = trio.current_time()
        for _ in range(round(3 / length)):
            await frames.send(make_audio(length))
        assert 3 - MAX_QUEUED - 0.1 <= trio.current_time() - began <= 3
        await frames.drain()
        await trio.sleep(0.1)
        assert sender.seconds == pytest.approx(3)
        assert not sender.gaps()
        frames.close()


async def test_a_pause_of_the_application_is_a_pause_for_the_receiver() -> None:
    async with trio.open_nursery() as nursery:
        frames, _, sender = await opened(nursery)
        for pause in (0.5, 1.0, 2.0, 0.0):
            await frames.send(make_audio(0.5))
            await frames.drain()
            await trio.sleep(pause)
        assert sender.seconds == pytest.approx(2)
        assert sender.gaps() == pytest.approx([0.5, 1.0, 2.0], abs=0.01)
        frames.close()


async def test_a_live_source_that_is_late_makes_no_gap() -> None:
    async with trio.open_nursery() as nursery:
        frames, _, sender = await opened(nursery)
        began = trio.current_time()
        for index in range(200):
            late = 0.08 if index % 20 == 7 else 0.0
            await trio.sleep_until(began + index * 0.02 + late)
            await frames.send(make_audio(0.02))
        assert not sender.gaps()
        # The delay does not persist.
        assert frames.queued < 0.03
        frames.close()


def live_schedule(
    timeline: AudioTimeline, count: int, *, timed: bool, late: Callable[[int], float]
) -> list[float]:
    """Return the start times of frames that a live source sends with some lateness each."""
    begins = []
    for index in range(count):
        frame = make_audio(0.02)
        if timed:
            frame.pts, frame.time_base = index * 20, Fraction(1, 1000)
        begins.append(timeline.schedule(frame, index * 0.02 + late(index)))
    return begins


@pytest.mark.parametrize("halt", [0.15, 0.4, 0.49])
def test_a_live_source_that_was_halted_catches_up(halt: float) -> None:
    def late(index: int) -> float:
        """Return how long after its time the source sends a frame: all that were due in the halt, at its end."""
        return max(0.0, 2 + halt - index * 0.02) if index >= 100 else 0.0

    timeline = AudioTimeline()
    begins = live_schedule(timeline, 300, timed=True, late=late)
    # Each frame keeps its place: the delay of audio behind video does not grow.
    assert begins == pytest.approx([index * 0.02 for index in range(300)], abs=0.002)


@pytest.mark.parametrize(
    ("halt", "timed", "before"),
    [
        pytest.param(0.6, True, 100, id="too long"),
        pytest.param(0.4, False, 100, id="no pts"),
        pytest.param(0.4, True, 40, id="not live yet"),
    ],
)
def test_other_halts_are_pauses(halt: float, timed: bool, before: int) -> None:
    begins = live_schedule(
        AudioTimeline(), before + 5, timed=timed, late=lambda index: halt if index >= before else 0.0
    )
    assert begins[before] - begins[before - 1] == pytest.approx(0.02 + halt)


def test_a_live_source_that_does_not_catch_up_was_paused() -> None:
    begins = live_schedule(AudioTimeline(), 300, timed=True, late=lambda index: 0.4 if index >= 100 else 0.0)
    steps = [later - sooner for sooner, later in pairwise(begins)]
    (pause,) = [index for index, step in enumerate(steps) if step > 0.03]
    assert steps[pause] == pytest.approx(0.42, abs=0.002)
    # It is decided after 0.1 s; audio that was sent before is as late as the pause was long.
    assert pause == pytest.approx(104, abs=1)


def test_a_source_that_sends_in_advance_is_not_live() -> None:
    timeline, now, last = AudioTimeline(), 0.0, make_audio(0.02)
    for index in range(150):
        frame = make_audio(0.02)
        frame.pts, frame.time_base = index * 20, Fraction(1, 1000)
        now = max(now, timeline.begin(frame, now) - MAX_QUEUED)
        timeline.schedule(frame, now)
    last.pts, last.time_base = 3000, Fraction(1, 1000)
    assert timeline.end is not None
    late = timeline.end + 0.4
    assert timeline.begin(last, late) == late


@pytest.mark.parametrize("drift", [-0.0005, 0.0005])
async def test_clock_drift_of_a_source_is_followed(drift: float) -> None:
    timeline, now, begins = AudioTimeline(), 0.0, []
    frame = make_audio(0.02)
    for index in range(100_000):
        now = index * 0.02 * (1 + drift)
        begins.append(timeline.schedule(frame, now))
    assert abs(begins[-1] - now) < 0.001
    assert max(later - sooner for sooner, later in pairwise(begins)) < 0.0201


async def test_pts_determines_time_and_gaps_are_silence() -> None:
    async with trio.open_nursery() as nursery:
        frames, _, sender = await opened(nursery)
        began = trio.current_time()
        for pts in (0, 1000, 3000, 900_000_000, 900_001_000):
            frame = make_audio(1)
            frame.pts, frame.time_base = pts, Fraction(1, 1000)
            await frames.send(frame)
        await frames.drain()
        # Between the second and the third frame is a second of silence; the fourth has another clock.
        assert trio.current_time() - began == pytest.approx(6, abs=0.05)
        assert sender.gaps() == pytest.approx([1.0], abs=0.01)
        await trio.sleep(0.1)
        stamps = [frame.pts for _, frame in sender.received]
        assert [stamps[index] for index in (0, 1, 50, 99, 100, 150)] == [0, 20, 1000, 1980, 3000, 900_000_000]
        frames.close()


# -- what is dropped -------------------------------------------------------------------------------------------------


async def test_interrupted_audio_is_silent_at_once() -> None:
    async with trio.open_nursery() as nursery:
        frames, _, sender = await opened(nursery)
        returned: list[float] = []

        async def send_speech() -> None:
            await frames.send(make_audio(10))
            returned.append(trio.current_time())

        nursery.start_soon(send_speech)
        await trio.sleep(2.005)
        dropped = frames.drop_queued()
        assert dropped == pytest.approx(8, abs=0.03)
        interrupted = trio.current_time()
        await trio.sleep(1)
        assert returned == [interrupted]
        assert sender.seconds == pytest.approx(10 - dropped, abs=0.001)
        assert sender.received[-1][0] < interrupted
        assert frames.queued == 0
        # The next audio is received at once.
        await frames.send(make_audio(0.02))
        await frames.drain()
        assert sender.received[-1][0] == interrupted + 1
        frames.close()


async def test_audio_that_was_dropped_is_not_dropped_again() -> None:
    async with trio.open_nursery() as nursery:
        frames, _, sender = await opened(nursery)
        for _ in range(2):
            nursery.start_soon(frames.send, make_audio(5))
        await trio.sleep(1)
        first, second = frames.drop_queued(), frames.drop_queued()
        assert first == pytest.approx(9, abs=0.03)
        assert second == 0
        assert frames.queued <= 0.021
        await trio.sleep(1)
        assert sender.seconds == pytest.approx(10 - first, abs=0.001)
        assert frames.drop_queued() == 0
        nursery.start_soon(frames.send, make_audio(2))
        await trio.sleep(1)
        assert frames.drop_queued() == pytest.approx(1, abs=0.03)
        frames.close()


async def test_audio_right_after_an_interruption_follows_it() -> None:
    async with trio.open_nursery() as nursery:
        frames, _, sender = await opened(nursery)
        await frames.send(make_audio(1))
        interrupted = trio.current_time()
        frames.drop_queued()
        await frames.send(make_audio(0.2, begin=20_000))
        await frames.drain()
        await trio.sleep(0.1)
        begins = [
            at for at, frame in sender.received if int.from_bytes(samples_of(frame)[:2], "little") >= 20_000
        ]
        assert begins[0] - interrupted <= 0.021
        frames.close()


async def test_every_task_that_sends_returns_when_it_is_interrupted() -> None:
    async with trio.open_nursery() as nursery:
        frames, _, sender = await opened(nursery)
        async with trio.open_nursery() as talking:
            for _ in range(3):
                talking.start_soon(frames.send, make_audio(5))
            await trio.sleep(1)
            assert frames.drop_queued() == pytest.approx(14, abs=0.03)
        assert trio.current_time() == pytest.approx(1, abs=0.001)
        assert sender.seconds <= 1.021
        frames.close()


async def test_several_tasks_do_not_mix_their_audio() -> None:
    async with trio.open_nursery() as nursery:
        frames, _, sender = await opened(nursery)
        async with trio.open_nursery() as talking:
            for begin in (0, 20_000):
                talking.start_soon(frames.send, make_audio(0.5, begin=begin))
        await frames.drain()
        await trio.sleep(0.1)
        first = [int.from_bytes(samples_of(frame)[:2], "little") >= 20_000 for _, frame in sender.received]
        assert sum(one is not other for one, other in pairwise(first)) == 1
        frames.close()


async def test_queued_audio_of_a_cancelled_send_is_received() -> None:
    async with trio.open_nursery() as nursery:
        frames, _, sender = await opened(nursery)
        with trio.move_on_after(1.0):
            await frames.send(make_audio(10))
        queued = frames.queued
        assert queued == pytest.approx(MAX_QUEUED, abs=0.03)
        await trio.sleep(1)
        assert sender.seconds == pytest.approx(1 + queued, abs=0.021)
        # The next frame follows.
        await frames.send(make_audio(0.1))
        frames.close()


async def test_an_interruption_without_queued_audio_drops_nothing() -> None:
    async with trio.open_nursery() as nursery:
        frames, _, _ = await opened(nursery)
        assert frames.drop_queued() == 0
        await frames.send(make_audio(0.1))
        await trio.sleep(1)
        assert frames.drop_queued() == 0
        await frames.drain()
        frames.close()


async def test_waiting_for_the_end_ends_with_an_interruption() -> None:
    async with trio.open_nursery() as nursery:
        frames, _, _ = await opened(nursery)
        await frames.send(make_audio(0.3))
        began = trio.current_time()
        nursery.start_soon(frames.drain)
        await trio.sleep(0.1)
        frames.drop_queued()
        await frames.drain()
        assert trio.current_time() - began <= 0.121
        frames.close()


async def test_video_and_encoded_audio_are_neither_paced_nor_dropped() -> None:
    async with trio.open_nursery() as nursery:
        frames, track = open_media_track("audio")
        queue = track._state.source.consume(track._state, paces=True)
        for index in range(5):
            nursery.start_soon(frames.send, EncodedFrame(b"\x78", index * 960, 48_000, "opus"))
        await trio.lowlevel.checkpoint()
        taken = [(await queue.receive()).frame.timestamp for _ in range(5)]
        assert sorted(taken) == [index * 960 for index in range(5)]
        assert trio.current_time() == 0
        assert frames.queued == 0
        frames.close()
    pictures, _ = open_media_track("video")
    assert pictures.drop_queued() == 0


# -- the ends of a track ---------------------------------------------------------------------------------------------


async def test_without_a_receiver_audio_is_paced_and_lost() -> None:
    frames, track = open_media_track("audio")
    await frames.send(make_audio(3))
    assert trio.current_time() == pytest.approx(3 - MAX_QUEUED, abs=0.05)
    assert frames.drop_queued() == pytest.approx(MAX_QUEUED, abs=0.03)
    assert frames.queued <= 0.02
    track.stop()


async def test_closing_sends_queued_audio() -> None:
    async with trio.open_nursery() as nursery:
        frames, _, sender = await opened(nursery)
        await frames.send(make_audio(0.25))
        frames.close()
    assert sender.seconds == pytest.approx(0.25)


async def test_stopping_drops_queued_audio() -> None:
    async with trio.open_nursery() as nursery:
        frames, track, sender = await opened(nursery)
        await frames.send(make_audio(0.25))
        await trio.sleep(0.05)
        track.stop()
        assert frames.queued == 0.0
        stopped_at = trio.current_time()
        await frames.drain()
        assert trio.current_time() == stopped_at
    assert sender.seconds <= 0.081


@pytest.mark.parametrize(
    ("end", "error"),
    [
        (lambda frames, track: frames.close(), trio.ClosedResourceError),
        (lambda frames, track: track.stop(), trio.BrokenResourceError),
    ],
    ids=["closed", "stopped"],
)
async def test_a_send_that_waits_fails_when_the_track_ends(
    end: Callable[[MediaStreamTrackSource, MediaStreamTrack], None], error: type[Exception]
) -> None:
    async with trio.open_nursery() as nursery:
        frames, track, _ = await opened(nursery)

        async def end_later() -> None:
            await trio.sleep(1)
            end(frames, track)

        nursery.start_soon(end_later)
        with pytest.raises(error):
            await frames.send(make_audio(10))
        assert trio.current_time() < 1.05


async def test_two_senders_of_a_track_receive_the_same_frames_at_the_same_times() -> None:
    async with trio.open_nursery() as nursery:
        frames, track, first = await opened(nursery)
        second = Sender(track.clone())
        await nursery.start(second.run)
        await frames.send(make_audio(1))
        frames.drop_queued()
        await trio.sleep(0.1)
        assert [at for at, _ in first.received] == [at for at, _ in second.received]
        frames.close()


# -- cutting ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [8_000, 24_000, 44_100])
def test_pieces_have_all_samples(rate: int, channels: int) -> None:
    frame = make_audio(0.999, rate=rate, channels=channels)
    pieces = list(split_frame(frame))
    assert b"".join(map(samples_of, pieces)) == samples_of(frame)
    assert {piece.sample_rate for piece in pieces} == {rate}
    assert max(piece.samples for piece in pieces) == rate // 50
    assert len(pieces) == 50


def test_planar_samples_are_cut_in_each_plane() -> None:
    frame = av.AudioFrame("fltp", "stereo", 4800)
    frame.sample_rate = 48_000
    for index, plane in enumerate(frame.planes):
        plane.update(bytes([index + 1]) * plane.buffer_size)
    pieces = list(split_frame(frame))
    assert [piece.samples for piece in pieces] == [960] * 5
    assert all(bytes(piece.planes[1])[:3840] == b"\x02" * 3840 for piece in pieces)


def test_a_short_frame_is_not_copied() -> None:
    frame = make_audio(0.04)
    assert list(split_frame(frame)) == [frame]


# -- the encoder -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("codec", "clock_rate"), [("opus", 48_000), ("PCMU", 8_000), ("G722", 8_000)])
def test_timestamps_of_frames_without_pts_follow_the_clock(codec: str, clock_rate: int) -> None:
    encoder = create_audio_encoder(codec)
    encode = functools.partial(encoder.encode, make_audio(0.02))
    stamps = []
    for captured in (5.0, 5.02, 5.04, 5.56, 5.58, 7.0):
        stamps += [frame.timestamp / clock_rate for frame in encode(captured=captured)]
    # The rest in the resampler is padded with silence.
    gaps = [later - sooner for sooner, later in pairwise(stamps)]
    assert [round(gap, 1) for gap in gaps if gap > 0.03] == [0.5, 1.4]
    encoder.close()
