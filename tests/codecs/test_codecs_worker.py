"""Codecs in threads: serialized, bounded, and released after cancellation."""

import itertools
import threading

import attrs
import pytest
import trio
import trio.testing

from tests.strategies.video_frames import timed_pattern
from trio_rtc.codecs import (
    CodecError,
    CodecThread,
    DecodeWorker,
    codec_limiter,
    create_audio_decoder,
    create_audio_encoder,
    create_video_decoder,
    create_video_encoder,
)
from trio_rtc.media import dominant_frequency, read_counter, tone
from trio_rtc.protocols.rtp.packet.frame import EncodedFrame
from trio_rtc.testing import run

LONGEST_HOLD = 30.0
"""Real seconds after which a thread ends that a test failed to release."""


class HeldCodec:
    """A codec that blocks until released, and detects concurrent calls and closing during a call."""

    def __init__(self):
        self.inside = 0
        self.calls = 0
        self.closed = False
        self.faults = []
        self.entered = trio.Event()
        self.proceed = threading.Event()
        self._token = trio.lowlevel.current_trio_token()

    def work(self):
        if self.inside or self.closed:
            self.faults.append("two threads" if self.inside else "used after close")
        self.inside += 1
        self._token.run_sync_soon(self.entered.set)
        if not self.proceed.wait(LONGEST_HOLD):
            self.faults.append("never let go on")
        self.inside -= 1
        self.calls += 1
        return self.calls

    def close(self):
        if self.inside:
            self.faults.append("closed while in use")
        self.closed = True


class ClosingCodec:
    """A codec that records its end."""

    def __init__(self, calls):
        self._calls = calls

    def close(self):
        self._calls.append("closed")


def encode_pattern(count, codec="VP8", keyframes=()):
    encoder = create_video_encoder(codec)
    return [
        frame
        for counter in range(count)
        for frame in encoder.encode(timed_pattern(counter), force_keyframe=counter in keyframes)
    ]


async def test_calls_on_one_codec_are_serialized():
    codec = HeldCodec()
    thread = CodecThread(codec)
    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(thread.call, codec.work)
        await codec.entered.wait()
        await trio.testing.wait_all_tasks_blocked()
        assert codec.inside == codec_limiter().borrowed_tokens == 1
        codec.proceed.set()
    await thread.aclose()
    assert codec.calls == 5
    assert codec.faults == []
    with pytest.raises(trio.ClosedResourceError):
        await thread.call(codec.work)


async def test_cancelled_call_is_awaited_before_the_codec_is_closed():
    codec = HeldCodec()
    thread = CodecThread(codec)

    async def use():
        try:
            await thread.call(codec.work)
            await thread.call(codec.work)
        finally:
            await thread.aclose()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(use)
        await codec.entered.wait()
        nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            await trio.testing.wait_all_tasks_blocked()
        assert not codec.closed
        codec.proceed.set()
    assert codec.closed
    assert codec.calls == 1
    assert codec.faults == []
    assert codec_limiter().borrowed_tokens == 0


async def time_of_processing(decoder, frames):
    """Return the sum over frames that had arrived 0.25 s before they were decoded."""
    worker = DecodeWorker(decoder)
    for frame in frames:
        worker.put(attrs.evolve(frame, received_at=trio.current_time()))
    await trio.sleep(0.25)
    worker.end()
    await worker.run(lambda _: None)
    return worker.counters.processing


async def test_time_from_the_arrival_to_the_end_of_decoding(autojump_clock):
    frames = encode_pattern(3)
    assert await time_of_processing(create_video_decoder("VP8"), frames) == pytest.approx(0.75)
    assert await time_of_processing(create_video_decoder("VP8"), frames[1:]) == 0
    worker = DecodeWorker(create_video_decoder("VP8"))
    worker.put(frames[0])
    worker.end()
    await worker.run(lambda _: None)
    assert (worker.counters.decoded, worker.counters.processing) == (1, 0)


@pytest.mark.parametrize(("codec", "clock_rate"), [("opus", 48_000), ("PCMU", 8_000), ("G722", 8_000)])
async def test_time_of_processing_is_that_of_each_clock_unit_of_audio(codec, clock_rate, autojump_clock):
    encoder, source = create_audio_encoder(codec), tone(440)
    frames = [encoded for _ in range(10) for encoded in encoder.encode(source.next_frame())]
    played = 0.02 * len(frames)
    expected = pytest.approx(0.25 * played * clock_rate, rel=0.01)
    assert await time_of_processing(create_audio_decoder(codec), frames) == expected


async def test_codecs_have_their_own_limiter(autojump_clock):
    assert codec_limiter() is codec_limiter()
    assert codec_limiter() is not trio.to_thread.current_default_thread_limiter()


async def decoded_by(worker):
    """Run a worker until it has decoded all queued frames; return the decoded ones."""
    frames = []
    worker.end()
    await worker.run(frames.append)
    return frames


async def test_frames_are_decoded_in_order(autojump_clock):
    worker = DecodeWorker(create_video_decoder("VP8"), capacity=50)
    for frame in encode_pattern(20):
        worker.put(frame)
    assert [read_counter(image) for image in await decoded_by(worker)] == list(range(20))
    assert worker.counters.decoded == 20
    assert worker.dropped == worker.counters.broken == 0


async def test_two_seconds_of_frames_may_arrive_at_once(autojump_clock):
    """As after a packet that needed three retransmissions."""
    worker = DecodeWorker(create_video_decoder("VP8"))
    for frame in encode_pattern(60):
        worker.put(frame)
    assert len(await decoded_by(worker)) == 60
    assert worker.dropped == 0


async def test_slow_decoder_drops_frames_up_to_a_keyframe(autojump_clock):
    worker = DecodeWorker(create_video_decoder("VP8"), capacity=10)
    for frame in encode_pattern(14, keyframes=(8,)):
        worker.put(frame)
    assert [read_counter(image) for image in await decoded_by(worker)] == list(range(8, 14))
    assert worker.dropped == 8
    await worker.keyframe_needed()


async def test_corrupt_frame_requests_a_keyframe_and_costs_only_dependent_frames(autojump_clock):
    worker = DecodeWorker(create_video_decoder("VP8"), capacity=50)
    frames = encode_pattern(12, keyframes=(8,))
    frames[0] = EncodedFrame(b"\xff" * 30, 0, 90_000, "VP8")
    for frame in frames:
        worker.put(frame)
    assert [read_counter(image) for image in await decoded_by(worker)] == [8, 9, 10, 11]
    await worker.keyframe_needed()
    assert worker.counters.broken == 1


class SurprisedDecoder:
    """A decoder that raises an unexpected error for every other frame, and returns the others."""

    codec = "VP8"
    needs_keyframe = False

    def __init__(self):
        self._frames = 0

    def decode(self, frame):
        self._frames += 1
        if self._frames % 2:
            raise ZeroDivisionError(f"in frame {self._frames}")
        return [frame]

    def close(self):
        pass


async def test_any_error_of_a_decoder_costs_one_frame(autojump_clock, caplog):
    worker = DecodeWorker(SurprisedDecoder(), capacity=50)
    frames = [EncodedFrame(b"x", number, 90_000, "VP8", keyframe=True) for number in range(10)]
    for frame in frames:
        worker.put(frame)
    assert await decoded_by(worker) == frames[1::2]
    assert worker.counters.broken == 5
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == ["cannot decode a received frame: ZeroDivisionError: in frame 1"]


async def test_audio_is_concealed_in_order(autojump_clock):
    worker = DecodeWorker(create_audio_decoder("opus"), capacity=100)
    encoder, source = create_audio_encoder("opus"), tone(440)
    frames = [frame for _ in range(50) for frame in encoder.encode(source.next_frame())]
    for index, frame in enumerate(frames):
        if index % 10 == 5:
            worker.conceal(0.02)
        else:
            worker.put(frame)
    decoded = await decoded_by(worker)
    assert [frame.pts for frame in decoded] == [960 * index for index in range(len(frames))]
    assert abs(dominant_frequency(decoded) - 440) < 2


async def test_cancelling_a_decoder_releases_it(autojump_clock):
    codec = create_video_decoder("VP8")
    worker = DecodeWorker(codec, capacity=50)
    decoded = trio.Event()
    async with trio.open_nursery() as nursery:
        for frame in encode_pattern(10):
            worker.put(frame)
        nursery.start_soon(worker.run, lambda _: decoded.set())
        await decoded.wait()
        nursery.cancel_scope.cancel()
    assert codec_limiter().borrowed_tokens == 0
    with pytest.raises(CodecError, match="closed"):
        codec.decode(encode_pattern(1)[0])


async def test_error_in_the_thread_is_raised_in_the_caller_and_the_codec_continues(autojump_clock):
    thread = CodecThread(HeldCodec())

    def fail():
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await thread.call(fail)
    assert await thread.call(lambda: "well") == "well"
    assert codec_limiter().borrowed_tokens == 0


async def test_threads_are_limited():
    limiter, codecs = trio.CapacityLimiter(1), [HeldCodec() for _ in range(3)]
    at_once = []

    def work(codec):
        at_once.append(sum(each.inside for each in codecs))
        codec.work()

    async with trio.open_nursery() as nursery:
        for codec in codecs:
            nursery.start_soon(CodecThread(codec, limiter).call, lambda codec=codec: work(codec))
        await trio.testing.wait_all_tasks_blocked()
        assert (limiter.borrowed_tokens, limiter.statistics().tasks_waiting) == (1, 2)
        for codec in codecs:
            codec.proceed.set()
    assert at_once == [0, 0, 0]
    assert [codec.faults for codec in codecs] == [[], [], []]


async def test_cancelled_task_does_not_begin_a_call(autojump_clock):
    codec = HeldCodec()
    with trio.CancelScope() as scope:
        scope.cancel()
        await CodecThread(codec).call(codec.work)
    assert codec.calls == 0


def test_call_without_threads_is_a_checkpoint_and_not_begun_after_cancellation():
    calls = []

    async def main():
        thread = CodecThread(ClosingCodec(calls))
        with trio.testing.assert_checkpoints():
            await thread.call(lambda: calls.append("called"))
        with trio.CancelScope() as scope:
            scope.cancel()
            await thread.call(lambda: calls.append("cancelled"))
        assert scope.cancelled_caught
        with trio.CancelScope() as scope:
            # A result is not lost when the cancellation comes during the call.
            await thread.call(scope.cancel)
            calls.append("returned")
        assert not scope.cancelled_caught
        await thread.aclose()

    run(main)
    assert calls == ["called", "returned", "closed"]


class AudioCodec:
    """A codec that records the threads that call it."""

    def __init__(self):
        self.threads = []

    def work(self):
        self.threads.append(threading.get_ident())

    def close(self):
        pass

    @property
    def was_in_task(self):
        return self.threads[-1] == threading.get_ident()


async def test_eight_audio_encoders_run_in_tasks():
    codecs = [AudioCodec() for _ in range(9)]
    threads = [CodecThread(codec, in_task=True) for codec in codecs]
    for thread, codec in zip(threads, codecs, strict=True):
        await thread.call(codec.work)
    assert [codec.was_in_task for codec in codecs] == [True] * 8 + [False]
    await threads[0].aclose()
    await threads[8].call(codecs[8].work)
    assert not codecs[8].was_in_task, "it stays where it was"
    codec = AudioCodec()
    thread = CodecThread(codec, in_task=True)
    await thread.call(codec.work)
    assert codec.was_in_task
    for each in (*threads, thread):
        await each.aclose()


async def test_video_codecs_run_in_threads():
    codec = AudioCodec()
    thread = CodecThread(codec)
    await thread.call(codec.work)
    await thread.aclose()
    assert not codec.was_in_task


async def test_a_slow_audio_codec_moves_to_a_thread(monkeypatch):
    clock = itertools.count(0.0, 0.006)
    codec = AudioCodec()
    thread = CodecThread(codec, in_task=True)
    with monkeypatch.context() as patch:
        patch.setattr("trio_rtc.codecs.worker.time.thread_time", lambda: next(clock))
        await thread.call(codec.work)
    assert codec.was_in_task
    await thread.call(codec.work)
    await thread.aclose()
    assert not codec.was_in_task


async def test_a_call_in_the_task_is_a_checkpoint():
    codec = AudioCodec()
    thread = CodecThread(codec, in_task=True)
    with trio.testing.assert_checkpoints():
        await thread.call(codec.work)
    assert codec.was_in_task
    with trio.CancelScope() as scope:
        scope.cancel()
        await thread.call(codec.work)
    assert len(codec.threads) == 1
    await thread.aclose()
