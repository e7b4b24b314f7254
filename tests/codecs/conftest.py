import pytest

from trio_rtc.codecs import VideoEncoderOptions, create_video_encoder


@pytest.fixture
def make_encoder():
    """Return a function that creates video encoders, which are closed after the test."""
    made = []

    def make(codec, **options):
        made.append(create_video_encoder(codec, VideoEncoderOptions(**options)))
        return made[-1]

    yield make
    for encoder in made:
        encoder.close()
