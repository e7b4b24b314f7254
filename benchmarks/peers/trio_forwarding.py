"""trio_rtc's processes of forwarding: ``receiver.rtp_packets()`` into ``sender.send_rtp()``, and the sender.

The sender receives its packets again, and keeps a fixed number in flight, so it sends as fast as they are forwarded.
"""

import time
from collections.abc import Iterator
from typing import Any

import trio

import trio_rtc
from benchmarks.peers.trio_signaling import CONTROL, End
from benchmarks.peers.trio_video import connected, prefer_vp8
from benchmarks.video_call import CpuMeter
from benchmarks.workload import PAYLOADS, Workload, make_payloads
from trio_rtc.protocols.bandwidth_estimation import BandwidthEstimationOptions
from trio_rtc.protocols.rtp.options import RtpOptions

PAYLOAD_SIZE = 1000
PACKETS_A_FRAME = 4
UNDER_WAY = 64
BITRATE = 1e9
"""More than either process can send, so that neither bandwidth estimation nor probes affect the result."""

SETTINGS = trio_rtc.Settings(
    rtp=RtpOptions(
        bandwidth_estimation=BandwidthEstimationOptions(
            min_bitrate=BITRATE, start_bitrate=BITRATE, max_bitrate=BITRATE, probe_factors=()
        )
    )
)
_VP8_BEGINNING = b"\x10"  # RFC 7741 section 4.2: only the start of a partition


async def feed(end: End, workload: Workload) -> None:
    """Send packets for a while, and compare those that are sent back."""
    _, track = trio_rtc.open_media_track("video")
    payloads = [_VP8_BEGINNING + payload for payload in make_payloads(PAYLOAD_SIZE)]
    known = set(payloads)
    under_way = trio.Semaphore(UNDER_WAY)

    async def take_back(packets: trio_rtc.RtpPacketChannel) -> None:
        async for batch in packets.batches():
            for packet in batch:
                if packet.payload not in known:
                    raise ValueError(f"packet {packet.sequence_number} is not one that was sent")
                under_way.release()

    async with trio_rtc.RTCPeerConnection(settings=SETTINGS) as pc:
        transceiver = pc.add_transceiver(track)
        prefer_vp8(transceiver)
        async with end.negotiation(pc, offers=True), transceiver.receiver.rtp_packets() as packets:
            await connected(pc)
            await end.signaling.receive(CONTROL)
            codec = transceiver.sender.get_parameters().codecs[0]
            deadline = time.monotonic() + workload.warm_up + workload.seconds
            async with trio.open_nursery() as nursery:
                nursery.start_soon(take_back, packets)
                for frame in _stream(codec.payload_type, payloads):
                    for _ in frame:
                        await under_way.acquire()
                    await transceiver.sender.send_rtp(*frame)
                    if time.monotonic() > deadline:
                        break
                end.signaling.send(CONTROL, finished=True)
                await trio.sleep_forever()


def _stream(payload_type: int, payloads: list[bytes]) -> Iterator[list[trio_rtc.RtpPacket]]:
    number = 0
    while True:
        yield [
            trio_rtc.RtpPacket(
                payload_type,
                number + index & 0xFFFF,
                number // PACKETS_A_FRAME * 3000 & 0xFFFFFFFF,
                1,
                payloads[(number + index) % PAYLOADS],
                marker=index == PACKETS_A_FRAME - 1,
            )
            for index in range(PACKETS_A_FRAME)
        ]
        number += PACKETS_A_FRAME


async def forward(end: End, workload: Workload) -> dict[str, Any]:
    """Send received packets back until the other end reports the end."""
    _, track = trio_rtc.open_media_track("video")
    cpu = CpuMeter()
    count = 0

    async def forward_packets(packets: trio_rtc.RtpPacketChannel, sender: trio_rtc.RTCRtpSender) -> None:
        nonlocal count
        async for batch in packets.batches():
            await sender.send_rtp(*batch)
            count += len(batch)

    async with (
        trio_rtc.RTCPeerConnection(settings=SETTINGS) as pc,
        pc.subscribe("track") as tracks,
    ):
        sender = pc.add_track(track)
        async with end.negotiation(pc, offers=False), trio.open_nursery() as nursery:
            receiver = (await tracks.receive()).receiver
            await connected(pc)
            async with receiver.rtp_packets() as packets:
                nursery.start_soon(forward_packets, packets, sender)
                end.signaling.send(CONTROL, ready=True)
                await trio.sleep(workload.warm_up)
                cpu.start()
                before = count
                await end.signaling.receive(CONTROL)
                result = {"packets_per_cpu_second": (count - before) / cpu.seconds()}
                nursery.cancel_scope.cancel()
    return result
