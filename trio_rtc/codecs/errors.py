"""What goes wrong in a codec."""


class CodecError(Exception):
    """A frame could not be encoded or decoded. It costs this frame; the codec can be used on.

    A video decoder that raised it leaves out what follows until a keyframe comes; whoever drives it asks the sender
    for one.
    """
