"""A flood of forged datagrams beside a call: the effect on the call.

Run it with ``python -m benchmarks.flood``, or ``nox -s bench -- flood``. Both ends of a call with encoded audio and
video are in this process, on the real loopback. First there is no flood. Then another process sends 10,000 forged
datagrams a second to the sockets of both: STUN, DTLS, RTP and RTCP that do not authenticate, and noise. As root it also
forges the peer's address, so that each datagram gets as far as possible without keys. The call must stay intact: the
program ends with exit code 1 if more than one of a hundred frames is missing, or audio or video stalls for half a
second.
"""

import argparse
import itertools
import os
import random
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import attrs
import trio

from tests.strategies.calls import FRAME_RATE, opus_frame, vp8_frame
from trio_rtc import (
    EncodedFrame,
    MediaStreamTrack,
    MediaStreamTrackSource,
    RTCPeerConnection,
    RTCRtpSender,
    Settings,
    open_media_track,
)
from trio_rtc.stats import LayerStats

Address = tuple[str, int]

SOUNDS_A_SECOND = 50
MOST_MISSING = 0.01
LONGEST_GAP = 0.5
_BATCH = 50
_MAGIC_COOKIE = 0x2112A442


@attrs.define
class Figures:
    """Received frames of one medium in a phase.

    Attributes:
        frames: Number of frames received.
        last: When the last frame was received.
        gap: The longest time between two frames.
    """

    frames: int = 0
    last: float | None = None
    gap: float = 0.0

    def note(self, now: float) -> None:
        """Count a frame."""
        if self.last is not None:
            self.gap = max(self.gap, now - self.last)
        self.frames += 1
        self.last = now


# The flood


def forged_datagrams(rng: random.Random) -> Iterator[bytes]:
    """Yield datagrams of all kinds that are valid except for their authentication."""
    kinds: tuple[Callable[[], bytes], ...] = (
        # A binding request with a user name, a priority and an integrity of chance (RFC 8445 section 7.1).
        lambda: (
            struct.pack("!HHI12s", 1, 52, _MAGIC_COOKIE, rng.randbytes(12))
            + struct.pack("!HH8s", 0x0006, 8, b"abcd:efg")
            + struct.pack("!HHI", 0x0024, 4, 0x7E000000)
            + struct.pack("!HH20s", 0x0008, 20, rng.randbytes(20))
            + bytes(8)
        ),
        # Application data of the first epoch (RFC 6347 section 4.1).
        lambda: struct.pack("!B2sH6sH", 23, b"\xfe\xfd", 1, rng.randbytes(6), 100) + rng.randbytes(100),
        lambda: (
            struct.pack("!BBHII", 0x80, 96, rng.getrandbits(16), rng.getrandbits(32), 1000)
            + rng.randbytes(1000)
        ),
        lambda: struct.pack("!BBHI", 0x81, 201, 7, rng.getrandbits(32)) + rng.randbytes(40),
        lambda: rng.randbytes(200),
    )
    for kind in itertools.cycle(kinds):
        yield kind()


def flood(rate: int, seconds: float, ends: Sequence[Address]) -> None:
    """Send forged datagrams to both ends, at a rate of datagrams a second for both together."""
    datagrams = list(itertools.islice(forged_datagrams(random.Random(1)), 1000))
    plain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) if os.geteuid() == 0 else None
    start, sent = time.monotonic(), 0
    while (passed := time.monotonic() - start) < seconds:
        for _ in range(_BATCH):
            datagram, target = datagrams[sent % len(datagrams)], ends[sent % 2]
            if raw is not None and sent % 4 < 2:
                raw.sendto(_with_headers(datagram, ends[(sent + 1) % 2], target), (target[0], 0))
            else:
                plain.sendto(datagram, target)
            sent += 1
        time.sleep(max(0.0, sent / rate - passed))
    print(round(sent / (time.monotonic() - start)))


def _with_headers(datagram: bytes, source: Address, target: Address) -> bytes:
    """Return a datagram as an IPv4 packet; the system fills in what is 0 and the checksum."""
    size = 8 + len(datagram)
    addresses = socket.inet_aton(source[0]) + socket.inet_aton(target[0])
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + size, 0, 0, 64, socket.IPPROTO_UDP, 0) + addresses
    return header + struct.pack("!HHHH", source[1], target[1], size, 0) + datagram


# The call


async def send_video_frames(source: MediaStreamTrackSource, sender: RTCRtpSender) -> None:
    """Send video in real time, and keyframes on request."""
    wanted = True
    async with sender.keyframe_requests() as requests, trio.open_nursery() as nursery:

        async def answer() -> None:
            nonlocal wanted
            async for _ in requests:
                wanted = True

        nursery.start_soon(answer)
        start = trio.current_time()
        for index in itertools.count():
            keyframe, wanted = wanted, False
            await source.send(vp8_frame(index, keyframe=keyframe))
            await trio.sleep_until(start + (index + 1) / FRAME_RATE)


async def send_sound(source: MediaStreamTrackSource) -> None:
    """Send audio in real time."""
    start = trio.current_time()
    for index in itertools.count():
        await source.send(opus_frame(index))
        await trio.sleep_until(start + (index + 1) / SOUNDS_A_SECOND)


async def watch(track: MediaStreamTrack, figures: dict[str, Figures]) -> None:
    """Count the frames of a track."""
    async for frame in track:
        if isinstance(frame, EncodedFrame):
            figures[track.kind].note(trio.current_time())


def socket_of(pc: RTCPeerConnection) -> Address:
    """Return the address of the pair that an end sends from."""
    (first, *_) = pc.get_senders()
    assert first.transport is not None
    pair = first.transport.ice_transport.get_selected_candidate_pair()
    assert pair is not None
    assert pair.local.address is not None
    assert pair.local.port is not None
    return pair.local.address, pair.local.port


async def connect(one: RTCPeerConnection, other: RTCPeerConnection) -> None:
    """Connect two ends."""
    one.on_ice_candidate = lambda event: other.add_ice_candidate(event.candidate)
    other.on_ice_candidate = lambda event: one.add_ice_candidate(event.candidate)
    await one.set_local_description()
    assert one.local_description is not None
    await other.set_remote_description(one.local_description)
    await other.set_local_description()
    assert other.local_description is not None
    await one.set_remote_description(other.local_description)
    async with one.subscribe("connection_state_change") as changes:
        while one.connection_state != "connected":
            await changes.receive()


async def run(arguments: argparse.Namespace) -> list[str]:
    """Measure, print the figures and return the violations."""
    settings = Settings(decode=False, interface_filter=lambda interface: not interface.is_ipv6)
    figures = {"audio": Figures(), "video": Figures()}
    async with (
        RTCPeerConnection(settings=settings) as alice,
        RTCPeerConnection(settings=settings) as bob,
        trio.open_nursery() as nursery,
    ):
        video_source, video = open_media_track("video")
        audio_source, audio = open_media_track("audio")
        alice.add_track(audio)
        sender = alice.add_track(video)
        bob.on_track = lambda event: nursery.start_soon(watch, event.track, figures)
        await connect(alice, bob)
        nursery.start_soon(send_video_frames, video_source, sender)
        nursery.start_soon(send_sound, audio_source)
        await trio.sleep(2)
        faults = await measure_phase("alone", arguments.seconds, figures)
        before = await dropped_by(bob)
        ends = [f"{host}:{port}" for host, port in map(socket_of, (alice, bob))]
        command = [sys.executable, "-m", "benchmarks.flood", "--flood", str(arguments.rate)]
        command += ["--seconds", str(arguments.seconds + 2), *ends]
        attacker = await trio.lowlevel.open_process(
            command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[1]
        )
        await trio.sleep(1)
        title = f"{arguments.rate} forged datagrams a second"
        faults += await measure_phase(title, arguments.seconds, figures)
        assert attacker.stdout is not None
        reached = int(await attacker.stdout.receive_some())
        await attacker.wait()
        print(f"the flood reached {reached} datagrams a second")
        if reached < 0.9 * arguments.rate:
            faults.append("the flood was slower than that: the machine is too busy")
        after = await dropped_by(bob)
        shown = {name: round(value - before.get(name, 0)) for name, value in after.items()}
        print(
            "dropped by one end:",
            ", ".join(f"{name} {count}" for name, count in shown.items() if count > 100),
        )
        nursery.cancel_scope.cancel()
    return faults


async def dropped_by(pc: RTCPeerConnection) -> dict[str, float]:
    """Return the counters of the layers that receive forged datagrams, without authentic packets."""
    (layers,) = [each for each in (await pc.get_stats()).values() if each.type == "layers"]
    assert isinstance(layers, LayerStats)
    return {
        f"{layer}/{name}": value
        for layer in ("ice", "dtls", "srtp")
        for name, value in layers.counters.get(layer, {}).items()
        if not name.endswith("protected")
    }


async def measure_phase(title: str, seconds: float, figures: dict[str, Figures]) -> list[str]:
    """Count frames for some time, and return the violations."""
    for kind in figures:
        figures[kind] = Figures()
    cpu = time.process_time()
    await trio.sleep(seconds)
    cpu = (time.process_time() - cpu) / seconds
    faults = []
    rates = {"video": FRAME_RATE, "audio": SOUNDS_A_SECOND}
    for kind, rate in rates.items():
        each = figures[kind]
        print(
            f"{title}: {kind} {each.frames / seconds:.1f} of {rate} frames/s, longest gap {1000 * each.gap:.0f} ms"
        )
        if each.frames < (1 - MOST_MISSING) * rate * seconds - 1:
            faults.append(f"{title}: {kind} misses frames")
        if each.gap > LONGEST_GAP:
            faults.append(f"{title}: {kind} stands still")
    print(f"{title}: CPU of both ends {100 * cpu:.0f} %")
    return faults


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    return host, int(port)


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.flood", description="A call beside a flood.")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each phase")
    parser.add_argument("--rate", type=int, default=10_000, help="datagrams a second")
    parser.add_argument("--flood", type=int, metavar="RATE", help=argparse.SUPPRESS)
    parser.add_argument("ends", nargs="*", type=_address, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.flood:
        flood(arguments.flood, arguments.seconds, arguments.ends)
        return 0
    faults = trio.run(run, arguments)
    for fault in faults:
        print(f"not intact: {fault}", file=sys.stderr)
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
