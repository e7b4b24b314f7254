"""Negotiation methods and ``set_parameters`` before their first checkpoint (W3C webrtc 4.4.1.2, 4.4.2, 5.2).

W3C's methods check the state and enter the operations chain at the call, and go in parallel afterwards. Here the first
step of the coroutine is the call.
"""

from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from tests.strategies.media import media_peers
from tests.strategies.peers import Peers, description_of, negotiate
from trio_rtc import (
    InvalidModificationError,
    InvalidStateError,
    OperationError,
    RTCPeerConnection,
    RTCRtpTransceiver,
    RTCSessionDescription,
    open_media_track,
)

pytestmark = pytest.mark.usefixtures("autojump_clock")

CANDIDATE = {"candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ host", "sdpMid": "0"}


class _FirstStep:
    """Awaits a coroutine, and records how its first step ended."""

    def __init__(self, coroutine: Awaitable[object]) -> None:
        self._coroutine = coroutine.__await__()
        self.error: BaseException | None = None
        self.is_waiting = False

    def __await__(self) -> Generator[Any, Any, None]:
        try:
            reached = self._coroutine.send(None)
        except StopIteration:
            return
        except Exception as error:
            self.error = error
            return
        self.is_waiting = True
        while True:
            result = yield reached
            try:
                reached = self._coroutine.send(result)
            except StopIteration:
                return
            except Exception as error:
                self.error = error
                return


async def first_error(coroutine: Coroutine[Any, Any, object]) -> BaseException | None:
    """Return the error of the first step; ``None`` if a checkpoint was reached."""
    step = _FirstStep(coroutine)
    await step
    return None if step.is_waiting else step.error


@attrs.frozen
class Refused:
    """A call that is refused at its first step."""

    name: str
    call: Callable[[Peers, RTCRtpTransceiver], Coroutine[Any, Any, object]]
    error: type[Exception]
    prepare: Callable[[Peers, RTCRtpTransceiver], Awaitable[object] | None] = lambda _peers, _transceiver: (
        None
    )


def stop(_: Peers, transceiver: RTCRtpTransceiver) -> None:
    transceiver.sender.get_parameters()
    transceiver.stop()


def close(peers: Peers, _: RTCRtpTransceiver) -> None:
    peers.alice.close()


async def receive_offer(peers: Peers, _: RTCRtpTransceiver) -> None:
    peers.bob.add_transceiver("audio")
    await peers.alice.set_remote_description(await peers.bob.create_offer())


def created(kind: str) -> RTCSessionDescription:
    return RTCSessionDescription(kind, "v=0\r\n")


async def answer_provisionally(peers: Peers, transceiver: RTCRtpTransceiver) -> None:
    await receive_offer(peers, transceiver)
    answer = await peers.alice.create_answer()
    await peers.alice.set_local_description(RTCSessionDescription("pranswer", answer.sdp))


REFUSED = [
    Refused(
        "an offer, which cannot roll a provisional answer back",
        lambda p, _: p.alice.set_remote_description(created("offer")),
        InvalidStateError,
        answer_provisionally,
    ),
    Refused("create_answer without an offer", lambda p, _: p.alice.create_answer(), InvalidStateError),
    Refused(
        "create_offer with an offer to answer",
        lambda p, _: p.alice.create_offer(),
        InvalidStateError,
        receive_offer,
    ),
    Refused(
        "local rollback", lambda p, _: p.alice.set_local_description({"type": "rollback"}), InvalidStateError
    ),
    Refused(
        "remote rollback",
        lambda p, _: p.alice.set_remote_description({"type": "rollback"}),
        InvalidStateError,
    ),
    Refused(
        "a changed offer",
        lambda p, _: p.alice.set_local_description(created("offer")),
        InvalidModificationError,
    ),
    Refused(
        "a changed answer",
        lambda p, _: p.alice.set_local_description(created("answer")),
        InvalidModificationError,
        receive_offer,
    ),
    Refused(
        "an answer in stable",
        lambda p, _: p.alice.set_local_description({"type": "answer"}),
        InvalidStateError,
    ),
    Refused("an early candidate", lambda p, _: p.alice.add_ice_candidate(CANDIDATE), InvalidStateError),
    Refused("the early end of candidates", lambda p, _: p.alice.add_ice_candidate(), InvalidStateError),
    Refused(
        "a candidate of an unknown section",
        lambda p, _: p.alice.add_ice_candidate({**CANDIDATE, "sdpMid": "audio"}),
        OperationError,
        receive_offer,
    ),
    Refused(
        "a candidate of an unknown generation",
        lambda p, _: p.alice.add_ice_candidate({**CANDIDATE, "usernameFragment": "other"}),
        OperationError,
        receive_offer,
    ),
    Refused(
        "a candidate without a section",
        lambda p, _: p.alice.add_ice_candidate({"candidate": CANDIDATE["candidate"]}),
        TypeError,
    ),
    Refused("replace_track when stopped", lambda _, t: t.sender.replace_track(None), InvalidStateError, stop),
    Refused(
        "replace_track by another kind",
        lambda _, t: t.sender.replace_track(open_media_track("video")[1]),
        TypeError,
    ),
    Refused(
        "set_parameters when stopped",
        lambda _, t: t.sender.set_parameters(t.sender.get_parameters()),
        InvalidStateError,
        stop,
    ),
    Refused(
        "set_parameters of another transaction",
        lambda p, t: t.sender.set_parameters(
            attrs.evolve(t.sender.get_parameters(), transaction_id="another")
        ),
        InvalidModificationError,
    ),
    Refused(
        "set_parameters without encodings",
        lambda p, t: t.sender.set_parameters(attrs.evolve(t.sender.get_parameters(), encodings=[])),
        InvalidModificationError,
    ),
    *(
        Refused(f"{name} when closed", call, InvalidStateError, close)
        for name, call in (
            ("create_offer", lambda p, _: p.alice.create_offer()),
            ("create_answer", lambda p, _: p.alice.create_answer()),
            ("set_local_description", lambda p, _: p.alice.set_local_description()),
            ("set_remote_description", lambda p, _: p.alice.set_remote_description(created("offer"))),
            ("add_ice_candidate", lambda p, _: p.alice.add_ice_candidate(CANDIDATE)),
            ("replace_track", lambda _, t: t.sender.replace_track(None)),
            ("set_parameters", lambda _, t: t.sender.set_parameters(t.sender.get_parameters())),
        )
    ),
]


@pytest.mark.parametrize("refused", REFUSED, ids=lambda each: each.name)
async def test_a_call_that_is_not_allowed_is_refused_at_its_first_step(refused: Refused) -> None:
    async with media_peers() as peers:
        transceiver = peers.alice.add_transceiver("audio")
        prepared = refused.prepare(peers, transceiver)
        if prepared is not None:
            await prepared
        assert isinstance(await first_error(refused.call(peers, transceiver)), refused.error)


@pytest.mark.parametrize("refused", REFUSED[:2], ids=lambda each: each.name)
async def test_behind_another_operation_the_check_waits_for_its_turn(refused: Refused) -> None:
    async with media_peers() as peers, trio.open_nursery() as nursery:
        transceiver = peers.alice.add_transceiver("audio")
        prepared = refused.prepare(peers, transceiver)
        if prepared is not None:
            await prepared
        step = _FirstStep(refused.call(peers, transceiver))

        async def call_behind() -> None:
            await step

        async with peers.alice._parts.context.chain.operation():
            nursery.start_soon(call_behind)
            await trio.testing.wait_all_tasks_blocked()
            assert step.is_waiting
            assert step.error is None
        await trio.testing.wait_all_tasks_blocked()
        assert isinstance(step.error, refused.error)


@attrs.frozen
class Allowed:
    """A call that is allowed: its first step enters the operations chain, unless it is no operation."""

    name: str
    call: Callable[[Peers, RTCRtpTransceiver], Coroutine[Any, Any, object]]
    is_operation: bool = True


ALLOWED = [
    Allowed("create_offer", lambda p, _: p.alice.create_offer()),
    Allowed("set_local_description", lambda p, _: p.alice.set_local_description()),
    Allowed("set_remote_description", lambda p, _: p.alice.set_remote_description(description_of(p.bob))),
    Allowed("add_ice_candidate", lambda p, _: p.alice.add_ice_candidate()),
    Allowed("replace_track", lambda _, t: t.sender.replace_track(open_media_track("audio")[1])),
    Allowed(
        "set_parameters", lambda _, t: t.sender.set_parameters(t.sender.get_parameters()), is_operation=False
    ),
    Allowed("get_stats", lambda p, _: p.alice.get_stats(), is_operation=False),
]


def state_of(pc: RTCPeerConnection, transceiver: RTCRtpTransceiver) -> tuple[object, ...]:
    descriptions = pc.local_description, pc.remote_description
    parameters = transceiver.sender.get_parameters().transaction_id
    return pc.signaling_state, pc.ice_gathering_state, descriptions, transceiver.sender.track, parameters


@pytest.mark.parametrize("allowed", ALLOWED, ids=lambda each: each.name)
async def test_an_allowed_call_enters_the_chain_at_its_first_step_and_has_no_effect_before_a_checkpoint(
    allowed: Allowed,
) -> None:
    async with media_peers() as peers:
        transceiver = peers.alice.add_transceiver("audio")
        await negotiate(peers.alice, peers.bob)
        if allowed.name == "set_remote_description":
            await peers.bob.set_local_description()
        await trio.sleep(1)
        before = state_of(peers.alice, transceiver)
        states: list[tuple[object, ...]] = []
        empty: list[bool] = []

        class Watch(trio.abc.Instrument):
            def after_task_step(self, task: trio.lowlevel.Task) -> None:
                if task is here and not states:
                    states.append(state_of(peers.alice, transceiver))
                    empty.append(peers.alice._parts.context.chain.is_empty)

        here = trio.lowlevel.current_task()
        watch = Watch()
        trio.lowlevel.add_instrument(watch)
        try:
            await allowed.call(peers, transceiver)
        finally:
            trio.lowlevel.remove_instrument(watch)
        assert states == [before]
        assert empty == [not allowed.is_operation]


async def test_two_concurrent_calls_of_set_parameters_are_one_transaction() -> None:
    async with media_peers() as peers:
        sender = peers.alice.add_transceiver("audio").sender
        errors = []

        async def set_parameters() -> None:
            try:
                await sender.set_parameters(sender.get_parameters())
            except InvalidStateError as error:
                errors.append(error)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(set_parameters)
            nursery.start_soon(set_parameters)
        assert len(errors) == 1


async def test_a_transceiver_stopped_during_replace_track_keeps_its_track() -> None:
    async with media_peers() as peers:
        transceiver = peers.alice.add_transceiver("audio")
        track = open_media_track("audio")[1]

        async def replace() -> None:
            with pytest.raises(InvalidStateError):
                await transceiver.sender.replace_track(track)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(replace)
            await trio.lowlevel.cancel_shielded_checkpoint()
            transceiver.stop()
        assert transceiver.sender.track is None
