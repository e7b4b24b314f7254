"""A call that is encrypted from end to end, also through servers that forward it.

Run `encrypted_call.py --key WORDS` in two terminals. The first one that is started also runs the signaling server. Each
sends a test video and a tone, and prints what it receives; with another key it receives nothing. It needs the extra
`media`.

Between two peers DTLS encrypts already. Here each encoded frame is also encrypted with AES-GCM before it is
packetized. The first bytes are authenticated but not encrypted: a server that forwards finds keyframes by them.
"""

import argparse
import contextlib
import os
from typing import Any

import attrs
import trio
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

import trio_rtc
from trio_rtc import media, signaling

NONCE_SIZE = 12


class Encryption:
    """Encryption and decryption of encoded frames with a key that is derived from words."""

    def __init__(self, words: str) -> None:
        # Slow on purpose: an attacker who guesses words must compute it for each guess.
        self._key = AESGCM(Scrypt(salt=b"trio_rtc", length=32, n=2**15, r=8, p=1).derive(words.encode()))

    async def encrypt(self, frame: trio_rtc.EncodedFrame) -> trio_rtc.EncodedFrame:
        """Encrypt everything after the first bytes, and append the nonce."""
        size, nonce = clear_size(frame), os.urandom(NONCE_SIZE)
        clear, secret = frame.payload[:size], frame.payload[size:]
        return attrs.evolve(frame, payload=clear + self._key.encrypt(nonce, secret, clear) + nonce)

    async def decrypt(self, frame: trio_rtc.EncodedFrame) -> trio_rtc.EncodedFrame | None:
        """Decrypt a frame, and drop it if it was not encrypted with this key."""
        size, nonce = clear_size(frame), frame.payload[-NONCE_SIZE:]
        clear, secret = frame.payload[:size], frame.payload[size:-NONCE_SIZE]
        try:
            return attrs.evolve(frame, payload=clear + self._key.decrypt(nonce, secret, clear))
        except (InvalidTag, ValueError):
            if frame.keyframe and frame.codec == "VP8":
                print("a frame that is not encrypted with this key", flush=True)
            return None


def clear_size(frame: trio_rtc.EncodedFrame) -> int:
    """Return how many bytes are not encrypted: VP8's headers (RFC 6386 section 9.1), or the first byte of Opus."""
    if frame.codec == "opus":
        return 1
    return 10 if frame.keyframe else 3


async def feed(source: trio.abc.ReceiveChannel[Any], frames: trio_rtc.MediaStreamTrackSource) -> None:
    """Send the frames of a source into a track."""
    async for frame in source:
        await frames.send(frame)


async def watch(track: trio_rtc.MediaStreamTrack) -> None:
    """Print every tenth video frame's number, and the frequency of each second of audio."""
    frames = []
    async for frame in track:
        frames.append(frame)
        if track.kind == "video" and len(frames) == 10:
            print(f"frame {media.read_counter(frame)}", flush=True)
            frames.clear()
        elif len(frames) == 50:
            print(f"a tone of {media.dominant_frequency(frames):.0f} Hz", flush=True)
            frames.clear()


async def call(peer: signaling.Peer, encryption: Encryption) -> None:
    """Call the other member of the room until it leaves."""
    async with trio_rtc.RTCPeerConnection() as pc, trio.open_nursery() as nursery:

        def receive(event: trio_rtc.RTCTrackEvent) -> None:
            event.receiver.transform = encryption.decrypt
            nursery.start_soon(watch, event.track)

        pc.on_track = receive
        for kind, source in (("video", media.test_pattern(320, 180)), ("audio", media.tone(440))):
            frames, track = trio_rtc.open_media_track(kind)
            transceiver = pc.add_transceiver(track)
            transceiver.sender.transform = encryption.encrypt
            # clear_size() knows these two codecs.
            capabilities = trio_rtc.RTCRtpSender.get_capabilities(kind)
            assert capabilities is not None
            wanted = [codec for codec in capabilities.codecs if codec.name in ("VP8", "opus", "rtx")]
            transceiver.set_codec_preferences(wanted)
            nursery.start_soon(feed, source, frames)
        with contextlib.suppress(
            trio.BrokenResourceError
        ):  # the other side ran the signaling server, and has ended
            await signaling.negotiate(peer, pc)
        nursery.cancel_scope.cancel()


async def main() -> None:
    """Call the first other member of the room."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--key", required=True, help="words that both sides know")
    parser.add_argument("--port", type=int, default=8765, help="port of the signaling server")
    arguments = parser.parse_args()
    encryption = Encryption(arguments.key)
    async with trio.open_nursery() as nursery:
        with contextlib.suppress(OSError):  # then the other terminal runs it
            await nursery.start(signaling.serve, "127.0.0.1", arguments.port)
        async with signaling.connect(f"ws://127.0.0.1:{arguments.port}/", room="call") as room:
            await call(await room.receive(), encryption)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main)
