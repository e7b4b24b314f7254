"""Public constructors and functions raise a one-sentence error for a wrong type: argument, value, expected type."""

import enum
import functools
import inspect
import math
import subprocess
import sys
import types
from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
import pytest

import trio_rtc
from trio_rtc import (
    Address,
    EncodedFrame,
    InterfaceAddress,
    InvalidModificationError,
    MediaStream,
    MediaTrackCapabilities,
    OpusParameters,
    RTCConfiguration,
    RTCIceCandidate,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpEncodingParameters,
    RTCSessionDescription,
    RtpPacket,
    SessionOptions,
    Settings,
    SystemNetwork,
    codecs,
    media,
    open_media_track,
    signaling,
    testing,
)
from trio_rtc._strict_names.argument_types import expected_types
from trio_rtc.protocols.rtp.packet.extensions import VIDEO_ORIENTATION, ExtensionMap
from trio_rtc.tracks.frame_source import apply_transform

MODULES: tuple[types.ModuleType, ...] = (trio_rtc, testing, media, codecs, signaling)
CHECKED_WHERE_PASSED = {"Address", "EncodedFrame", "RtpPacket"}
"""Classes of which each packet or frame makes an object: the methods that receive them check the fields."""
ONLY_RECEIVED = {
    "Concealment": "an RTP session's event for audio playout",
    "Packet": "passed to filters, and in the trace; a filter changes its data by returning Replace",
    "ReceivedTelephoneEvent": "received from RTCRtpReceiver.telephone_events()",
    "TraceEntry": "received by iterating over a Trace",
}
"""Classes whose objects no public method receives from an application."""
FOR_EACH_PACKET = {*CHECKED_WHERE_PASSED, *ONLY_RECEIVED}
ANYTHING = {
    "target",
    "args",
    "self",
    "carrier",
    "video_decoder",
    *inspect.signature(MediaTrackCapabilities).parameters,
}
"""Arguments of any type, or checked elsewhere."""


class Wrong:
    def __repr__(self) -> str:
        return "<a wrong object>"


def public_callables() -> dict[str, Callable[..., Any]]:
    found: dict[str, Callable[..., Any]] = {}
    for module in MODULES:
        for name in module.__all__:
            public = getattr(module, name)
            is_class = isinstance(public, type) and not issubclass(public, BaseException | enum.Enum)
            if (is_class and not getattr(public, "_is_protocol", False)) or inspect.isfunction(public):
                found[f"{module.__name__}.{name}"] = public
    return found


CALLABLES = public_callables()


def arguments_of(public: Callable[..., Any]) -> list[str]:
    function = public.__init__ if isinstance(public, type) else public  # type: ignore[misc]
    parameters = inspect.signature(function).parameters.values()
    names = [
        parameter.name
        for parameter in parameters
        if parameter.kind not in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}
        and parameter.name != "self"
    ]
    checked = expected_types(inspect.unwrap(function) if isinstance(public, type) else function, names)
    return [name for name in names if name in checked]


ARGUMENTS = [
    (name, argument)
    for name, public in CALLABLES.items()
    if name.rpartition(".")[2] not in FOR_EACH_PACKET
    for argument in arguments_of(public)
]


@pytest.mark.parametrize(("name", "argument"), ARGUMENTS, ids=[".".join(each) for each in ARGUMENTS])
async def test_a_wrong_type_raises_one_sentence(name: str, argument: str) -> None:
    async def call() -> None:
        result = CALLABLES[name](**{argument: Wrong()})
        if inspect.isawaitable(result):
            await result

    expected = rf"^\w+\(\) argument '{argument}' must be .+, not <a wrong object>$"
    with pytest.raises(TypeError, match=expected):
        await call()


def test_all_arguments_are_covered() -> None:
    assert len(ARGUMENTS) > 500
    forgotten = set()
    for name, public in CALLABLES.items():
        if name.rpartition(".")[2] in FOR_EACH_PACKET:
            continue
        function = public.__init__ if isinstance(public, type) else public  # type: ignore[misc]
        if not inspect.isfunction(function):
            continue
        checked = set(arguments_of(public))
        for parameter in inspect.signature(function).parameters:
            if parameter not in checked and parameter not in ANYTHING:
                forgotten.add(f"{name}.{parameter}")
    assert forgotten == set()


WRONG = Wrong()


async def send_frame(**wrong: Any) -> None:
    source, _ = open_media_track("video")
    await source.send(attrs.evolve(EncodedFrame(b"x", 0, 90_000, "VP8"), **wrong))


async def transform_frame(**wrong: Any) -> None:
    async def transform(frame: EncodedFrame) -> EncodedFrame:
        return attrs.evolve(frame, **wrong)

    await apply_transform(transform, EncodedFrame(b"x", 0, 90_000, "VP8"), "transform")


async def send_rtp(**wrong: Any) -> None:
    right = RtpPacket(96, 1, 1, 1, b"x", csrcs=(1,), extension_map=ExtensionMap({3: VIDEO_ORIENTATION}))
    packets = [right, attrs.evolve(right, **wrong)]
    await RTCPeerConnection().add_transceiver("video").sender.send_rtp(*packets)


async def send_datagram(**wrong: Any) -> None:
    network = testing.SimulatedNetwork()
    host = network.add_host("alice", ["10.0.0.1"])
    async with network:
        socket = await host.bind_udp(host.interface_addresses()[0])
        try:
            await socket.send_batch([b"x"], Address("10.0.0.2", 9)._replace(**wrong))
        finally:
            socket.close()


async def open_simulated_multicast(**wrong: Any) -> None:
    host = testing.SimulatedNetwork().add_host("alice", ["10.0.0.1"])
    await host.open_multicast(host.interface_addresses()[0], Address("224.0.0.251", 5353)._replace(**wrong))


async def open_multicast(**wrong: Any) -> None:
    network = SystemNetwork()
    interface = InterfaceAddress("lo", "127.0.0.1")
    await network.open_multicast(interface, Address("224.0.0.251", 5353)._replace(**wrong))


async def find_inside_address(**wrong: Any) -> None:
    nat = testing.SimulatedNetwork().add_nat("nat", kind=testing.NatKind.FULL_CONE, public="192.0.2.1")
    nat.inside_address(Address("192.0.2.1", 9)._replace(**wrong))


async def answer_request(**wrong: Any) -> None:
    testing.answer_binding_request(b"", Address("192.0.2.1", 9)._replace(**wrong), Address("192.0.2.2", 9))


FIELDS = [
    (cls, use, field)
    for cls, use in [
        (EncodedFrame, send_frame),
        (EncodedFrame, transform_frame),
        (RtpPacket, send_rtp),
        (Address, send_datagram),
        (Address, open_simulated_multicast),
        (Address, open_multicast),
        (Address, find_inside_address),
        (Address, answer_request),
    ]
    for field in inspect.signature(cls).parameters
]


@pytest.mark.parametrize(
    ("cls", "use", "field"), FIELDS, ids=[f"{use.__name__}.{field}" for _, use, field in FIELDS]
)
async def test_a_wrong_field_raises_one_sentence_where_the_object_is_passed(
    cls: type, use: Callable[..., Any], field: str
) -> None:
    message = f"^{cls.__name__}.{field} must be .+, not <a wrong object>"
    with pytest.raises((TypeError, ValueError), match=message) as raised:
        await use(**{field: WRONG})
    # A codec is one of several, and so is its clock rate.
    of_codec = use is send_frame and field in {"codec", "clock_rate"}
    assert raised.type is (ValueError if of_codec else TypeError)


def test_an_object_that_is_no_address_is_shown() -> None:
    nat = testing.SimulatedNetwork().add_nat("nat", kind=testing.NatKind.FULL_CONE, public="192.0.2.1")
    with pytest.raises(TypeError, match=r"^expected an Address, not '192\.0\.2\.1'$"):
        nat.inside_address("192.0.2.1")  # type: ignore[arg-type]


def test_every_class_made_for_each_packet_is_listed() -> None:
    """Every class that the constructors' test leaves out exists, and is checked elsewhere or only received."""
    assert {cls.__name__ for cls, _, _ in FIELDS} == CHECKED_WHERE_PASSED
    names = {name.rpartition(".")[2] for name in CALLABLES}
    assert names >= FOR_EACH_PACKET


@pytest.mark.parametrize(
    ("use", "wrong", "message"),
    [
        (send_rtp, {"payload_type": 128}, r"RtpPacket.payload_type must be an int from 0 to 127, not 128$"),
        (
            send_rtp,
            {"sequence_number": -1},
            r"RtpPacket.sequence_number must be an int from 0 to 65535, not -1$",
        ),
        (send_rtp, {"timestamp": 1 << 32}, r"RtpPacket.timestamp must be an int from 0 to 4294967295, not 4"),
        (send_rtp, {"ssrc": -1}, r"RtpPacket.ssrc must be an int from 0 to 4294967295, not -1$"),
        (send_rtp, {"padding_size": 256}, r"RtpPacket.padding_size must be an int from 0 to 255, not 256$"),
        (
            send_rtp,
            {"csrcs": (1 << 32,)},
            r"RtpPacket.csrcs must be at most 15 ints from 0 to 4294967295, not \(4",
        ),
        (
            send_rtp,
            {"csrcs": (-1,)},
            r"RtpPacket.csrcs must be at most 15 ints from 0 to 4294967295, not \(-1,\)$",
        ),
        (send_rtp, {"csrcs": (1,) * 16}, r"RtpPacket.csrcs must be at most 15 ints .*, not \(1, 1, "),
        (
            send_frame,
            {"audio_level": 128},
            r"EncodedFrame.audio_level must be an int from 0 to 127, not 128$",
        ),
        (send_frame, {"capture_time": math.inf}, r"EncodedFrame.capture_time must be a number of seconds"),
        (
            send_frame,
            {"contributing_sources": (1,) * 16},
            r"EncodedFrame.contributing_sources must be at most 15 ",
        ),
        (
            send_frame,
            {"contributing_sources": (-1,)},
            r"EncodedFrame.contributing_sources must be .*, not \(-1,\)$",
        ),
    ],
)
async def test_a_field_out_of_range_raises_one_sentence_where_the_object_is_passed(
    use: Callable[..., Any], wrong: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        await use(**wrong)


@pytest.mark.parametrize(
    ("use", "wrong", "message"),
    [
        (send_rtp, {"payload": "text"}, r"RtpPacket.payload must be bytes, not 'text'$"),
        (send_rtp, {"csrcs": None}, r"RtpPacket.csrcs must be a sequence of int, not None$"),
        (send_rtp, {"csrcs": ("a",)}, r"RtpPacket.csrcs must be a sequence of int, not \('a',\)$"),
        (
            send_rtp,
            {"extensions": ((3, "x"),)},
            r"RtpPacket.extensions must be a sequence of tuple \(int, bytes\), ",
        ),
        (
            send_rtp,
            {"extensions": ((3,),)},
            r"RtpPacket.extensions must be a sequence of tuple \(int, bytes\), ",
        ),
        (
            send_frame,
            {"payload": bytearray(b"x")},
            r"EncodedFrame.payload must be bytes, not bytearray\(b'x'\)$",
        ),
        (
            send_frame,
            {"contributing_sources": ("a",)},
            r"contributing_sources must be a sequence of int, not \('a'",
        ),
    ],
)
async def test_a_wrong_type_is_shown_where_the_object_is_passed(
    use: Callable[..., Any], wrong: dict[str, Any], message: str
) -> None:
    # Fields of the same types that were right before must not hide it.
    await send_frame(contributing_sources=(1,))
    with pytest.raises(TypeError, match=message):
        await use(**wrong)


@pytest.mark.parametrize(
    ("use", "right"),
    [
        (send_rtp, {"extensions": [(3, b"x")], "csrcs": [1] * 15}),
        (
            send_rtp,
            {"payload_type": 127, "sequence_number": 0xFFFF, "timestamp": 0xFFFFFFFF, "ssrc": 0xFFFFFFFF},
        ),
        (send_rtp, {"payload_type": np.int64(96), "marker": 1, "padding_size": 255, "extension_map": None}),
        (send_frame, {"contributing_sources": [0xFFFFFFFF] * 15, "audio_level": 127, "capture_time": 1}),
        (send_frame, {"width": np.int64(640), "keyframe": 1, "rid": "h", "received_at": 0.5}),
    ],
)
async def test_right_fields_are_accepted(use: Callable[..., Any], right: dict[str, Any]) -> None:
    await use(**right)


CHOICES = [
    (public, attribute.name)
    for public in CALLABLES.values()
    if isinstance(public, type) and attrs.has(public)
    for attribute in attrs.fields(public)
    if attribute.init and attribute.validator is not None
]
"""Fields of public classes with a validator."""

CASES: list[tuple[Callable[[], object], str]] = [
    (
        lambda: RTCConfiguration(ice_servers=["stun:x"]),  # type: ignore[list-item]
        r"RTCConfiguration\(\) argument 'ice_servers' must be a sequence of RTCIceServer, not \['stun:x'\]",
    ),
    (
        lambda: RTCIceServer(5),  # type: ignore[arg-type]
        r"RTCIceServer\(\) argument 'urls' must be a str or a sequence of str, not 5",
    ),
    (
        lambda: RTCSessionDescription.from_json("text"),  # type: ignore[arg-type]
        r"SessionDescription\.from_json\(\) takes the dictionary that toJSON\(\) returns, not 'text'; use json\.loads",
    ),
    (
        lambda: RTCIceCandidate.from_json("text"),  # type: ignore[arg-type]
        r"RTCIceCandidate\.from_json\(\) takes the dictionary that toJSON\(\) returns, not 'text'; use json\.loads",
    ),
    (
        lambda: RTCSessionDescription.from_json({"sdp": "v=0"}),
        r"must have a 'type'; there is none in {'sdp': 'v=0'}",
    ),
    (
        lambda: RTCPeerConnection({"iceServers": []}),  # type: ignore[arg-type]
        r"RTCPeerConnection\(\) argument 'configuration' must be an RTCConfiguration or None, not {'iceServers': \[\]}",
    ),
    (
        lambda: RTCPeerConnection().create_data_channel(5),  # type: ignore[arg-type]
        r"create_data_channel\(\) argument 'label' must be a str, not 5",
    ),
    (
        lambda: RTCPeerConnection().create_data_channel("x", max_retransmits="1"),  # type: ignore[arg-type]
        r"argument 'max_retransmits' must be an int or None, not '1'",
    ),
    (
        lambda: RTCPeerConnection().add_transceiver(5),  # type: ignore[arg-type]
        r"argument 'track_or_kind' must be a MediaStreamTrack or a str, not 5",
    ),
    (
        lambda: Settings(network="eth0"),  # type: ignore[arg-type]
        r"Settings\(\) argument 'network' must be a Network or None, not 'eth0'",
    ),
    (
        lambda: Settings(port_range=(1, "2")),  # type: ignore[arg-type]
        r"argument 'port_range' must be a tuple \(int, int\) or None, not \(1, '2'\)",
    ),
    (
        lambda: Settings(video_decoder=5),  # type: ignore[arg-type]
        r"argument 'video_decoder' must be a VideoDecoderOptions or None, not 5",
    ),
    (
        lambda: RTCRtpEncodingParameters(priority="urgent"),  # type: ignore[arg-type]
        r"argument 'priority' must be 'high' or 'low' or 'medium' or 'very-low', not 'urgent'",
    ),
    (
        lambda: MediaStream(open_media_track("audio")[1]),  # type: ignore[arg-type]
        r"argument 'tracks' must be a sequence of MediaStreamTrack or a MediaStream, not <.*MediaStreamTrack",
    ),
]


OUT_OF_RANGE: list[tuple[Callable[[], object], type[Exception], str]] = [
    (
        lambda: OpusParameters(ptime=7),
        ValueError,
        r"OpusParameters\(\) argument 'ptime' must be one of 5, 10, 20, 40, 60, 80, 100, 120 or None, not 7$",
    ),
    (
        lambda: OpusParameters(stereo=1),  # type: ignore[arg-type]
        TypeError,
        r"OpusParameters\(\) argument 'stereo' must be a bool, not 1$",
    ),
    (
        lambda: OpusParameters(max_playback_rate=1),
        ValueError,
        r"OpusParameters\(\) argument 'max_playback_rate' must be one of 8000, .*, 48000 or None, not 1$",
    ),
    (
        lambda: attrs.evolve(OpusParameters(), min_ptime=7),
        ValueError,
        r"OpusParameters\(\) argument 'min_ptime' must be one of 5, 10, 20, 40, 60, 80, 100, 120, not 7$",
    ),
    (
        lambda: codecs.AudioEncoderOptions(channels=3),
        ValueError,
        r"AudioEncoderOptions\(\) argument 'channels' must be one of 1, 2, not 3$",
    ),
    (
        lambda: codecs.VideoEncoderOptions(hardware="always"),  # type: ignore[arg-type]
        ValueError,
        r"VideoEncoderOptions\(\) argument 'hardware' must be one of 'never', 'prefer', 'require', not 'always'$",
    ),
    (
        lambda: SessionOptions(answer_setup="actpass"),  # type: ignore[arg-type]
        ValueError,
        r"SessionOptions\(\) argument 'answer_setup' must be one of 'active', 'passive', not 'actpass'$",
    ),
    (
        lambda: Settings(port_range=(6000, 5000)),
        ValueError,
        r"port_range must be \(first, last\) with 1 <= first <= last <= 65535, not \(6000, 5000\)$",
    ),
    (
        lambda: RTCConfiguration(ice_candidate_pool_size=256),
        TypeError,
        r"ice_candidate_pool_size must be an int from 0 to 255, not 256$",
    ),
    (
        lambda: RTCIceCandidate("", sdp_m_line_index=-1),
        TypeError,
        r"sdp_m_line_index must be an int from 0 to 65535, not -1$",
    ),
    (
        lambda: RTCPeerConnection().add_transceiver(
            "video", send_encodings=[RTCRtpEncodingParameters(max_bitrate=-1)]
        ),
        ValueError,
        r"max_bitrate must be an int from 0 to 4294967295, not -1$",
    ),
    (
        lambda: RTCPeerConnection().add_transceiver(
            "video", send_encodings=[RTCRtpEncodingParameters(rid="a"), RTCRtpEncodingParameters(rid="a")]
        ),
        TypeError,
        r"each encoding must have a rid of its own, not \['a', 'a'\]$",
    ),
    (
        lambda: RTCPeerConnection().add_transceiver("audio").set_header_extensions_to_negotiate([]),
        InvalidModificationError,
        r"must have the URIs of get_header_extensions_to_negotiate\(\) .*; missing: \['urn:.*, unknown: \[\]$",
    ),
    (
        lambda: RTCPeerConnection().add_transceiver("audio", direction="stopped"),
        TypeError,
        r"direction must be 'sendrecv', 'sendonly', 'recvonly' or 'inactive', not 'stopped'$",
    ),
    (
        lambda: setattr(RTCPeerConnection().add_transceiver("audio"), "direction", "stopped"),
        TypeError,
        r"direction must be .* not 'stopped'; call stop\(\)$",
    ),
    (
        lambda: media.draw_pattern(0, 31, 24),
        ValueError,
        r"width and height must be even, and at least 32 and 24, not 31 and 24$",
    ),
    (
        lambda: RTCPeerConnection().create_data_channel("x", max_retransmits=-1),
        TypeError,
        r"create_data_channel\(\) argument 'max_retransmits' must be an int from 0 to 65535 or None, not -1$",
    ),
    (
        lambda: RTCPeerConnection().create_data_channel("x", id=70_000),
        TypeError,
        r"argument 'id' must be an int from 0 to 65535 or None, not 70000$",
    ),
    (
        lambda: RTCPeerConnection().create_data_channel("x", negotiated=True),
        TypeError,
        r"argument 'id' must be an int from 0 to 65534 if negotiated, not None$",
    ),
    (
        lambda: RTCPeerConnection().create_data_channel("x", max_retransmits=1, max_packet_life_time=2),
        TypeError,
        r"takes max_retransmits \(1\) or max_packet_life_time \(2\), not both$",
    ),
    (
        lambda: RTCPeerConnection().create_data_channel("x" * 65_536),
        TypeError,
        r"argument 'label' must be a str of at most 65535 bytes, not 'xxx",
    ),
]


@pytest.mark.parametrize(("make", "error", "message"), OUT_OF_RANGE)
def test_values_out_of_range_raise_one_sentence(
    make: Callable[[], object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as raised:
        make()
    assert len(raised.value.args) == 1


@pytest.mark.parametrize("field", CHOICES, ids=[f"{cls.__name__}.{name}" for cls, name in CHOICES])
def test_validators_of_attrs_raise_a_sentence(field: tuple[type, str]) -> None:
    cls, name = field
    for wrong in (Wrong(), -1, 1, "wrong"):
        error = error_of(lambda wrong=wrong: cls(**{name: wrong}))  # type: ignore[misc]
        assert error is None or len(error.args) == 1


def error_of(make: Callable[[], object]) -> Exception | None:
    try:
        make()
    except (TypeError, ValueError, trio_rtc.SyntaxError) as error:
        return error
    return None


@pytest.mark.parametrize(("make", "message"), CASES)
def test_messages_name_the_expected_value(make: Callable[[], object], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        make()


def test_right_types_are_accepted() -> None:
    Settings(close_timeout=1, port_range=[5000, 6000])  # type: ignore[arg-type]
    RTCConfiguration([RTCIceServer(["stun:192.0.2.1"])], bundle_policy="max-bundle")
    RTCRtpEncodingParameters(priority="low", max_framerate=30)  # type: ignore[arg-type]
    MediaStream(track for track in [open_media_track("audio")[1]])


def test_the_package_is_the_command() -> None:
    run = functools.partial(subprocess.run, capture_output=True, text=True, timeout=120, check=False)
    shown = run([sys.executable, "-m", "trio_rtc", "--help"])
    assert shown.returncode == 0
    assert "demo" in shown.stdout
    hide = "import sys; sys.modules['click'] = None; import runpy; runpy.run_module('trio_rtc', run_name='__main__')"
    refused = run([sys.executable, "-c", hide])
    assert refused.returncode == 1
    assert refused.stderr.strip() == 'trio-rtc requires click: python -m pip install "trio-rtc[cli]"'


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (
            lambda pc, _: pc.add_track("x"),
            r"add_track\(\) argument 'track' must be a MediaStreamTrack, not 'x'",
        ),
        (
            lambda pc, _: pc.add_track(open_media_track("audio")[1], "s"),
            r"add_track\(\) argument 'streams' must be a MediaStream, not 's'",
        ),
        (lambda pc, _: pc.remove_track("x"), r"argument 'sender' must be an RTCRtpSender, not 'x'"),
        (
            lambda pc, _: pc.set_configuration({}),
            r"'configuration' must be an RTCConfiguration or None, not {}",
        ),
        (
            lambda pc, _: pc.set_remote_description("v=0"),
            r"'description' must be an RTCSessionDescription or a mapping, not 'v=0'",
        ),
        (
            lambda pc, _: pc.add_ice_candidate("c"),
            r"must be an RTCIceCandidate or a mapping or None, not 'c'",
        ),
        (
            lambda pc, _: pc.generate_certificate(5),
            r"'key_generation_algorithm' must be a str or a mapping, not 5",
        ),
        (lambda pc, _: pc.add_event_listener("track", 5), r"argument 'handler' must be a function, not 5"),
        (lambda pc, _: setattr(pc, "on_track", 5), "on_track must be a function or None, not 5"),
        (lambda _, tr: tr.sender.replace_track("x"), r"'track' must be a MediaStreamTrack or None, not 'x'"),
        (lambda _, tr: tr.sender.set_parameters({}), r"'parameters' must be an RTCRtpSendParameters, not {}"),
        (
            lambda _, tr: tr.sender.dtmf.insert_dtmf(5),
            r"insert_dtmf\(\) argument 'tones' must be a str, not 5",
        ),
        (
            lambda _, tr: tr.set_codec_preferences(["opus"]),
            r"must be a sequence of RTCRtpCodec, not \['opus'\]",
        ),
        (
            lambda _, tr: setattr(tr.receiver, "jitter_buffer_target", "x"),
            r"RTCRtpReceiver\.jitter_buffer_target must be a number or None, not 'x'",
        ),
        (
            lambda pc, _: pc.create_data_channel("x").send(5),
            r"argument 'data' must be a str or a bytes-like object, not 5$",
        ),
        (
            lambda pc, _: pc.create_data_channel("x").send_nowait(["text"]),
            r"argument 'data' must be a str or a bytes-like object, not \['text'\]$",
        ),
        (
            lambda pc, _: pc.create_offer({"iceRestart": True}),
            r"create_offer\(\) takes its options as keyword arguments, ice_restart=True, not as {'iceRestart': True}$",
        ),
        (
            lambda pc, _: pc.create_offer(print, print, {"iceRestart": True}),
            r"create_offer\(\) takes its options as keyword arguments, ice_restart=True, not as {'iceRestart': True}$",
        ),
        (
            lambda pc, _: pc.create_offer({"restart": True}),
            r"argument 'success_callback' must be a function or None, not {'restart': True}$",
        ),
        (
            lambda pc, _: pc.create_offer(print, print, {"restart": True}),
            r"as keyword arguments, ice_restart=\.\.\., offer_to_receive_audio=.*, not as {'restart': True}$",
        ),
        (
            lambda pc, _: pc.create_data_channel("x", {"maxRetransmits": 1}),
            r"takes its options as keyword arguments, max_retransmits=1, not as {'maxRetransmits': 1}$",
        ),
        (
            lambda pc, _: pc.add_transceiver("audio", {"direction": "recvonly"}),
            r"takes its options as keyword arguments, direction='recvonly', not as {'direction': 'recvonly'}$",
        ),
        (
            lambda _, tr: tr.receiver.track.apply_constraints(5),
            r"'constraints' must be a mapping or None, not 5",
        ),
    ],
)
async def test_methods_reject_a_wrong_type(use: Callable[[Any, Any], object], message: str) -> None:
    pc = RTCPeerConnection()
    transceiver = pc.add_transceiver("audio")

    async def call() -> None:
        result = use(pc, transceiver)
        assert inspect.isawaitable(result)
        await result

    with pytest.raises(TypeError, match=message):
        await call()
