"""Settings of a peer connection."""

import attrs
import pytest

from trio_rtc.codecs import VideoDecoderOptions
from trio_rtc.transports.settings import Settings


def test_decoder_options_are_checked_by_their_attributes() -> None:
    options = VideoDecoderOptions()
    assert Settings(video_decoder=options).video_decoder is options
    assert Settings().video_decoder is None
    with pytest.raises(TypeError, match="VideoDecoderOptions"):
        Settings(video_decoder=5)  # type: ignore[arg-type]


def test_defaults_of_the_settings() -> None:
    settings = Settings()
    simple = {
        name: value
        for name, value in attrs.asdict(settings, recurse=False).items()
        if value is None or isinstance(value, int | float)
    }
    assert simple == {
        **dict.fromkeys(
            ("network", "port_range", "interface_filter", "announced_addresses", "remote_candidate_filter"),
            None,
        ),
        **dict.fromkeys(
            ("decode", "ice_credentials", "video_decoder", "rng", "wall_clock", "turn_tls_context"), None
        ),
        "close_timeout": 1.0,
        "expose_peer_reflexive": False,
        "send_high_water_mark": 1_048_576,
        "max_message_size": 262_144,
    }


@pytest.mark.parametrize("port_range", [(1, 1), (1, 65535), (65535, 65535)])
def test_valid_port_ranges(port_range: tuple[int, int]) -> None:
    assert Settings(port_range=port_range).port_range == port_range


@pytest.mark.parametrize("port_range", [(0, 5), (5, 4), (5, 65536), (-1, 5)])
def test_an_impossible_port_range_is_refused(port_range: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="port_range"):
        Settings(port_range=port_range)
