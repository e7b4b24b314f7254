"""How bytes are spread over packets."""


def split_evenly(data: bytes, max_size: int) -> list[bytes]:
    """Cut into the fewest pieces of at most ``max_size`` bytes, all of about the same size.

    A last piece that is much smaller than the others would cost a packet as they do and tell an observer, and the
    estimator of the bandwidth, less.

    Raises:
        ValueError: There is no room for even a byte.
    """
    if max_size < 1:
        raise ValueError("a packet has no room for a payload")
    count = -(-len(data) // max_size)
    small, larger = divmod(len(data), count) if count else (0, 0)
    pieces = []
    start = 0
    for index in range(count):
        end = start + small + (index < larger)
        pieces.append(data[start:end])
        start = end
    return pieces
