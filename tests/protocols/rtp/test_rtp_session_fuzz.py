"""Arbitrary packets of an authenticated peer, inside valid SRTP: no packet makes a session raise, spin or grow."""

import struct

import attrs
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.rtp_pair import (
    AUDIO,
    AUDIO_SSRC,
    COMFORT_NOISE,
    FEC_SSRC,
    FLEXFEC,
    OPUS,
    RED_AUDIO,
    RED_RTX,
    RED_VIDEO,
    RTX_SSRC,
    TELEPHONE_EVENT,
    ULPFEC,
    VIDEO,
    VIDEO_SSRC,
    VP8,
    VP8_RTX,
    audio_frame,
    audio_section,
    make_session,
    received,
    srtp_pair,
    video_frame,
    video_section,
    vp8_payload,
)
from trio_rtc.protocols.rtp import RtpOptions, RtpPacket, RtpSession
from trio_rtc.protocols.srtp import SrtpSession

SSRCS = (VIDEO_SSRC, RTX_SSRC, FEC_SSRC, AUDIO_SSRC, 1, 2, 3)
PAYLOAD_TYPES = (96, 97, 118, 119, 120, 35, 111, 63, 110, 13, 77)
NAMES = st.sampled_from([b"0", b"1", b"2", b"", b"\xff", b"q"])

packets = st.builds(
    RtpPacket,
    st.sampled_from(PAYLOAD_TYPES),
    st.integers(0, 60) | st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFFFFFF) | st.integers(0, 10**5),
    st.sampled_from(SSRCS),
    st.binary(max_size=60) | st.just(vp8_payload(1, 50, keyframe=True)),
    st.booleans(),
    st.just(()) | st.just((1, 2, 3)),
    st.lists(
        st.tuples(st.just(4), NAMES)
        | st.tuples(st.sampled_from([10, 11]), NAMES)
        | st.tuples(st.sampled_from([1, 2, 3]), st.binary(min_size=1, max_size=4)),
        max_size=4,
    ).map(tuple),
    st.sampled_from([0, 0, 0, 1, 200]),
)


def rtcp(kind: int, count: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    return struct.pack("!BBH", 0x80 | count, kind, len(body) // 4) + body


def _about(ssrcs: tuple[int, int], rest: bytes) -> bytes:
    return struct.pack("!II", *ssrcs) + rest


bodies = st.builds(_about, st.tuples(st.sampled_from(SSRCS), st.sampled_from(SSRCS)), st.binary(max_size=80))
reports = st.lists(
    st.builds(rtcp, st.integers(192, 223), st.integers(0, 31), bodies), min_size=1, max_size=3
).map(b"".join)


def both_ways(*, feedback: tuple[str, ...]) -> tuple[RtpSession, SrtpSession]:
    """Return a session that sends and receives everything, and the SRTP session of its peer."""
    options = RtpOptions(red_loss=0.0, fec_loss=0.0, max_streams=6, max_idle_sources=6)
    session = make_session(5, options)
    srtp, peer = srtp_pair()
    session.set_keys(peer, 10.0)
    codec = attrs.evolve(VP8, feedback=feedback)
    video = video_section(codec, VP8_RTX, RED_VIDEO, RED_RTX, ULPFEC, FLEXFEC, fec=True)
    audio = audio_section(OPUS, RED_AUDIO, TELEPHONE_EVENT, COMFORT_NOISE)
    session.set_sections([video, audio], [received(video), received(audio)], 10.0)
    for mid in (VIDEO, AUDIO):
        session.set_demand(mid, frames=True, packets=True)
    return session, srtp


def take(session: RtpSession, now: float) -> None:
    session.handle_timer(now)
    for datagram in session.datagrams_to_send(now):
        assert len(datagram) <= 1200
    session.events()
    assert session.next_timer() > now


FEEDBACK = st.sampled_from(
    [
        (
            "nack",
            "nack pli",
            "transport-cc",
        ),
        (
            "nack",
            "ccm fir",
            "goog-remb",
        ),
        (
            "nack",
            "nack pli",
            "ack ccfb",
        ),
        (),
    ]
)


@given(batch=st.lists(packets, max_size=30), feedback=FEEDBACK, step=st.floats(0, 0.5))
def test_any_packets(batch: list[RtpPacket], feedback: tuple[str, ...], step: float) -> None:
    session, srtp = both_ways(feedback=feedback)
    now = 10.0
    for packet in batch:
        try:
            protected = srtp.protect(packet.encode())
        except ValueError:
            continue  # libsrtp refuses to send numbers that are far behind.
        session.receive([protected], now)
        now += step
        take(session, now)
    assert len(list(session.receiver.streams)) <= 6
    assert session.srtp is not None
    assert len(session.srtp.inbound_sources) <= 6 + 6 + len(SSRCS)


@given(batch=st.lists(reports, max_size=20), feedback=FEEDBACK, step=st.floats(0, 0.5))
def test_any_reports(batch: list[bytes], feedback: tuple[str, ...], step: float) -> None:
    session, srtp = both_ways(feedback=feedback)
    now = 10.0
    for number, report in enumerate(batch):
        session.send_frame(VIDEO, video_frame(number, now), now)
        session.send_frame(AUDIO, audio_frame(number, now), now)
        take(session, now)
        session.receive([srtp.protect_rtcp(report)], now)
        now += step + 0.001
        take(session, now)
    assert session.bandwidth.available > 0


def test_a_few_bytes_of_feedback_cost_little() -> None:
    session, srtp = both_ways(feedback=("transport-cc",))
    session.send_frame(VIDEO, video_frame(0, 10.0), 10.0)
    take(session, 10.0)
    # 65,535 packets of which none was received, in nine chunks.
    chunks = struct.pack("!9H", *[0x1FFF] * 8, 7)
    body = _about((1, VIDEO_SSRC), struct.pack("!HHI", 1, 65535, 0) + chunks)
    for _ in range(50):
        session.receive([srtp.protect_rtcp(rtcp(205, 15, body))] * 20, 10.0)
    assert session.bandwidth.statistics().bytes_in_flight > 0
