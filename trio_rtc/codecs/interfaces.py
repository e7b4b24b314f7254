"""The interfaces of encoders and decoders, which applications may implement, too.

All are synchronous and use only the CPU or graphics card. An object must not be used by two threads at once;
:mod:`.worker` ensures it.
"""

from typing import Protocol

import av

from trio_rtc.protocols.rtp.packet.frame import EncodedFrame


class VideoEncoder(Protocol):
    """Encodes video frames.

    This package has one implementer; applications can use their own with :class:`.CodecThread`.
    """

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
        """Encode a video frame.

        Args:
            frame: The video frame; its ``pts`` and ``time_base`` give its presentation time. It is not modified.
            force_keyframe: Encode a keyframe.
            bitrate: Target in bits per second from now on.
            framerate: Drop frames so that at most this many per second are encoded.
            scale_down_by: Divisor of width and height (W3C ``scaleResolutionDownBy``), 1 or more.
            captured: Capture time in seconds of any clock, for a frame without ``pts``. Without both, the frame counts
                as one interval after the last.
            repeated_after: Seconds from the time of ``pts`` until now, for a frame that is encoded again.

        Returns:
            Usually one frame; none if the frame was dropped to keep the rate.

        Raises:
            CodecError: The frame could not be encoded.
        """

    def close(self) -> None:
        """Release the encoder, which must not be used afterwards."""


class VideoDecoder(Protocol):
    """Decodes video frames.

    This package has one implementer; applications can pass their own to :class:`.DecodeWorker`.
    """

    codec: str

    @property
    def needs_keyframe(self) -> bool:
        """Whether decoding can only continue with a keyframe."""

    def decode(self, frame: EncodedFrame) -> list[av.VideoFrame]:
        """Decode a frame.

        Returns:
            Video frames whose ``pts`` is the RTP timestamp and whose ``time_base`` is the inverse of the clock rate;
            none while waiting for a keyframe.

        Raises:
            CodecError: The frame is corrupt; a keyframe is needed.
        """

    def close(self) -> None:
        """Release the decoder, which must not be used afterwards."""


class AudioEncoder(Protocol):
    """Encodes audio.

    This package has one implementer; applications can use their own with :class:`.CodecThread`.
    """

    codec: str

    def encode(
        self, frame: av.AudioFrame, *, bitrate: int | None = None, captured: float | None = None
    ) -> list[EncodedFrame]:
        """Encode audio of any sample rate, layout, format and length.

        Args:
            frame: The audio; its ``pts`` and ``time_base`` give its presentation time. It is not modified.
            bitrate: Target in bits per second from now on.
            captured: Capture time of its beginning in seconds of any clock. Then its ``pts`` has no effect except that
                of the first frame. Without both, it directly follows the previous audio.

        Returns:
            The whole packets that this audio completes.

        Raises:
            CodecError: The audio could not be encoded.
        """

    def flush(self) -> list[EncodedFrame]:
        """Encode pending audio, padded with silence to a whole packet, before a pause.

        Raises:
            CodecError: The audio could not be encoded.
        """

    def close(self) -> None:
        """Release the encoder, which must not be used afterwards."""


class AudioDecoder(Protocol):
    """Decodes audio."""

    codec: str

    def decode(self, frame: EncodedFrame) -> list[av.AudioFrame]:
        """Decode a packet to interleaved 16-bit samples.

        Raises:
            CodecError: The packet is corrupt; only this packet is lost.
        """

    def conceal(self, duration: float, following: bytes | None = None) -> list[av.AudioFrame]:
        """Return audio that conceals the loss of ``duration`` seconds after the last decoded packet.

        Args:
            duration: Seconds.
            following: The first packet after the loss, if it has arrived: it may have in-band FEC. The caller must
                still decode it afterwards.
        """

    def close(self) -> None:
        """Release the decoder, which must not be used afterwards."""
