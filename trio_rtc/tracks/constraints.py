"""Settings, capabilities and constraints of tracks (W3C mediacapture-main section 4.3.8); absent members are ``None``.

The source of a track is the application or a peer, not a camera or microphone that could be configured. So settings
describe the received or sent frames, and there are no capabilities to choose from.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

from trio_rtc import _attrs as attrs
from trio_rtc._strict_names.checks import strict_class

MediaTrackConstraints: TypeAlias = Mapping[str, Any]
"""Constraints of a source, by W3C's names in snake_case."""


@strict_class
@attrs.frozen(kw_only=True)
class MediaTrackSettings:
    """The present properties of a track's frames.

    Attributes:
        width: Width in pixels.
        height: Height in pixels.
        aspect_ratio: Width divided by height.
        frame_rate: Video frames per second, as measured.
        facing_mode: Direction that the camera faces.
        resize_mode: Whether video is cropped or scaled.
        sample_rate: Audio samples per second.
        sample_size: Bits per audio sample.
        echo_cancellation: Whether echo is cancelled.
        auto_gain_control: Whether the gain is controlled automatically.
        noise_suppression: Whether noise is suppressed.
        latency: Seconds from capture to the frame.
        channel_count: Number of audio channels.
        device_id: The id of the device.
        group_id: The id of the device's group.
        background_blur: Whether the background is blurred.
    """

    width: int | None = None
    height: int | None = None
    aspect_ratio: float | None = None
    frame_rate: float | None = None
    facing_mode: str | None = None
    resize_mode: str | None = None
    sample_rate: int | None = None
    sample_size: int | None = None
    echo_cancellation: bool | None = None
    auto_gain_control: bool | None = None
    noise_suppression: bool | None = None
    latency: float | None = None
    channel_count: int | None = None
    device_id: str | None = None
    group_id: str | None = None
    background_blur: bool | None = None


@strict_class
@attrs.frozen(kw_only=True)
class MediaTrackCapabilities:
    """The ranges of a track's settings. Nothing can be configured, so every member is ``None``.

    Attributes:
        width: See :class:`MediaTrackSettings`, also for the other members.
    """

    width: None = None
    height: None = None
    aspect_ratio: None = None
    frame_rate: None = None
    facing_mode: None = None
    resize_mode: None = None
    sample_rate: None = None
    sample_size: None = None
    echo_cancellation: None = None
    auto_gain_control: None = None
    noise_suppression: None = None
    latency: None = None
    channel_count: None = None
    device_id: None = None
    group_id: None = None
    background_blur: None = None


def settings_of(frame: Any, frame_rate: float | None) -> MediaTrackSettings:
    """Return the settings of a frame.

    Args:
        frame: The last frame; ``None`` before the first one.
        frame_rate: Video frames per second; ``None`` for audio, or if unknown.
    """
    width, height = getattr(frame, "width", None), getattr(frame, "height", None)
    if width and height:
        return MediaTrackSettings(
            width=width, height=height, aspect_ratio=width / height, frame_rate=frame_rate
        )
    channels = getattr(getattr(frame, "layout", None), "channels", None)
    return MediaTrackSettings(
        frame_rate=frame_rate,
        sample_rate=getattr(frame, "sample_rate", None),
        channel_count=None if channels is None else len(channels),
    )
