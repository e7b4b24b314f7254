"""The targets of all parsers of received bytes or text, and of the exchange of descriptions."""

import base64
import contextlib
import functools
import json
from collections.abc import Callable, Iterator

import trio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.strategies import rtp_pair
from tests.strategies.rtp_payloads import make_depacketizer
from tests.strategies.transceivers import MediaSide, media_session
from trio_rtc.errors import InvalidAccessError, ProtocolError, RTCError
from trio_rtc.identity import RTCIdentityProviderOptions, SignedIdentityProvider
from trio_rtc.jsep.identity import CarriedAssertion, Identity, contents_of, fingerprints_in
from trio_rtc.protocols import rtcp, sdp
from trio_rtc.protocols.datachannel import ChannelParameters
from trio_rtc.protocols.datachannel.messages import encode_open, parse_open
from trio_rtc.protocols.dtls import messages as handshake
from trio_rtc.protocols.dtls.alert import Alert
from trio_rtc.protocols.dtls.extensions import parse_number_list, parse_numbers, parse_use_srtp
from trio_rtc.protocols.dtls.reassembly import Reassembler, parse_fragments
from trio_rtc.protocols.dtls.record.codec import ContentType, parse_records
from trio_rtc.protocols.dtls.tls12 import messages as tls12
from trio_rtc.protocols.ice import Candidate
from trio_rtc.protocols.mdns import DnsMessage
from trio_rtc.protocols.rtp import RtpPacket
from trio_rtc.protocols.rtp.fec.decoder import FecDecoder
from trio_rtc.protocols.rtp.fec.fec_packet import FecPacket, MediaKey, media_bits
from trio_rtc.protocols.rtp.fec.flexfec import build_flexfec, parse_flexfec
from trio_rtc.protocols.rtp.fec.red import RedBlock, build_red, parse_red
from trio_rtc.protocols.rtp.fec.ulpfec import build_ulpfec, parse_ulpfec, unwrap_red
from trio_rtc.protocols.rtp.packet.extensions import SUPPORTED, ExtensionMap
from trio_rtc.protocols.rtp.payload import descriptor_rewriter, layer_reader, payload_duration
from trio_rtc.protocols.sctp.packet.causes import describe_causes
from trio_rtc.protocols.sctp.packet.chunks import Abort, Error, ReConfig, parse_chunk
from trio_rtc.protocols.sctp.packet.header import HEADER_SIZE, parse_header
from trio_rtc.protocols.sctp.packet.reconfiguration import parse_reconfiguration
from trio_rtc.protocols.stun import Message as StunMessage
from trio_rtc.protocols.stun import attributes as stun_attributes
from trio_rtc.signaling import messages as signaling
from trio_rtc.signaling.opening_handshake import HandshakeError, ResponseCheck

from . import captures
from .target import Target, parser, text_parser

_EXTENSIONS = ExtensionMap(dict(enumerate(SUPPORTED, 1)))
_SSRC = 1000
_STUN_VALUES: tuple[Callable[[bytes], object], ...] = (
    stun_attributes.decode_address,
    stun_attributes.decode_error_code,
    stun_attributes.decode_unknown_attributes,
    stun_attributes.decode_text,
    lambda value: stun_attributes.decode_integer(value, 4),
    lambda value: stun_attributes.xor_address(value, bytes(12)),
)
_HANDSHAKE_PARSERS: dict[int, Callable[[bytes], object]] = {
    handshake.HandshakeType.CLIENT_HELLO: handshake.ClientHello.parse,
    handshake.HandshakeType.SERVER_HELLO: handshake.ServerHello.parse,
    handshake.HandshakeType.HELLO_VERIFY_REQUEST: tls12.HelloVerifyRequest.parse,
    handshake.HandshakeType.CERTIFICATE: tls12.parse_certificates,
    handshake.HandshakeType.SERVER_KEY_EXCHANGE: tls12.ServerKeyExchange.parse,
    handshake.HandshakeType.CERTIFICATE_REQUEST: tls12.CertificateRequest.parse,
    handshake.HandshakeType.CERTIFICATE_VERIFY: tls12.CertificateVerify.parse,
    handshake.HandshakeType.CLIENT_KEY_EXCHANGE: tls12.parse_client_key_exchange,
}


def _parse_stun(data: bytes) -> None:
    message = StunMessage.parse(data)
    message.has_valid_integrity(b"key")
    message.unknown_required_attributes()
    for attribute in message.attributes:
        for decode in _STUN_VALUES:
            try:
                decode(attribute.value)
            except ProtocolError:
                continue


def _parse_dtls_records(data: bytes) -> None:
    for record in parse_records(data):
        payload = record.datagram[record.start : record.end]
        if record.content_type == ContentType.ALERT:
            assert Alert.parse(payload).name
        elif record.content_type == ContentType.HANDSHAKE:
            parse_fragments(payload)


def _parse_handshake(data: bytes) -> None:
    """Reassemble the fragments of a record, and parse complete messages."""
    reassembler = Reassembler(1 << 14, 1 << 16)
    for fragment in parse_fragments(data):
        reassembler.add_fragment(0, fragment)
        parse = _HANDSHAKE_PARSERS.get(fragment.message_type)
        if parse is not None:
            try:
                message = parse(fragment.data)
            except ProtocolError:
                continue
            for value in getattr(message, "extensions", {}).values():
                _parse_extension(value)
    while reassembler.pop_message(0) is not None:
        pass


def _parse_extension(value: bytes) -> None:
    for parse in (parse_numbers, parse_number_list, parse_use_srtp):
        try:
            parse(value)
        except ProtocolError:
            continue


def _parse_sctp(packet: bytes) -> None:
    parse_header(packet)
    offset = HEADER_SIZE
    while offset < len(packet):
        chunk, offset = parse_chunk(packet, offset)
        if isinstance(chunk, Error | Abort):
            describe_causes(chunk.causes)
        if isinstance(chunk, ReConfig):
            for parameter in chunk.parameters:
                parse_reconfiguration(parameter)


def _parse_rtp(data: bytes) -> None:
    packet = RtpPacket.parse(data, _EXTENSIONS)
    _EXTENSIONS.read(packet.extensions)
    assert RtpPacket.parse(packet.encode(), _EXTENSIONS).payload == packet.payload


def _parse_rtcp(data: bytes) -> None:
    for packet in rtcp.parse(data):
        # Unknown packets are kept without their padding, and then need not have whole words.
        if not isinstance(packet, rtcp.UnknownPacket):
            rtcp.parse(rtcp.encode([packet]))


def _recover(parse: Callable[[bytes], FecPacket], media: tuple[bytes, ...], data: bytes) -> None:
    """Recover packets with a repair packet, in a stream in which every second packet is lost."""
    decoder = FecDecoder()
    for packet in media[::2]:
        decoder.media_received(packet)
    for recovered in decoder.fec_received(parse(data)):
        try:
            RtpPacket.parse(recovered)
        except ProtocolError:
            continue


@functools.cache
def _media() -> tuple[bytes, ...]:
    return tuple(
        RtpPacket(96, number, 3000 * number, _SSRC, bytes([number]) * 20).encode() for number in range(8)
    )


def _row(*numbers: int) -> FecPacket:
    bits = functools.reduce(int.__xor__, (media_bits(_media()[number]) for number in numbers))
    return FecPacket([MediaKey(_SSRC, number) for number in numbers], bits, 20)


def _parse_ulpfec(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        unwrap_red(data)
    _recover(lambda payload: parse_ulpfec(payload, _SSRC), _media(), data)


def _depacketize(codec: str, data: bytes) -> None:
    """Assemble a frame from payloads, each prefixed by a two-byte length, and process each like a forwarder."""
    depacketizer, read, rewrite = make_depacketizer(codec), layer_reader(codec), descriptor_rewriter(codec)
    payloads = list(_split(data))
    for payload in payloads:
        if depacketizer.is_keyframe_start(payload):
            assert depacketizer.starts_frame(payload)
        payload_duration(codec, payload)
        try:
            if read is not None:
                read(payload)
            if rewrite is not None:
                assert len(rewrite(payload, picture_id=1, tl0=2)) == len(payload)
        except ProtocolError:
            continue
    if payloads:
        depacketizer.assemble(payloads)


def _split(data: bytes) -> Iterator[bytes]:
    while data:
        end = 2 + int.from_bytes(data[:2], "big")
        yield data[2:end]
        data = data[end:]


def _payload_seeds(codec: str) -> list[bytes]:
    # For the codec without a capture: the end of the digit 1 (RFC 4733 section 2.3).
    frames = captures.frames(codec) or ((bytes([1, 0x8A, 1, 0x40]),),)
    return [b"".join(len(payload).to_bytes(2, "big") + payload for payload in frame) for frame in frames]


def _payload(codec: str, module: str) -> Target:
    return parser(
        f"payload-{codec.lower()}",
        functools.partial(_depacketize, codec),
        functools.partial(_payload_seeds, codec),
        f"protocols.rtp.payload.{module}",
        max_length=4096,
    )


def _unprotect(data: bytes) -> None:
    """Unprotect a packet as it is, and then an authentic one."""
    ours, theirs = rtp_pair.srtp_pair()
    ours.unprotect(data)
    ours.unprotect_rtcp(data)
    for protect, unprotect in ((theirs.protect, ours.unprotect), (theirs.protect_rtcp, ours.unprotect_rtcp)):
        try:
            sealed = protect(data)
        except ValueError:  # neither RTP nor RTCP, an error of the sender only
            continue
        assert unprotect(sealed) in (data, None)


def _parse_description(text: str) -> None:
    description = sdp.parse(text)
    sdp.groups(description, "BUNDLE")
    for index, media in enumerate(description.media):
        for read in (sdp.transport_attributes, sdp.rtp_attributes):
            read(description, index)
        sdp.application_attributes(media)
        sdp.media_mid(media)
        sdp.is_bundle_only(media)
    assert sdp.parse(sdp.write(description)) == description


def _answer(text: str) -> None:
    """Apply an offer, and answer it."""
    session, side = media_session(), MediaSide("answ")
    side.update_transceivers(session.apply_remote("offer", text, side.transceivers))
    session.create_answer(side.media())
    side.update_transceivers(session.apply_local("answer"))


def _parse_candidate(text: str) -> None:
    candidate = Candidate.parse(text)
    assert Candidate.parse(candidate.to_sdp()) == candidate


def _parse_identity(text: str) -> None:
    """Parse a text as a=identity, as the contents of an assertion, as an identity and as a signed assertion."""
    provider = SignedIdentityProvider("example.org", keys={}, wall_clock=lambda: 0.0)
    for parse in (
        lambda: CarriedAssertion.parse(text, 1 << 14),
        lambda: fingerprints_in(text),
        lambda: Identity.parse(text),
        lambda: trio.run(provider.validate_assertion, text, "null"),
    ):
        try:
            parse()
        except (ProtocolError, RTCError):
            continue


def _identity_seeds() -> list[str]:
    key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    contents = contents_of([("sha-256", "AB:CD")])
    provider = SignedIdentityProvider(
        "example.org", keys={}, identity="alice@example.org", signing_key=key, wall_clock=lambda: 0.0
    )
    options = RTCIdentityProviderOptions()
    signed = trio.run(provider.generate_assertion, contents, "null", options).assertion
    carried = CarriedAssertion("example.org", "default", signed)
    return [carried.to_value(), contents, "user%40one@example.org", signed]


def _parse_signaling(text: str) -> None:
    for parse in (signaling.parse_client_message, signaling.parse_server_message):
        try:
            parse(text)
        except ProtocolError:
            continue


def _signaling_seeds() -> list[str]:
    description = {"type": "offer", "sdp": captures.descriptions()[0][:200]}
    return [
        json.dumps({"data": description, "to": "1"}),
        json.dumps({"type": "welcome", "id": "1", "members": ["2"]}),
        json.dumps({"type": "joined", "id": "1"}),
        json.dumps({"type": "left", "id": "1"}),
        json.dumps({"type": "message", "from": "1", "data": description}),
    ]


def _receive_handshake(data: bytes) -> None:
    key = base64.b64encode(bytes(16))
    ResponseCheck.of_request(b"GET / HTTP/1.1\r\nSec-WebSocket-Key: " + key + b"\r\n\r\n").receive(data)


def _handshake_seeds() -> list[bytes]:
    accepted = (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n"
    )
    return [accepted, b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"]


def _red_seeds() -> list[bytes]:
    payload = captures.frames("opus")[0][0]
    return [build_red([RedBlock(960, 111, payload)], 111, payload), build_red([], 111, payload)]


def _rtcp_seeds() -> list[bytes]:
    block = rtcp.ReportBlock(_SSRC, 1, 2, 3, 4, 5, 6)
    compounds: tuple[list[rtcp.RtcpPacket], ...] = (
        [rtcp.SenderReport(1, 2, 3, 4, 5, (block,)), rtcp.Bye((1,), b"bye")],
        [rtcp.ReceiverReport(1, (block,)), rtcp.PictureLossIndication(1, _SSRC)],
        [rtcp.GenericNack(1, _SSRC, ((5, 0x101),)), rtcp.FullIntraRequest(1, ((_SSRC, 1),))],
        [rtcp.SourceDescription((rtcp.SourceDescriptionChunk(1, ((1, b"name"),)),))],
        [rtcp.ReceiverEstimatedMaximumBitrate(1, 1 << 20, (_SSRC,))],
    )
    # Transport-wide feedback (draft-holmer, section 3.1) and an extended report (RFC 3611) with DLRR and RRTR.
    raw = (
        "8fcd0005 00000001 000003e8 00010003 00000000 b8000004",
        "80cf0007 00000001 05000003 000003e8 00000001 00000002 04000002 0000000100000002",
        "8bcd0005 00000001 000003e8 00010002 81028103 00000001",
    )
    return [*map(rtcp.encode, compounds), *map(bytes.fromhex, raw)]


PARSERS: tuple[Target, ...] = (
    parser(
        "stun",
        _parse_stun,
        lambda: captures.exchanged_packets("ice controlling"),
        *("protocols.stun.message", "protocols.stun.attributes"),
    ),
    parser(
        "dtls-records",
        _parse_dtls_records,
        lambda: [*captures.dtls_hellos(), *captures.exchanged_packets("dtls client")],
        *("protocols.dtls.record.codec", "protocols.dtls.alert"),
    ),
    parser(
        "dtls-handshake",
        _parse_handshake,
        captures.handshake_messages,
        *("protocols.dtls.messages", "protocols.dtls.tls12.messages"),
        *("protocols.dtls.extensions", "protocols.dtls.reassembly"),
        max_length=4096,
    ),
    parser(
        "sctp-packets",
        _parse_sctp,
        lambda: captures.exchanged_packets("sctp listening"),
        "protocols.sctp.packet",
    ),
    parser(
        "dcep",
        parse_open,
        lambda: [encode_open(ChannelParameters("label", "protocol", ordered=False, max_retransmits=3))],
        "protocols.datachannel.messages",
    ),
    parser(
        "rtp",
        _parse_rtp,
        captures.rtp_packets,
        "protocols.rtp.packet.packet",
        "protocols.rtp.packet.extensions",
    ),
    parser("rtcp", _parse_rtcp, _rtcp_seeds, "protocols.rtcp"),
    parser("red", parse_red, _red_seeds, "protocols.rtp.fec.red"),
    parser(
        "ulpfec",
        _parse_ulpfec,
        lambda: [build_ulpfec(_row(0, 1)), build_ulpfec(_row(2, 3, 4))],
        *("protocols.rtp.fec.ulpfec", "protocols.rtp.fec.decoder"),
    ),
    parser(
        "flexfec",
        lambda data: _recover(parse_flexfec, _media(), data),
        lambda: [build_flexfec(_row(0, 1)), build_flexfec(_row(2, 3, 4))],
        *("protocols.rtp.fec.flexfec", "protocols.rtp.fec.decoder"),
    ),
    _payload("VP8", "vp8"),
    _payload("VP9", "vp9"),
    _payload("H264", "h264"),
    _payload("H265", "h265"),
    _payload("AV1", "av1"),
    _payload("opus", "opus"),
    _payload("telephone-event", "telephone_event"),
    parser("srtp", _unprotect, lambda: [*captures.rtp_packets(), *_rtcp_seeds()], "protocols.srtp"),
    text_parser("sdp", _parse_description, captures.descriptions, "protocols.sdp"),
    text_parser(
        "offers",
        _answer,
        captures.descriptions,
        "jsep",
        documented=(InvalidAccessError, RTCError),
    ),
    text_parser("candidate", _parse_candidate, captures.candidates, "protocols.ice.candidate"),
    parser(
        "mdns",
        DnsMessage.parse,
        lambda: [*captures.exchanged_packets("mdns resolver"), *captures.exchanged_packets("mdns responder")],
        "protocols.mdns.message",
    ),
    text_parser(
        "identity",
        _parse_identity,
        _identity_seeds,
        *("jsep.identity.assertion", "jsep.identity.names", "identity.signed_assertions"),
    ),
    text_parser("signaling", _parse_signaling, _signaling_seeds, "signaling.messages"),
    parser(
        "websocket-handshake",
        _receive_handshake,
        _handshake_seeds,
        "signaling.opening_handshake",
        documented=(HandshakeError,),
    ),
)
