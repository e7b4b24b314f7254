"""What every encoder and decoder promises.

All are synchronous and use nothing but the CPU (or the graphics card). None may be used by two threads at once;
:mod:`.worker` sees to it.
"""

from typing import Protocol

import av

from trio_rtc.protocols.rtp.packet.frame import EncodedFrame


class VideoEncoder(Protocol):
    """Makes encoded frames of pictures."""

    codec: str

    def encode(
        self,
        frame: av.VideoFrame,
        *,
        force_keyframe: bool = False,
        bitrate: int | None = None,
        framerate: float | None = None,
        scale_down_by: float = 1.0,
        captured: float | None = None,
        repeated_after: float = 0.0,
    ) -> list[EncodedFrame]:
        """Encode one picture.

        Args:
            frame: The picture; its ``pts`` and ``time_base`` tell when it is to be shown. It is not changed.
            force_keyframe: Let it be decodable by itself.
            bitrate: Target in bits per second from now on.
            framerate: Leave pictures out so that no more than this many come in a second.
            scale_down_by: Divide width and height by this (W3C ``scaleResolutionDownBy``), 1 or more.
            captured: When it was captured, in seconds of any clock, for a picture that does not tell; without it,
                such a picture counts as one interval later than the last.
            repeated_after: Seconds from the time that its ``pts`` tells until now, when it is encoded again.

        Returns:
            Mostly one frame; none when the picture is left out to keep the rate.

        Raises:
            CodecError: It could not be encoded.
        """

    def close(self) -> None:
        """Free what the encoder holds. It may not be used after."""


class VideoDecoder(Protocol):
    """Makes pictures of encoded frames."""

    codec: str

    @property
    def needs_keyframe(self) -> bool:
        """Whether nothing can be decoded before a keyframe comes."""

    def decode(self, frame: EncodedFrame) -> list[av.VideoFrame]:
        """Decode one frame.

        Returns:
            Pictures whose ``pts`` is the RTP timestamp and whose ``time_base`` is one over the clock rate; none
            while a keyframe is awaited.

        Raises:
            CodecError: The frame is broken; a keyframe is needed.
        """

    def close(self) -> None:
        """Free what the decoder holds. It may not be used after."""


class AudioEncoder(Protocol):
    """Makes packets of sound."""

    codec: str

    def encode(
        self, frame: av.AudioFrame, *, bitrate: int | None = None, captured: float | None = None
    ) -> list[EncodedFrame]:
        """Encode some sound of whatever rate, layout, format and length.

        Args:
            frame: The sound; its ``pts`` and ``time_base`` tell when it is to be heard. It is not changed.
            bitrate: Target in bits per second from now on.
            captured: When it begins, in seconds of any clock, for sound without ``pts``. Without both it follows
                directly on what came before.

        Returns:
            As many whole packets as are filled with it.

        Raises:
            CodecError: It could not be encoded.
        """

    def flush(self) -> list[EncodedFrame]:
        """Encode what has not filled a packet, completed with silence, because a pause begins.

        Raises:
            CodecError: It could not be encoded.
        """

    def close(self) -> None:
        """Free what the encoder holds. It may not be used after."""


class AudioDecoder(Protocol):
    """Makes sound of packets."""

    codec: str

    def decode(self, frame: EncodedFrame) -> list[av.AudioFrame]:
        """Decode one packet to interleaved 16 bit samples.

        Raises:
            CodecError: The packet is broken; that costs this packet.
        """

    def conceal(self, duration: float, following: bytes | None = None) -> list[av.AudioFrame]:
        """Return sound in place of ``duration`` seconds that were lost after what was decoded last.

        Args:
            duration: In seconds.
            following: The packet directly after the loss, if it is here: it may carry once more what was before it.
                It is to be decoded as usual afterwards.
        """

    def close(self) -> None:
        """Free what the decoder holds. It may not be used after."""
