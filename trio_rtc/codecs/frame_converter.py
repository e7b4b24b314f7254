"""Conversion of video frames to an encoder's size and pixel format."""

from fractions import Fraction

import av
import av.filter

_ALIGNMENT = 2  # pixels; the chroma of yuv420p has half the width and height
_SMALLEST = 16


def scaled_size(width: int, height: int, scale_down_by: float) -> tuple[int, int]:
    """Return width and height divided by ``scale_down_by``, even, and at least the minimum of encoders."""
    return (
        max(_SMALLEST, int(width / scale_down_by) // _ALIGNMENT * _ALIGNMENT),
        max(_SMALLEST, int(height / scale_down_by) // _ALIGNMENT * _ALIGNMENT),
    )


class FrameConverter:
    """Converts a frame to a size and format, always into an object that the encoder may modify.

    An encoder writes the time and type into its input, and a source's frame may be shared by simulcast layers, several
    connections, and the application. A frame that already has the right size and format is passed through FFmpeg's
    ``null`` filter, which creates a new reference to the same pixels without copying them.
    """

    def __init__(self) -> None:
        self._graph: av.filter.Graph | None = None
        self._graph_input: tuple[int, int, str] | None = None

    def convert(self, frame: av.VideoFrame, width: int, height: int, pixel_format: str) -> av.VideoFrame:
        if (frame.width, frame.height, frame.format.name) == (width, height, pixel_format):
            return self._reference(frame)
        return frame.reformat(width, height, pixel_format, interpolation="BILINEAR")

    def _reference(self, frame: av.VideoFrame) -> av.VideoFrame:
        described = (frame.width, frame.height, frame.format.name)
        if self._graph is None or self._graph_input != described:
            graph = av.filter.Graph()
            source = graph.add_buffer(
                width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 90_000)
            )
            graph.link_nodes(source, graph.add("null"), graph.add("buffersink")).configure()
            self._graph, self._graph_input = graph, described
        self._graph.push(frame)
        reference = self._graph.pull()
        assert isinstance(reference, av.VideoFrame)
        return reference
