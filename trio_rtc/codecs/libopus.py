"""libopus by ctypes, for the one function that FFmpeg does not offer: in-band FEC.

The library exists wherever PyAV decodes Opus: PyAV's wheels include it, and systems whose FFmpeg was built with it have
it. It is searched once, when the first decoder is created, and used only after a self-test.

A decoder's state is memory allocated by Python, of the size that libopus requires. It needs no explicit release, and
cannot be released during a call. The length of a peer's packet is checked before each call, and no call writes more
than 120 ms, the maximum of a packet (RFC 6716 section 3.2).
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
"""Maximum samples per channel in a packet."""
STEP = SAMPLE_RATE // 400
"""Samples of 2.5 ms: concealed audio has a multiple of it."""
_MAX_PACKET = 1 << 16  # bytes; more than any datagram
_SONAMES = ("libopus.so.0", "libopus.0.dylib", "opus.dll")
_BESIDE_PYAV = ("av.libs/*opus-*", "av.libs/*opus.*", "av/.dylibs/libopus*")

# A CELT frame of 20 ms of silence, and a packet with a frame count that exceeds its bytes.
_SILENCE = b"\xf8\xff\xfe"
_BROKEN = b"\xff\x30\x00"


class Libopus:
    """The decoding functions of libopus; ``OSError`` if the library does not exist or fails the self-test."""

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
        self._self_test(name)

    def new_state(self, channels: int) -> "ctypes.Array[ctypes.c_int64]":
        """Return the initialized memory of a decoder."""
        size = self._size(channels)
        if size <= 0:
            raise CodecError(f"opus: channels must be 1 or 2, not {channels}")
        # An array of 64-bit integers for the alignment.
        memory: ctypes.Array[ctypes.c_int64] = (ctypes.c_int64 * (size // 8 + 1))()
        self.check_result(self._init(memory, SAMPLE_RATE, channels))
        return memory

    def duration(self, packet: bytes) -> int:
        """Return the samples per channel of a packet, at most :data:`MAX_SAMPLES`."""
        if not packet:
            raise CodecError("opus: packet is empty")
        if len(packet) > _MAX_PACKET:
            raise CodecError(f"opus: packet has {len(packet)} bytes, more than {_MAX_PACKET}")
        samples = self.check_result(self._samples(packet, len(packet), SAMPLE_RATE))
        if not 0 < samples <= MAX_SAMPLES:
            raise CodecError(f"opus: packet has {samples} samples instead of 1 to {MAX_SAMPLES}")
        return samples

    def decode(
        self,
        state: "ctypes.Array[ctypes.c_int64]",
        packet: bytes | None,
        output: "ctypes.Array[ctypes.c_int16]",
        samples: int,
        recover: bool,
    ) -> int:
        size = 0 if packet is None else len(packet)
        return self.check_result(self._decode(state, packet, size, output, samples, recover))

    def check_result(self, result: int) -> int:
        if result < 0:
            raise CodecError(f"opus: {self._describe(result).decode('ascii', 'replace')}")
        return result

    def _self_test(self, name: str) -> None:
        try:
            state = OpusState(self, 2)
            outputs = state.decode(_SILENCE), state.conceal(STEP), state.recover(_SILENCE, 8 * STEP)
        except CodecError as error:
            raise OSError(f"{name} cannot decode: {error}") from error
        if [len(each) for each in outputs] != [4 * 8 * STEP, 4 * STEP, 4 * 8 * STEP]:
            raise OSError(f"{name} decodes a wrong number of samples")
        try:
            state.decode(_BROKEN)
        except CodecError:
            return
        raise OSError(f"{name} decodes a malformed packet")


class OpusState:
    """A decoder of libopus. Its methods return interleaved 16-bit samples, and raise ``CodecError``."""

    def __init__(self, library: Libopus, channels: int) -> None:
        self._library = library
        self._state = library.new_state(channels)
        self._output = (ctypes.c_int16 * (MAX_SAMPLES * channels))()
        self._sample_size = 2 * channels

    def decode(self, packet: bytes) -> bytes:
        return self._call(packet, self._library.duration(packet), recover=False)

    def conceal(self, samples: int) -> bytes:
        """Return concealed audio of ``samples`` samples, a multiple of :data:`STEP`, at most :data:`MAX_SAMPLES`."""
        return self._call(None, samples, recover=False)

    def recover(self, follower: bytes, samples: int) -> bytes:
        """Return the last ``samples`` samples before a packet, from its in-band FEC as far as it reaches.

        The bounds of ``samples`` are those of :meth:`conceal`.
        """
        self._library.duration(follower)
        return self._call(follower, samples, recover=True)

    def _call(self, packet: bytes | None, samples: int, *, recover: bool) -> bytes:
        if not 0 < samples <= MAX_SAMPLES:
            raise CodecError(f"opus: samples must be 1 to {MAX_SAMPLES}, not {samples}")
        written = self._library.decode(self._state, packet, self._output, samples, recover)
        return bytes(memoryview(self._output).cast("B")[: written * self._sample_size])


@functools.cache
def find_libopus() -> Libopus | None:
    """Return libopus, ``None`` if it is not found."""
    return first_libopus(_candidates())


def first_libopus(names: Iterable[str]) -> Libopus | None:
    """Return the first of the named libraries that exists and passes the self-test, ``None`` without one."""
    for name in names:
        try:
            return Libopus(name)
        except OSError as error:
            logger.debug("library not used for Opus: %s", error)
    return None


def _candidates() -> Iterator[str]:
    """Yield possible names of libopus; PyAV's first, since it is already loaded."""
    # On most systems, a symbol is also searched in a module's dependencies: here libavcodec and its libopus.
    if av.codec.codec.__file__ is not None:
        yield av.codec.codec.__file__
    packages = Path(av.__file__).parent.parent
    for pattern in _BESIDE_PYAV:
        yield from (str(path) for path in sorted(packages.glob(pattern)))
    yield from _SONAMES
    # Last, since it starts other programs on Linux.
    found = ctypes.util.find_library("opus")
    if found is not None:
        yield found
