"""The error of codecs."""


class CodecError(Exception):
    """A frame could not be encoded or decoded. The frame is lost; the codec remains usable.

    A video decoder that raised it ignores all frames until the next keyframe, which the caller should request from the
    sender.
    """
