"""What a track tells of its source (W3C mediacapture-main section 4.3.8): dictionaries; absent members are ``None``.

A track of this package is made by the application or comes from a peer; there is no camera or microphone behind it
that could be set otherwise. So there are settings, which are what the frames were like, and no capabilities to choose
from.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import attrs

from trio_rtc._strict_names.checks import strict_class

MediaTrackConstraints: TypeAlias = Mapping[str, Any]
"""Wishes for a source, by W3C's names in snake_case."""


@strict_class
@attrs.frozen(kw_only=True)
class MediaTrackSettings:
    """What the frames of a track are like at present.

    Attributes:
        width: Pixels.
        height: Pixels.
        aspect_ratio: Width divided by height.
        frame_rate: Pictures a second, as counted.
        facing_mode: Which way a camera looks.
        resize_mode: Whether pictures are cut or scaled.
        sample_rate: Samples of sound a second.
        sample_size: Bits of a sample.
        echo_cancellation: Whether echo is removed.
        auto_gain_control: Whether loudness is evened out.
        noise_suppression: Whether noise is removed.
        latency: Seconds from the sound to its frame.
        channel_count: Channels of sound.
        device_id: Which device it is.
        group_id: Which device it is part of.
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
    """Between what a track's settings can be chosen: of none, so that every member is ``None``.

    Attributes:
        width: See :class:`MediaTrackSettings`, as all others.
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
    """Return what a frame tells.

    Args:
        frame: The last one, ``None`` before the first.
        frame_rate: Pictures a second, ``None`` for sound and for what is not known.
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
