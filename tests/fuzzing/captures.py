"""Seeds of the corpora: packets of real peers from tests/data, and packets between our own cores."""

import functools
from pathlib import Path

from tests.protocols.contract import Stage, make_fixture
from tests.protocols.test_contract import SUBJECTS
from tests.strategies.rtp_payloads import (
    CAPTURES,
    SAMPLES,
    load_captured_frames,
    load_sample,
    make_frame,
    make_packetizer,
)
from trio_rtc.protocols.dtls.record.codec import ContentType, parse_records
from trio_rtc.protocols.rtp import RtpPacket

DATA = Path(__file__).parents[1] / "data"
_FRAME_SIZE = 4000


def dtls_hellos() -> list[bytes]:
    """Return the datagrams of the browsers' ClientHellos."""
    files = sorted((DATA / "dtls").glob("*.hex"))
    return [bytes.fromhex(line) for path in files for line in path.read_text().split()]


def descriptions() -> list[str]:
    """Return the descriptions of browsers and servers, and known malformed ones."""
    return [path.read_bytes().decode() for folder in ("sdp", "sdp_field") for path in files(folder, "sdp")]


def files(folder: str, ending: str) -> list[Path]:
    """Return the files of a folder of tests/data."""
    return sorted((DATA / folder).glob(f"*.{ending}"))


def candidates() -> list[str]:
    """Return the candidate lines of all descriptions."""
    lines = [line for text in descriptions() for line in text.splitlines()]
    return sorted({line for line in lines if line.startswith("a=candidate:")})


@functools.cache
def frames(codec: str) -> tuple[tuple[bytes, ...], ...]:
    """Return the payloads of frames: captured from browsers, and packetized from encoded frames."""
    captured = [
        frame
        for name, encoding in CAPTURES.items()
        if encoding == codec
        for frame in load_captured_frames(name)[:6]
    ]
    packetized = [
        make_packetizer(codec).packetize(make_frame(frame, codec), 400)
        for name, encoding in SAMPLES.items()
        if encoding == codec
        for _, frame in load_sample(name)
    ]
    return tuple(tuple(frame) for frame in (*captured, *packetized) if sum(map(len, frame)) <= _FRAME_SIZE)


def rtp_packets() -> list[bytes]:
    """Return captured payloads in RTP packets."""
    return [
        RtpPacket(96, 1 + index, 3000 * index, 1000, frame[0], len(frame) == 1).encode()
        for codec in ("VP8", "VP9", "H264", "AV1", "opus")
        for index, frame in enumerate(frames(codec)[:4])
    ]


@functools.cache
def exchanged_packets(name: str) -> tuple[bytes, ...]:
    """Return the distinct packets that a core of the contract's tests has received and sent until it was busy.

    Args:
        name: The name of the ``Subject``.
    """
    subject = next(subject for subject in SUBJECTS if subject.name == name)
    fixture = make_fixture(subject, Stage.BUSY)
    return tuple(dict.fromkeys(subject.payload(packet) for packet in (*fixture.corpus, *fixture.sent)))


def handshake_messages() -> list[bytes]:
    """Return the handshake payloads of plaintext records: of the browsers' hellos and of a whole handshake."""
    datagrams = [*dtls_hellos(), *exchanged_packets("dtls client")]
    return [
        datagram[record.start : record.end]
        for datagram in datagrams
        for record in parse_records(datagram)
        if record.content_type == ContentType.HANDSHAKE and not record.epoch
    ]
