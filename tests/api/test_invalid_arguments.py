"""Invalid arguments raise a descriptive error and lose nothing."""

import pytest
import trio

import trio_rtc
from tests.strategies.peers import connect, open_channel, two_peers
from tests.strategies.scenarios import messages_pass
from trio_rtc import (
    DOMException,
    InvalidAccessError,
    InvalidStateError,
    OperationError,
    RTCError,
    RTCErrorDetailType,
    RTCPeerConnection,
    SctpOptions,
    Settings,
)

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def data_offer() -> str:
    pc = RTCPeerConnection()
    pc.create_data_channel("chat")
    return (await pc.create_offer()).sdp


@pytest.mark.parametrize("name", ["v=", "o=", "m=", "a=fingerprint:", "a=sctp-port:"])
async def test_malformed_sdp_names_the_line(name: str) -> None:
    lines = (await data_offer()).split("\r\n")
    number = next(index for index, line in enumerate(lines) if line.startswith(name)) + 1
    lines[number - 1] = f"{name}what is this"
    async with two_peers() as peers:
        with pytest.raises(RTCError, match=f"line {number}") as caught:
            await peers.alice.set_remote_description({"type": "offer", "sdp": "\r\n".join(lines)})
        assert caught.value.error_detail == "sdp-syntax-error"
        assert caught.value.sdp_line_number == number
        assert caught.value.name == "OperationError"
        assert peers.alice.signaling_state == "stable"
        assert peers.alice.remote_description is None
        await peers.alice.set_remote_description({"type": "offer", "sdp": await data_offer()})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("a=ice-ufrag:", "abc"),
        ("a=ice-ufrag:", "ab:cd"),
        ("a=ice-pwd:", "x" * 21),
        ("a=ice-pwd:", "x" * 257),
        ("a=ice-pwd:", "x" * 30 + "?"),
    ],
    ids=lambda value: value[:12],
)
async def test_illegal_ice_credentials(name: str, value: str) -> None:
    """RFC 8839 section 5.4."""
    lines = (await data_offer()).split("\r\n")
    number = next(index for index, line in enumerate(lines) if line.startswith(name)) + 1
    lines[number - 1] = f"{name}{value}"
    async with two_peers() as peers:
        with pytest.raises(RTCError, match=f"line {number}: {name[2:-1]} must be") as caught:
            await peers.alice.set_remote_description({"type": "offer", "sdp": "\r\n".join(lines)})
        assert caught.value.sdp_line_number == number
        assert peers.alice.signaling_state == "stable"
        assert peers.alice.remote_description is None


@pytest.mark.parametrize("sdp", ["", "nonsense", "\0", "v=0\r\n" + "a=x\r\n" * 1_000_000], ids=len)
async def test_text_that_is_not_sdp(sdp: str) -> None:
    async with two_peers() as peers:
        with pytest.raises(RTCError) as caught:
            await peers.alice.set_remote_description({"type": "offer", "sdp": sdp})
        assert caught.value.error_detail == "sdp-syntax-error"


@pytest.mark.parametrize("missing", ["a=ice-ufrag", "a=ice-pwd", "a=fingerprint"])
async def test_inconsistent_offers(missing: str) -> None:
    lines = (await data_offer()).split("\r\n")
    sdp = "\r\n".join(line for line in lines if not line.startswith(missing))
    async with two_peers() as peers:
        with pytest.raises(InvalidAccessError):
            await peers.alice.set_remote_description({"type": "offer", "sdp": sdp})
        assert peers.alice.signaling_state == "stable"


@pytest.mark.parametrize(
    "wrong", [5, "offer", {"type": "offer", "sdp": 5}, {"type": "x", "sdp": ""}, {}], ids=str
)
async def test_descriptions_of_the_wrong_type(wrong: object) -> None:
    async with two_peers() as peers:
        with pytest.raises(TypeError):
            await peers.alice.set_remote_description(wrong)  # type: ignore[arg-type]


async def test_a_rejected_answer_loses_nothing() -> None:
    async with open_channel() as (mine, theirs, peers):
        await peers.alice.set_local_description()
        with pytest.raises(DOMException):
            await peers.alice.set_remote_description({"type": "answer", "sdp": "nonsense"})
        assert peers.alice.signaling_state == "have-local-offer"
        await mine.send("still here")
        assert await theirs.receive() == "still here"
        assert peers.alice.local_description is not None
        await peers.bob.set_remote_description(peers.alice.local_description)
        await peers.bob.set_local_description()
        assert peers.bob.local_description is not None
        await peers.alice.set_remote_description(peers.bob.local_description)
        assert peers.alice.signaling_state == "stable"


async def test_an_answer_without_offer() -> None:
    async with two_peers() as peers:
        with pytest.raises(InvalidStateError, match="stable"):
            await peers.alice.set_remote_description({"type": "answer", "sdp": await data_offer()})


@pytest.mark.parametrize(
    "options",
    [
        {"label": 5},
        {"protocol": None},
        {"id": -1},
        {"id": 65536},
        {"id": "1"},
        {"max_retransmits": 1.5},
        {"max_packet_life_time": -1},
        {"priority": "urgent"},
        {"label": "x" * 65536},
        {"label": "ü" * 32768},
        {"negotiated": True},
        {"negotiated": True, "id": 65535},
        {"max_retransmits": 0, "max_packet_life_time": 0},
    ],
    ids=lambda options: str(options)[:50],
)
def test_impossible_channels(options: dict[str, object]) -> None:
    pc = RTCPeerConnection()
    with pytest.raises(TypeError):
        pc.create_data_channel(**{"label": "chat", **options})  # type: ignore[arg-type]


def test_limits_of_channels() -> None:
    pc = RTCPeerConnection()
    pc.create_data_channel("ü" * 32767, protocol="x" * 65535)
    assert pc.create_data_channel("chat", negotiated=True, id=65534).id == 65534
    with pytest.raises(OperationError, match="65534"):
        pc.create_data_channel("chat", negotiated=True, id=65534)
    assert pc.create_data_channel("chat", id=65535).id is None
    assert pc.create_data_channel("", priority="high").priority == "high"


async def test_a_channel_beyond_the_streams_of_the_association() -> None:
    settings = Settings(sctp=SctpOptions(inbound_streams=10, outbound_streams=8))
    async with two_peers(settings=settings) as peers:
        # Before the association exists, its limit is unknown.
        early = peers.alice.create_data_channel("early", negotiated=True, id=8)
        last = [pc.create_data_channel("last", negotiated=True, id=7) for pc in (peers.alice, peers.bob)]
        await connect(peers.alice, peers.bob)
        for channel in last:
            await channel.opened()
        await messages_pass(last[0], last[1])
        assert peers.alice.sctp is not None
        assert peers.alice.sctp.max_channels == 8
        assert early.ready_state == "closed"
        with pytest.raises(trio.BrokenResourceError):
            await early.opened()
        for beyond in (8, 9, 10, 65534):
            with pytest.raises(OperationError, match=f"{beyond} is in use or too high"):
                peers.alice.create_data_channel("chat", negotiated=True, id=beyond)
        # The offerer is the DTLS server and uses odd ids; 7 is in use.
        assert [peers.alice.create_data_channel("chat").id for _ in range(3)] == [1, 3, 5]
        with pytest.raises(OperationError, match="no data channel id is free"):
            peers.alice.create_data_channel("chat")


async def test_an_oversized_message_is_rejected_before_any_byte_is_sent() -> None:
    async with open_channel() as (mine, theirs, _):
        with pytest.raises(TypeError):
            await mine.send(bytes(262145))
        assert mine.buffered_amount == 0
        await mine.send("next")
        assert await theirs.receive() == "next"


async def test_unsent_bytes_stay_counted_when_a_channel_closes() -> None:
    async with open_channel() as (mine, _, peers):
        peers.network.partition("alice", "bob")
        mine.send_nowait(bytes(200_000))
        await trio.sleep(1)
        queued = mine.buffered_amount
        peers.alice.close()
        assert mine.buffered_amount == queued > 0


async def test_a_channel_is_open_when_it_is_announced() -> None:
    async with two_peers() as peers:
        log: list[str] = []

        def announce(event: trio_rtc.RTCDataChannelEvent) -> None:
            channel = event.channel
            log.append(f"announced {channel.ready_state}")
            channel.on_open = lambda _: log.append("open")
            channel.on_message = lambda message: log.append(str(message.data))
            channel.send_nowait("hello")

        peers.bob.on_data_channel = announce
        mine = peers.alice.create_data_channel("chat")
        await connect(peers.alice, peers.bob)
        await mine.opened()
        await mine.send("from alice")
        assert await mine.receive() == "hello"
        await trio.sleep(1)
        assert log == ["announced open", "open", "from alice"]


def test_names_of_errors() -> None:
    names = [
        "InvalidAccessError",
        "InvalidModificationError",
        "InvalidStateError",
        "NetworkError",
        "NotSupportedError",
        "OperationError",
        "SyntaxError",
    ]
    for name in names:
        error = getattr(trio_rtc, name)("why")
        assert (error.name, str(error)) == (name, "why")
        assert isinstance(error, DOMException)


def test_details_of_an_rtc_error() -> None:
    error = RTCError(RTCErrorDetailType.DTLS_FAILURE, "why", sent_alert=42)
    assert isinstance(error, OperationError)
    assert (error.name, error.error_detail, error.sent_alert) == ("OperationError", "dtls-failure", 42)
    assert error.received_alert is error.sdp_line_number is error.sctp_cause_code is None
    assert str(RTCError(RTCErrorDetailType.SCTP_FAILURE)) == "sctp-failure"
