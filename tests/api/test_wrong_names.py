"""A wrong name of an attribute or argument raises an error that names the right one."""

import enum
import functools
import inspect

import pytest
import trio

import trio_rtc
from tests.strategies.peers import open_channel
from trio_rtc import (
    EncodedFrame,
    Event,
    EventTarget,
    MediaStream,
    RTCConfiguration,
    RTCIceCandidate,
    RTCIceServer,
    RTCPeerConnection,
    RTCPeerConnectionIceErrorEvent,
    RTCPeerConnectionStats,
    RTCRtpEncodingParameters,
    RTCSessionDescription,
    Settings,
    open_media_track,
)
from trio_rtc._strict_names.spelling import EVENT_NAMES, handler_name
from trio_rtc.testing import run


@functools.cache
def objects_of_a_connection() -> dict[str, object]:
    """Return an object of each W3C interface that exists only after a negotiation."""

    async def connect() -> dict[str, object]:
        async with open_channel() as (_, _, peers):
            sctp = peers.alice.sctp
            assert sctp is not None
            report = await peers.alice.get_stats()
            (stats,) = (each for each in report.values() if isinstance(each, RTCPeerConnectionStats))
            return {
                "sctp": sctp,
                "dtls": sctp.transport,
                "ice": sctp.transport.ice_transport,
                "certificate": await RTCPeerConnection.generate_certificate(),
                "report": report,
                "stats": stats,
            }

    return run(connect)


END = "(?: and no __dict__ for setting new attributes)?$"
"""The end of the error without a suggestion; Python 3.13 adds more for ``dict``."""


def objects() -> dict[str, object]:
    """Return an object of each W3C interface."""
    pc = RTCPeerConnection()
    transceiver = pc.add_transceiver("audio")
    source, track = open_media_track("video")
    return {
        "pc": pc,
        "channel": pc.create_data_channel("x"),
        "transceiver": transceiver,
        "sender": transceiver.sender,
        "receiver": transceiver.receiver,
        "dtmf": transceiver.sender.dtmf,
        "track": track,
        "source": source,
        "stream": MediaStream(),
        "configuration": RTCConfiguration(),
        "server": RTCIceServer("stun:192.0.2.1"),
        "description": RTCSessionDescription("offer", ""),
        "candidate": RTCIceCandidate("candidate:1 1 udp 1 192.0.2.1 9 typ host", sdp_mid="0"),
        "encoding": RTCRtpEncodingParameters(),
        "event": Event("open", pc),
        "error event": RTCPeerConnectionIceErrorEvent(
            "ice_candidate_error", pc, None, None, "stun:192.0.2.1", 701, "unreachable"
        ),
        **objects_of_a_connection(),
    }


@pytest.mark.parametrize(
    ("of", "wrong", "right"),
    [
        ("pc", "onicecandidate", "on_ice_candidate"),
        ("pc", "on_datachannel", "on_data_channel"),
        ("pc", "on_icecandidate", "on_ice_candidate"),
        ("pc", "iceConnectionState", "ice_connection_state"),
        ("pc", "setLocalDescription", "set_local_description"),
        ("pc", "on", "add_event_listener"),
        ("pc", "on_ice_canidate", "on_ice_candidate"),
        ("channel", "onmessage", "on_message"),
        ("channel", "binaryType", "binary_type"),
        ("channel", "bufferedAmountLowThreshold", "buffered_amount_low_threshold"),
        ("transceiver", "currentDirection", "current_direction"),
        ("sender", "replaceTrack", "replace_track"),
        ("receiver", "jitterBufferTarget", "jitter_buffer_target"),
        ("dtmf", "ontonechange", "on_tone_change"),
        ("track", "onended", "on_ended"),
        ("track", "readyState", "ready_state"),
        ("source", "want", "wanted"),
        ("stream", "onaddtrack", "on_add_track"),
        ("stream", "getTracks", "get_tracks"),
        ("configuration", "iceServers", "ice_servers"),
        ("server", "url", "urls"),
        ("description", "toJSON", "to_json"),
        ("candidate", "sdpMLineIndex", "sdp_m_line_index"),
        ("encoding", "maxBitrate", "max_bitrate"),
        ("error event", "errorCode", "error_code"),
        ("sctp", "maxMessageSize", "max_message_size"),
        ("sctp", "onstatechange", "on_state_change"),
        ("dtls", "iceTransport", "ice_transport"),
        ("dtls", "getRemoteCertificates", "get_remote_certificates"),
        ("ice", "gatheringState", "gathering_state"),
        ("ice", "getSelectedCandidatePair", "get_selected_candidate_pair"),
        ("ice", "onselectedcandidatepairchange", "on_selected_candidate_pair_change"),
        ("certificate", "getFingerprints", "get_fingerprints"),
        ("stats", "dataChannelsOpened", "data_channels_opened"),
    ],
)
def test_a_wrong_attribute_names_the_right_one(of: str, wrong: str, right: str) -> None:
    target = objects()[of]
    message = rf"'{type(target).__name__}' object has no attribute '{wrong}'; did you mean '{right}'\?"
    with pytest.raises(AttributeError, match=message):
        setattr(target, wrong, print)
    with pytest.raises(AttributeError, match=message):
        getattr(target, wrong)


@pytest.mark.parametrize("name", objects())
def test_unknown_attributes_are_rejected(name: str) -> None:
    target = objects()[name]
    with pytest.raises(
        AttributeError, match=f"'{type(target).__name__}' object has no attribute 'xyzzy'{END}"
    ):
        target.xyzzy = 1  # type: ignore[attr-defined]
    assert not hasattr(target, "xyzzy")
    assert not hasattr(target, "_xyzzy")


def test_every_public_class_suggests_names() -> None:
    lenient = set()
    for name in trio_rtc.__all__:
        cls = getattr(trio_rtc, name)
        is_class = inspect.isclass(cls) and not issubclass(cls, BaseException | enum.Enum)
        if is_class and not hasattr(cls, "__getattr__"):
            lenient.add(name)
    assert lenient == {
        # Made for each packet or frame.
        *("Address", "Concealment", "EncodedFrame", "ReceivedTelephoneEvent", "RtpPacket"),
        # They have only the members of trio's classes, and few of ours.
        *("ChannelStream", "RtpPacketChannel"),
        # Protocols, which applications implement.
        *("DatagramSocket", "Network", "RTCIdentityProvider"),
    }


def test_every_event_handler_is_named_by_its_w3c_name() -> None:
    classes = [
        cls for cls in vars(trio_rtc).values() if inspect.isclass(cls) and issubclass(cls, EventTarget)
    ]
    checked = 0
    for cls in classes:
        for idl, event in EVENT_NAMES.items():
            if event in cls.EVENTS:
                with pytest.raises(AttributeError, match=f"did you mean '{handler_name(event)}'"):
                    setattr(cls.__new__(cls), f"on{idl}", print)
                checked += 1
    assert checked > 25


def test_existing_attributes_can_be_set() -> None:
    pc = RTCPeerConnection()
    pc.on_track = print
    assert pc.on_track is print
    receiver = pc.add_transceiver("video").receiver
    receiver.layer, receiver.decode = "q", False
    assert (receiver.layer, receiver.decode) == ("q", False)
    encoding = RTCRtpEncodingParameters()
    encoding.max_bitrate = 5
    assert encoding.max_bitrate == 5
    pc.create_offer = print  # type: ignore[method-assign, assignment]
    assert vars(pc)["create_offer"] is print


class CustomConnection(RTCPeerConnection):
    """A connection class of an application."""

    def __init__(self) -> None:
        super().__init__()
        self.room = "lobby"


def test_a_subclass_may_have_attributes_of_its_own_but_no_other_spelling_of_ours() -> None:
    mine = CustomConnection()
    mine.nickname = "m"  # type: ignore[attr-defined]
    assert mine.room == "lobby"
    with pytest.raises(
        AttributeError, match="'CustomConnection' object has no attribute 'ontrack'; did you mean 'on_track'"
    ):
        mine.ontrack = print  # type: ignore[attr-defined]


def test_an_attribute_error_inside_a_property_is_not_hidden() -> None:
    class Broken(RTCPeerConnection):
        @property
        def speed(self) -> int:
            return None.real  # type: ignore[attr-defined, no-any-return]

    with pytest.raises(AttributeError, match="'NoneType' object has no attribute 'real'"):
        _ = Broken().speed


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: RTCPeerConnection().create_data_channel("x", maxRetransmits=1),  # type: ignore[call-arg]
            r"RTCPeerConnection\.create_data_channel\(\) has no argument 'maxRetransmits'; did you mean 'max_retr",
        ),
        (
            lambda: RTCPeerConnection().add_transceiver("audio", sendEncodings=[]),  # type: ignore[call-arg]
            r"add_transceiver\(\) has no argument 'sendEncodings'; did you mean 'send_encodings'\?",
        ),
        (
            lambda: RTCConfiguration(iceServers=[]),  # type: ignore[call-arg]
            r"RTCConfiguration\(\) has no argument 'iceServers'; did you mean 'ice_servers'\?",
        ),
        (
            lambda: RTCIceServer(url="stun:192.0.2.1"),  # type: ignore[call-arg]
            r"RTCIceServer\(\) has no argument 'url'; did you mean 'urls'\?",
        ),
        (
            lambda: RTCPeerConnection(iceServers=[]),  # type: ignore[call-arg]
            r"RTCPeerConnection\(\) has no argument 'iceServers'; it takes: configuration, settings$",
        ),
        (
            lambda: Settings(port_ranges=(1, 2)),  # type: ignore[call-arg]
            r"Settings\(\) has no argument 'port_ranges'; did you mean 'port_range'\?",
        ),
    ],
)
def test_a_wrong_argument_names_the_right_one(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(TypeError, match=message):
        make()


async def test_a_wrong_argument_of_create_offer_names_the_right_one() -> None:
    with pytest.raises(
        TypeError, match=r"create_offer\(\) has no argument 'iceRestart'; did you mean 'ice_restart'"
    ):
        await RTCPeerConnection().create_offer(iceRestart=True)  # type: ignore[call-overload]
    await trio.lowlevel.checkpoint()


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("datachannel", "data_channel"),
        ("icecandidate", "ice_candidate"),
        ("iceCandidate", "ice_candidate"),
        ("ondatachannel", "data_channel"),
        ("ice_canidate", "ice_candidate"),
    ],
)
def test_a_wrong_event_names_the_right_one(wrong: str, right: str) -> None:
    pc = RTCPeerConnection()
    uses = (
        # The call itself fails, not the block after it.
        lambda: pc.subscribe(wrong),
        lambda: pc.add_event_listener(wrong, print),
        lambda: pc.remove_event_listener(wrong, print),
    )
    for use in uses:
        with pytest.raises(
            ValueError, match=rf"RTCPeerConnection has no event '{wrong}'; did you mean '{right}'\?$"
        ):
            use()


def test_deleting_a_handler_removes_it() -> None:
    pc = RTCPeerConnection()
    pc.on_track = print
    del pc.on_track
    assert pc.on_track is None


def test_signatures_are_kept() -> None:
    assert "ice_servers" in inspect.signature(RTCConfiguration).parameters
    assert "max_retransmits" in inspect.signature(RTCPeerConnection.create_data_channel).parameters
    assert inspect.iscoroutinefunction(RTCPeerConnection.create_offer)


def test_frames_are_not_slowed_down() -> None:
    # Attributes are probed on every frame: a suggestion for each would take longer than the frame.
    assert "__getattr__" not in vars(EncodedFrame)
