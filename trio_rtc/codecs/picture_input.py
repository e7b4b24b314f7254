"""Pictures as an encoder takes them."""

from fractions import Fraction

import av
import av.filter

_ALIGNMENT = 2  # pixels: chroma of yuv420p is half as wide and high
_SMALLEST = 16


def scaled_size(width: int, height: int, scale_down_by: float) -> tuple[int, int]:
    """Return width and height divided by ``scale_down_by``, even, and no smaller than encoders take."""
    return (
        max(_SMALLEST, int(width / scale_down_by) // _ALIGNMENT * _ALIGNMENT),
        max(_SMALLEST, int(height / scale_down_by) // _ALIGNMENT * _ALIGNMENT),
    )


class PictureInput:
    """Makes of a picture one of the wanted size and format that is the encoder's own.

    An encoder writes time and type of picture into what it is given, and a source may be shared: by the layers of a
    simulcast, by several connections, by whoever draws it. So it is never given the source's own object. A picture
    that already has the right size is passed through FFmpeg's ``null`` filter, which makes a new reference to the
    same pixels without copying them.
    """

    def __init__(self) -> None:
        self._graph: av.filter.Graph | None = None
        self._graph_input: tuple[int, int, str] | None = None

    def prepare(self, frame: av.VideoFrame, width: int, height: int, pixel_format: str) -> av.VideoFrame:
        """Return the picture in this size and format."""
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
