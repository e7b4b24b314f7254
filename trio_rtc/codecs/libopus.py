"""libopus itself, by ctypes, for the one thing that FFmpeg has no call for: in-band FEC.

The library is there wherever PyAV decodes Opus: its wheels bring one, and systems whose FFmpeg was built with it have
one. It is looked for once, when a decoder first wants it, and used only after it has shown that it does what it should.

A decoder's state lies in memory of Python's, of the size that libopus asks for. So there is nothing to free by hand,
and nothing is freed while a call is in it. What comes from a peer is checked for its length before any call, and what
a call writes is never more than the 120 ms that RFC 6716 section 3.2 allows a packet.
"""

import ctypes
import ctypes.util
import functools
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

import av

from .errors import CodecError

logger = logging.getLogger("trio_rtc.codecs")

SAMPLE_RATE = 48_000
MAX_SAMPLES = SAMPLE_RATE * 120 // 1000
"""Of each channel, in a packet."""
STEP = SAMPLE_RATE // 400
"""Samples of 2.5 ms: what is made up comes in multiples of it."""
_MAX_PACKET = 1 << 16  # bytes; no datagram is longer
_SONAMES = ("libopus.so.0", "libopus.0.dylib", "opus.dll")
_BESIDE_PYAV = ("av.libs/*opus-*", "av.libs/*opus.*", "av/.dylibs/libopus*")

# One frame of 20 ms without sound, in CELT, and a packet that claims more frames than it has bytes for.
_SILENCE = b"\xf8\xff\xfe"
_BROKEN = b"\xff\x30\x00"


class Libopus:
    """The functions of libopus that decode, from a library that has passed its test.

    Args:
        name: Path or name of the library.

    Raises:
        OSError: There is none, or it does not do what libopus does.
    """

    def __init__(self, name: str) -> None:
        library = ctypes.CDLL(name)
        number, address, text = ctypes.c_int32, ctypes.c_void_p, ctypes.c_char_p
        try:
            self._size = library.opus_decoder_get_size
            self._init = library.opus_decoder_init
            self._decode = library.opus_decode
            self._samples = library.opus_packet_get_nb_samples
            self._describe = library.opus_strerror
        except AttributeError as error:
            raise OSError(f"{name} is not libopus: {error}") from error
        self._size.argtypes, self._size.restype = [ctypes.c_int], ctypes.c_int
        self._init.argtypes, self._init.restype = [address, number, ctypes.c_int], ctypes.c_int
        self._decode.argtypes = [address, text, number, address, ctypes.c_int, ctypes.c_int]
        self._decode.restype = ctypes.c_int
        self._samples.argtypes, self._samples.restype = [text, number, number], ctypes.c_int
        self._describe.argtypes, self._describe.restype = [ctypes.c_int], text
        self._test(name)

    def open(self, channels: int) -> "OpusState":
        """Return the state of a new decoder.

        Raises:
            CodecError: libopus refuses.
        """
        return OpusState(self, channels)

    def new_state(self, channels: int) -> "ctypes.Array[ctypes.c_int64]":
        """Return the memory of a decoder, as libopus has it at the beginning."""
        size = self._size(channels)
        if size <= 0:
            raise CodecError(f"opus: no decoder of {channels} channels")
        # Numbers, for their alignment.
        memory: ctypes.Array[ctypes.c_int64] = (ctypes.c_int64 * (size // 8 + 1))()
        self.checked(self._init(memory, SAMPLE_RATE, channels))
        return memory

    def duration(self, packet: bytes) -> int:
        """Return the samples of each channel in a packet, at most :data:`MAX_SAMPLES`.

        Raises:
            CodecError: It is broken.
        """
        if not packet:
            raise CodecError("opus: an empty packet")
        if len(packet) > _MAX_PACKET:
            raise CodecError(f"opus: a packet of {len(packet)} bytes")
        samples = self.checked(self._samples(packet, len(packet), SAMPLE_RATE))
        if not 0 < samples <= MAX_SAMPLES:
            raise CodecError(f"opus: a packet of {samples} samples")
        return samples

    def decode(
        self,
        state: "ctypes.Array[ctypes.c_int64]",
        packet: bytes | None,
        output: "ctypes.Array[ctypes.c_int16]",
        samples: int,
        recover: bool,
    ) -> int:
        """Call ``opus_decode``; return how many samples of each channel it wrote."""
        size = 0 if packet is None else len(packet)
        return self.checked(self._decode(state, packet, size, output, samples, recover))

    def checked(self, result: int) -> int:
        """Return what a call returned, if it is no error."""
        if result < 0:
            raise CodecError(f"opus: {self._describe(result).decode('ascii', 'replace')}")
        return result

    def _test(self, name: str) -> None:
        try:
            state = self.open(2)
            heard = state.decode(_SILENCE), state.conceal(STEP), state.recover(_SILENCE, 8 * STEP)
        except CodecError as error:
            raise OSError(f"{name} does not decode: {error}") from error
        if [len(each) for each in heard] != [4 * 8 * STEP, 4 * STEP, 4 * 8 * STEP]:
            raise OSError(f"{name} decodes something else")
        try:
            state.decode(_BROKEN)
        except CodecError:
            return
        raise OSError(f"{name} decodes what is broken")


class OpusState:
    """One decoder of libopus. Its methods return interleaved 16 bit samples.

    Args:
        library: Whose it is.
        channels: 1 or 2.

    Raises:
        CodecError: libopus refuses; so from every method, for a packet that is broken.
    """

    def __init__(self, library: Libopus, channels: int) -> None:
        self._library = library
        self._state = library.new_state(channels)
        self._output = (ctypes.c_int16 * (MAX_SAMPLES * channels))()
        self._sample_size = 2 * channels

    def decode(self, packet: bytes) -> bytes:
        """Return the sound of a packet."""
        return self._call(packet, self._library.duration(packet), recover=False)

    def conceal(self, samples: int) -> bytes:
        """Return as many made up samples: a multiple of :data:`STEP`, at most :data:`MAX_SAMPLES`."""
        return self._call(None, samples, recover=False)

    def recover(self, follower: bytes, samples: int) -> bytes:
        """Return as many samples as went before a packet that is here, as far as it has them; the rest is made up.

        Numbers as with :meth:`conceal`.
        """
        self._library.duration(follower)
        return self._call(follower, samples, recover=True)

    def _call(self, packet: bytes | None, samples: int, *, recover: bool) -> bytes:
        if not 0 < samples <= MAX_SAMPLES:
            raise CodecError(f"opus: {samples} samples at a time")
        written = self._library.decode(self._state, packet, self._output, samples, recover)
        return bytes(memoryview(self._output).cast("B")[: written * self._sample_size])


@functools.cache
def find_libopus() -> Libopus | None:
    """Return libopus, ``None`` where there is none; looked for once."""
    return first_libopus(_candidates())


def first_libopus(names: Iterable[str]) -> Libopus | None:
    """Return the first library of these that is there and passes its test."""
    for name in names:
        try:
            return Libopus(name)
        except OSError as error:
            logger.debug("not used for Opus: %s", error)
    return None


def _candidates() -> Iterator[str]:
    """Give names where libopus may be: what PyAV uses first, for that is in memory already."""
    # Most systems find in a module what it is linked with, however far down; here that is libavcodec, and its libopus.
    if av.codec.codec.__file__ is not None:
        yield av.codec.codec.__file__
    packages = Path(av.__file__).parent.parent
    for pattern in _BESIDE_PYAV:
        yield from (str(path) for path in sorted(packages.glob(pattern)))
    yield from _SONAMES
    # Last, since on Linux it asks other programs.
    found = ctypes.util.find_library("opus")
    if found is not None:
        yield found
