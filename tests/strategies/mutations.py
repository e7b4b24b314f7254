"""Mutations of valid bytes."""

from hypothesis import strategies as st


@st.composite
def mutated(draw: st.DrawFn, originals: st.SearchStrategy[bytes]) -> bytes:
    """Draw one of the originals with a few bytes changed, removed, inserted or truncated."""
    data = bytearray(draw(originals))
    for _ in range(draw(st.integers(1, 4))):
        position = draw(st.integers(0, max(len(data) - 1, 0)))
        match draw(st.integers(0, 3)):
            case 0:
                data[position : position + 1] = bytes([draw(st.integers(0, 255))])
            case 1:
                del data[position : position + draw(st.integers(1, 8))]
            case 2:
                data[position:position] = draw(st.binary(min_size=1, max_size=8))
            case _:
                del data[position:]
    return bytes(data)
