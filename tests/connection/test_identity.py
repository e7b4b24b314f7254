"""Identity of two peers (W3C webrtc-identity): assertions in descriptions, validation, targets, failing providers."""

import base64
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import attrs
import pytest
import trio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.strategies.identity import ALICE, BOB, DOMAIN, ScriptedProvider, identity_settings
from tests.strategies.peers import (
    Peers,
    channel_pair,
    connect,
    description_of,
    negotiate,
    settings_for,
    trickle,
    two_peers,
)
from trio_rtc import (
    IdentityOptions,
    InvalidModificationError,
    InvalidStateError,
    OperationError,
    RTCConfiguration,
    RTCError,
    RTCErrorDetailTypeIdp,
    RTCIdentityAssertion,
    RTCIdentityAssertionResult,
    RTCIdentityProviderDetails,
    RTCIdentityValidationResult,
    RTCPeerConnection,
    RTCSessionDescription,
    Settings,
    SyntaxError,
)
from trio_rtc.errors import DOMException
from trio_rtc.identity import SignedIdentityProvider

pytestmark = pytest.mark.usefixtures("autojump_clock")

IDENTITY = re.compile(r"^a=identity:(\S+)\r\n", re.MULTILINE)


@asynccontextmanager
async def call(
    provider: ScriptedProvider, *, target: str | None = None, settings: Settings | None = None
) -> AsyncIterator[Peers]:
    """Open two peers; Alice has an identity, and Bob may demand one."""
    async with two_peers(settings=settings or identity_settings(provider)) as peers:
        peers.alice.set_identity_provider(DOMAIN, username_hint=ALICE)
        if target is None:
            yield peers
            return
        network_settings = settings_for(peers.hosts[1], 7, settings or identity_settings(provider))
        async with RTCPeerConnection(
            RTCConfiguration(peer_identity=target), settings=network_settings
        ) as demanding:
            yield attrs.evolve(peers, bob=demanding)


async def offer_of(pc: RTCPeerConnection) -> RTCSessionDescription:
    pc.create_data_channel("chat")
    return await pc.create_offer()


async def error_of(operation: Awaitable[object]) -> DOMException:
    with pytest.raises(DOMException) as caught:
        await operation
    return caught.value


async def detail_of(operation: Awaitable[object]) -> str:
    error = await error_of(operation)
    assert isinstance(error, RTCError)
    return error.error_detail


async def sleep_forever() -> None:
    await trio.sleep_forever()


def failing(error: BaseException) -> Callable[[], Awaitable[None]]:
    async def fail() -> None:
        await trio.lowlevel.checkpoint()
        raise error

    return fail


# -- assertions in descriptions ----


async def test_without_a_provider_descriptions_have_no_identity() -> None:
    async with two_peers() as peers:
        await channel_pair(peers.alice, peers.bob)
        assert "identity" not in description_of(peers.alice).sdp + description_of(peers.bob).sdp
        assert peers.alice.idp_login_url is None
        assert peers.alice.idp_error_info is None


async def test_offer_and_answer_have_an_assertion_that_binds_the_fingerprint() -> None:
    provider = ScriptedProvider()
    async with call(provider) as peers:
        peers.bob.set_identity_provider(DOMAIN, username_hint=BOB)
        await channel_pair(peers.alice, peers.bob)
        for pc, other, name in ((peers.alice, peers.bob, ALICE), (peers.bob, peers.alice, BOB)):
            sdp = description_of(pc).sdp
            [value] = IDENTITY.findall(sdp)
            assert sdp.index("a=identity:") < sdp.index("m=application")
            members = json.loads(base64.b64decode(value))
            assert members["idp"] == {"domain": DOMAIN, "protocol": "default"}
            assert await pc.get_identity_assertion() == value
            [fingerprint] = json.loads(json.loads(members["assertion"])["contents"])["fingerprint"]
            assert f"a=fingerprint:{fingerprint['algorithm']} {fingerprint['digest']}\r\n" in sdp
            assert await other.peer_identity == RTCIdentityAssertion(DOMAIN, name)
        assert len(provider.generated) == len(provider.validated) == 2


async def test_a_peer_without_providers_ignores_the_assertion() -> None:
    async with call(ScriptedProvider()) as peers:
        unaware = Settings()
        async with RTCPeerConnection(settings=settings_for(peers.hosts[1], 9, unaware)) as bob:
            promise = bob.peer_identity
            await channel_pair(peers.alice, bob)
            assert await detail_of(promise) == "idp-load-failure"
            assert bob.connection_state == "connected"


async def test_provider_gets_origin_and_options() -> None:
    provider = ScriptedProvider()
    settings = identity_settings(provider, origin="https://app.example")
    async with call(provider, target=BOB, settings=settings) as peers:
        peers.bob.set_identity_provider(DOMAIN)
        await peers.bob.get_identity_assertion()
        peers.bob.set_identity_provider(DOMAIN, username_hint=BOB, peer_identity=ALICE)
        await peers.bob.get_identity_assertion()
        first, second = provider.generated
        assert first[1] == "https://app.example"
        # Without its own, the provider gets the peer identity of the configuration.
        assert (first[2].username_hint, first[2].peer_identity) == (None, BOB)
        assert (second[2].protocol, second[2].username_hint, second[2].peer_identity) == (
            "default",
            BOB,
            ALICE,
        )


async def test_assertion_is_kept_until_another_provider_is_set() -> None:
    provider = ScriptedProvider()
    async with call(provider) as peers:
        first = await peers.alice.get_identity_assertion()
        peers.alice.set_identity_provider(DOMAIN, username_hint=ALICE)
        assert await peers.alice.get_identity_assertion() == first
        assert first in (await offer_of(peers.alice)).sdp
        peers.alice.set_identity_provider(DOMAIN, username_hint=BOB)
        second = await peers.alice.get_identity_assertion()
        assert second != first
        assert second in (await peers.alice.create_offer()).sdp
        assert len(provider.generated) == 2


async def test_provider_that_is_replaced_during_a_request() -> None:
    async with call(ScriptedProvider(partial(trio.sleep, 1))) as peers, trio.open_nursery() as nursery:
        offers: list[RTCSessionDescription] = []

        async def create() -> None:
            offers.append(await offer_of(peers.alice))

        nursery.start_soon(create)
        await trio.sleep(0.5)
        peers.alice.set_identity_provider(DOMAIN, username_hint=BOB)
        assert await peers.alice.get_identity_assertion() in (await peers.alice.create_offer()).sdp
        assert await peers.alice.get_identity_assertion() in offers[0].sdp


async def test_simultaneous_requests_share_one_assertion() -> None:
    provider = ScriptedProvider(partial(trio.sleep, 1))
    async with call(provider) as peers, trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(peers.alice.get_identity_assertion)
    assert len(provider.generated) == 1


async def test_descriptions_that_cannot_be_created_need_no_assertion() -> None:
    provider = ScriptedProvider()
    async with call(provider) as peers:
        with pytest.raises(InvalidStateError):
            await peers.alice.create_answer()
        await peers.alice.set_remote_description(await offer_of(peers.bob))
        with pytest.raises(InvalidStateError):
            await peers.alice.create_offer()
    assert provider.generated == []


async def test_assertion_without_a_provider() -> None:
    async with two_peers() as peers:
        with pytest.raises(InvalidStateError, match="set_identity_provider"):
            await peers.alice.get_identity_assertion()


async def test_closed_connection() -> None:
    async with call(ScriptedProvider()) as peers:
        peers.alice.close()
        with pytest.raises(InvalidStateError):
            peers.alice.set_identity_provider(DOMAIN)
        with pytest.raises(InvalidStateError):
            await peers.alice.get_identity_assertion()
        with pytest.raises(trio.ClosedResourceError):
            await peers.alice.peer_identity


@pytest.mark.parametrize(
    ("domain", "protocol"), [(DOMAIN, "../x"), (DOMAIN, "a\\b"), ("exa mple.org", "default"), ("", "default")]
)
async def test_malformed_provider(domain: str, protocol: str) -> None:
    async with two_peers() as peers:
        with pytest.raises(SyntaxError):
            peers.alice.set_identity_provider(domain, protocol=protocol)


# -- failing providers of assertions ----


@pytest.mark.parametrize("method", ["create_offer", "set_local_description", "get_identity_assertion"])
async def test_unregistered_provider(method: str) -> None:
    async with call(ScriptedProvider()) as peers:
        peers.alice.set_identity_provider("other.example")
        assert await detail_of(getattr(peers.alice, method)()) == "idp-load-failure"
        assert peers.alice.signaling_state == "stable"


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (ValueError("no"), "idp-execution-failure"),
        (ExceptionGroup("", [ValueError(), TypeError()]), "idp-execution-failure"),
        (trio.ClosedResourceError(), "idp-execution-failure"),
        (InvalidStateError(), "idp-execution-failure"),
        (RTCError(RTCErrorDetailTypeIdp.IDP_TLS_FAILURE), "idp-tls-failure"),
        (ExceptionGroup("", [RTCError(RTCErrorDetailTypeIdp.IDP_TOKEN_EXPIRED)]), "idp-token-expired"),
    ],
)
async def test_provider_that_raises(error: Exception, detail: str) -> None:
    provider = ScriptedProvider(failing(error))
    async with call(provider) as peers:
        assert await detail_of(peers.alice.create_offer()) == detail
        assert await detail_of(peers.alice.set_local_description()) == detail
        provider.before = trio.lowlevel.checkpoint
        assert "a=identity:" in (await offer_of(peers.alice)).sdp


async def test_login_is_needed() -> None:
    login = RTCError(
        RTCErrorDetailTypeIdp.IDP_NEED_LOGIN, idp_login_url="https://example.org/login", idp_error_info="{}"
    )
    provider = ScriptedProvider(failing(login))
    async with call(provider) as peers:
        assert await error_of(peers.alice.get_identity_assertion()) is login
        assert peers.alice.idp_login_url == "https://example.org/login"
        assert peers.alice.idp_error_info == "{}"
        provider.before = trio.lowlevel.checkpoint
        await peers.alice.get_identity_assertion()
        assert peers.alice.idp_login_url is None
        assert peers.alice.idp_error_info is None


async def test_provider_that_hangs_is_cancelled() -> None:
    provider = ScriptedProvider(sleep_forever)
    async with call(provider) as peers:
        begin = trio.current_time()
        assert await detail_of(peers.alice.create_offer()) == "idp-timeout"
        assert trio.current_time() - begin == 15.0
        assert provider.running == 0


@pytest.mark.parametrize(
    "result",
    [
        "an assertion",
        RTCIdentityValidationResult(ALICE, ""),
        RTCIdentityAssertionResult(RTCIdentityProviderDetails("exa mple"), "a"),
        RTCIdentityAssertionResult(RTCIdentityProviderDetails(DOMAIN, "a/b"), "a"),
        RTCIdentityAssertionResult(RTCIdentityProviderDetails(DOMAIN), "a" * 65536),
    ],
)
async def test_wrong_result_of_a_provider(result: object) -> None:
    async with call(ScriptedProvider(result=result)) as peers:
        assert await detail_of(peers.alice.get_identity_assertion()) == "idp-bad-script-failure"


async def test_cancelled_request_cancels_the_provider() -> None:
    provider = ScriptedProvider(sleep_forever)
    async with call(provider) as peers:
        with trio.move_on_after(1) as scope:
            await peers.alice.set_local_description()
        assert scope.cancelled_caught
        assert provider.running == 0
        provider.before = trio.lowlevel.checkpoint
        await connect(peers.alice, peers.bob)


async def test_close_during_a_request() -> None:
    provider = ScriptedProvider(sleep_forever)
    async with call(provider) as peers, trio.open_nursery() as nursery:

        async def request(method: Callable[[], Awaitable[object]]) -> None:
            with pytest.raises(trio.ClosedResourceError):
                await method()

        nursery.start_soon(request, peers.alice.create_offer)
        nursery.start_soon(request, peers.alice.get_identity_assertion)
        await trio.sleep(1)
        peers.alice.close()
    assert provider.running == 0


# -- validation without a target ----


async def test_validation_does_not_delay_the_description() -> None:
    provider = ScriptedProvider(partial(trio.sleep, 5))
    async with call(provider) as peers:
        offer = await offer_of(peers.alice)
        begin, promise = trio.current_time(), peers.bob.peer_identity
        await peers.bob.set_remote_description(offer)
        assert trio.current_time() == begin
        assert await promise == await promise == RTCIdentityAssertion(DOMAIN, ALICE)
        assert trio.current_time() == begin + 5
        assert peers.bob.peer_identity is promise


async def test_failed_validation_makes_a_new_promise() -> None:
    provider = ScriptedProvider()
    async with call(provider) as peers:
        offer = await offer_of(peers.alice)
        provider.before = failing(ValueError("no"))
        promise = peers.bob.peer_identity
        await peers.bob.set_remote_description(offer)
        assert await detail_of(promise) == "idp-execution-failure"
        assert await detail_of(promise) == "idp-execution-failure"
        assert peers.bob.peer_identity is not promise
        provider.before = trio.lowlevel.checkpoint
        promise = peers.bob.peer_identity
        await peers.bob.set_remote_description(offer)
        assert (await promise).name == ALICE
        assert peers.bob.peer_identity is promise


async def test_hanging_validation_ends_with_the_connection() -> None:
    provider = ScriptedProvider()
    async with call(provider) as peers:
        offer = await offer_of(peers.alice)
        provider.before = sleep_forever
        await peers.bob.set_remote_description(offer)
        await peers.bob.set_remote_description(offer)
        await trio.sleep(1)
        assert provider.running == 1
        promise = peers.bob.peer_identity
        peers.bob.close()
        with pytest.raises(trio.ClosedResourceError):
            await promise
        await peers.bob.aclose()
        assert provider.running == 0


async def test_hanging_validation_times_out() -> None:
    provider = ScriptedProvider()
    async with call(provider, settings=identity_settings(provider, timeout=3)) as peers:
        offer = await offer_of(peers.alice)
        provider.before, begin = sleep_forever, trio.current_time()
        promise = peers.bob.peer_identity
        await peers.bob.set_remote_description(offer)
        assert await detail_of(promise) == "idp-timeout"
        assert trio.current_time() == begin + 3
        assert provider.running == 0


async def test_awaiting_the_identity_can_be_cancelled() -> None:
    async with call(ScriptedProvider()) as peers:
        promise = peers.bob.peer_identity
        with trio.move_on_after(1) as scope:
            await promise
        assert scope.cancelled_caught
        await peers.bob.set_remote_description(await offer_of(peers.alice))
        assert (await promise).name == ALICE


# -- bad assertions of the peer ----


def replaced(offer: RTCSessionDescription, value: str) -> RTCSessionDescription:
    return RTCSessionDescription(offer.type, IDENTITY.sub(lambda _: value, offer.sdp))


def assertion(identity: str, contents: str, domain: str = DOMAIN) -> str:
    members = {
        "idp": {"domain": domain, "protocol": "default"},
        "assertion": json.dumps({"identity": identity, "contents": contents}),
    }
    return f"a=identity:{base64.b64encode(json.dumps(members).encode()).decode()}\r\n"


def contents_in(offer: RTCSessionDescription) -> str:
    [value] = IDENTITY.findall(offer.sdp)
    contents = json.loads(json.loads(base64.b64decode(value))["assertion"])["contents"]
    assert isinstance(contents, str)
    return contents


OTHER_CONTENTS = json.dumps({"fingerprint": [{"algorithm": "sha-256", "digest": "AA:BB"}]})
BAD: dict[str, Callable[[RTCSessionDescription], str]] = {
    "no base64": lambda _: "a=identity:!\r\n",
    "no value": lambda _: "a=identity\r\n",
    "twice": lambda offer: 2 * assertion(ALICE, contents_in(offer)),
    "too long": lambda _: f"a=identity:{'A' * 65540}\r\n",
    "other fingerprints": lambda _: assertion(ALICE, OTHER_CONTENTS),
    "bogus contents": lambda _: assertion(ALICE, "bogus"),
    "another domain": lambda offer: assertion("alice@example.net", contents_in(offer)),
    "no domain": lambda offer: assertion("alice", contents_in(offer)),
    "two domains": lambda offer: assertion("alice@example.net@example.org", contents_in(offer)),
    "unknown provider": lambda offer: assertion(ALICE, contents_in(offer), "other.example"),
}


@pytest.mark.parametrize("kind", BAD)
async def test_bad_assertion_rejects_the_identity_only(kind: str) -> None:
    async with call(ScriptedProvider()) as peers:
        offer = await offer_of(peers.alice)
        promise = peers.bob.peer_identity
        await peers.bob.set_remote_description(replaced(offer, BAD[kind](offer)))
        assert isinstance(await error_of(promise), OperationError)
        assert peers.bob.signaling_state == "have-remote-offer"


@pytest.mark.parametrize("kind", [*BAD, "missing"])
async def test_bad_assertion_is_refused_with_a_target(kind: str) -> None:
    async with call(ScriptedProvider(), target=ALICE) as peers:
        offer = await offer_of(peers.alice)
        promise = peers.bob.peer_identity
        value = "" if kind == "missing" else BAD[kind](offer)
        error = await error_of(peers.bob.set_remote_description(replaced(offer, value)))
        assert isinstance(error, OperationError)
        assert await error_of(promise) is error
        assert peers.bob.signaling_state == "stable"
        assert peers.bob.remote_description is None
        # The connection is still open, and a better description is applied; the promise is not replaced.
        await peers.bob.set_remote_description(offer)
        assert peers.bob.signaling_state == "have-remote-offer"
        assert await error_of(peers.bob.peer_identity) is error


async def test_trusted_third_party() -> None:
    provider = ScriptedProvider()
    settings = identity_settings(provider, trusted_domains={DOMAIN: ["example.net"]})
    async with call(provider, target="alice@example.net", settings=settings) as peers:
        peers.alice.set_identity_provider(DOMAIN, username_hint="alice@example.net")
        await channel_pair(peers.alice, peers.bob)
        assert await peers.bob.peer_identity == RTCIdentityAssertion(DOMAIN, "alice@example.net")


# -- targets ----


async def test_call_to_the_right_peer() -> None:
    provider = ScriptedProvider(partial(trio.sleep, 1))
    async with call(provider, target="alice@EXAMPLE.org") as peers:
        await channel_pair(peers.alice, peers.bob)
        assert (await peers.bob.peer_identity).name == ALICE
        assert peers.bob.get_configuration().peer_identity == "alice@EXAMPLE.org"


async def test_call_to_the_wrong_peer_is_closed() -> None:
    async with call(ScriptedProvider(), target=BOB) as peers:
        offer, promise = await offer_of(peers.alice), peers.bob.peer_identity
        error = await error_of(peers.bob.set_remote_description(offer))
        assert type(error) is OperationError
        assert str(error) == "the identity of the peer must be 'bob@example.org', not 'alice@example.org'"
        assert await error_of(promise) is error
        assert peers.bob.signaling_state == "closed"
        assert peers.bob.connection_state == "closed"


async def test_answer_of_the_wrong_peer_is_refused() -> None:
    async with call(ScriptedProvider(), target=BOB) as peers:
        # Alice answers.
        peers.bob.create_data_channel("chat")
        await peers.bob.set_local_description()
        await peers.alice.set_remote_description(description_of(peers.bob))
        await peers.alice.set_local_description()
        with pytest.raises(OperationError, match=r"must be 'bob@example\.org'"):
            await peers.bob.set_remote_description(description_of(peers.alice))
        assert peers.bob.connection_state == "closed"


async def test_malformed_target_matches_no_peer() -> None:
    async with call(ScriptedProvider(), target="alice") as peers:
        with pytest.raises(OperationError, match=r"must be 'alice', not 'alice@example\.org'"):
            await peers.bob.set_remote_description(await offer_of(peers.alice))


async def test_syntax_errors_precede_the_identity() -> None:
    provider = ScriptedProvider()
    async with call(provider, target=ALICE) as peers:
        offer = await offer_of(peers.alice)
        malformed = RTCSessionDescription("offer", offer.sdp.replace("s=-\r\n", "s\r\n"))
        assert await detail_of(peers.bob.set_remote_description(malformed)) == "sdp-syntax-error"
        with pytest.raises(InvalidStateError):
            await peers.bob.set_remote_description(RTCSessionDescription("answer", offer.sdp))
        assert provider.validated == []


async def test_cancelled_validation_changes_nothing() -> None:
    provider = ScriptedProvider()
    async with call(provider, target=ALICE) as peers:
        offer = await offer_of(peers.alice)
        provider.before = sleep_forever
        with trio.move_on_after(1) as scope:
            await peers.bob.set_remote_description(offer)
        assert scope.cancelled_caught
        assert (provider.running, peers.bob.signaling_state) == (0, "stable")
        provider.before = trio.lowlevel.checkpoint
        await peers.bob.set_remote_description(offer)
        assert (await peers.bob.peer_identity).name == ALICE


async def test_provider_of_a_target_that_hangs() -> None:
    provider = ScriptedProvider()
    async with call(provider, target=ALICE) as peers:
        offer = await offer_of(peers.alice)
        provider.before = sleep_forever
        assert await detail_of(peers.bob.set_remote_description(offer)) == "idp-timeout"
        assert (provider.running, peers.bob.signaling_state) == (0, "stable")


async def test_close_during_validation() -> None:
    provider = ScriptedProvider()
    async with call(provider, target=ALICE) as peers, trio.open_nursery() as nursery:
        offer = await offer_of(peers.alice)
        provider.before = sleep_forever

        async def close() -> None:
            await trio.sleep(1)
            peers.bob.close()

        nursery.start_soon(close)
        with pytest.raises(trio.ClosedResourceError):
            await peers.bob.set_remote_description(offer)
        assert provider.running == 0


async def test_provider_that_fails_while_it_is_cancelled() -> None:
    async def fail_in_cleanup() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            try:
                await trio.sleep_forever()
            finally:
                raise ValueError("cleanup")

    provider = ScriptedProvider()
    async with call(provider, target=ALICE) as peers:
        offer = await offer_of(peers.alice)
        provider.before = fail_in_cleanup
        with trio.move_on_after(1):
            await peers.bob.set_remote_description(offer)
        assert (provider.running, peers.bob.signaling_state) == (0, "stable")


async def test_collision_with_a_bad_offer_rolls_the_local_offer_back() -> None:
    async with call(ScriptedProvider(), target=BOB) as peers:
        peers.alice.set_identity_provider(DOMAIN, username_hint="alice@example.net")
        await offer_of(peers.bob)
        await peers.bob.set_local_description()
        with pytest.raises(OperationError, match="of another domain"):
            await peers.bob.set_remote_description(await offer_of(peers.alice))
        # W3C webrtc section 4.4.2: the rollback comes first.
        assert peers.bob.signaling_state == "stable"


# -- renegotiation ----


async def test_renegotiation_keeps_the_identity_and_validates_once() -> None:
    provider = ScriptedProvider()
    async with call(provider) as peers:
        await channel_pair(peers.alice, peers.bob)
        promise = peers.bob.peer_identity
        assert (await promise).name == ALICE
        peers.alice.add_transceiver("audio")
        await negotiate(peers.alice, peers.bob)
        peers.bob.add_transceiver("video")
        await negotiate(peers.bob, peers.alice)
        peers.alice.restart_ice()
        await negotiate(peers.alice, peers.bob)
        assert peers.bob.peer_identity is promise
        assert len(provider.generated) == len(provider.validated) == 1


async def test_later_description_without_an_assertion_keeps_the_identity() -> None:
    async with call(ScriptedProvider()) as peers:
        await channel_pair(peers.alice, peers.bob)
        await peers.bob.peer_identity
        peers.alice.add_transceiver("audio")
        await peers.bob.set_remote_description(replaced(await peers.alice.create_offer(), ""))
        assert (await peers.bob.peer_identity).name == ALICE


async def test_later_description_with_other_fingerprints_is_refused() -> None:
    async with call(ScriptedProvider()) as peers:
        offer = await offer_of(peers.alice)
        await peers.bob.set_remote_description(offer)
        await peers.bob.peer_identity
        other = await offer_of(RTCPeerConnection())
        with pytest.raises(OperationError, match="must have a=identity that covers its fingerprints"):
            await peers.bob.set_remote_description(other)
        assert peers.bob.remote_description is not None
        assert peers.bob.remote_description.sdp == offer.sdp


async def test_another_identity_closes_the_connection() -> None:
    async with call(ScriptedProvider()) as peers:
        await channel_pair(peers.alice, peers.bob)
        promise = peers.bob.peer_identity
        assert (await promise).name == ALICE
        peers.alice.set_identity_provider(DOMAIN, username_hint=BOB)
        offer = await peers.alice.create_offer()
        with pytest.raises(InvalidModificationError, match=r"must be 'alice@example\.org'"):
            await peers.bob.set_remote_description(offer)
        assert peers.bob.connection_state == "closed"
        assert (await promise).name == ALICE


async def test_descriptions_that_overtake_a_validation() -> None:
    """Fingerprints that arrive while an assertion is validated must be covered by it, too."""
    provider = ScriptedProvider()
    async with call(provider) as peers:
        offer = await offer_of(peers.alice)
        provider.before = partial(trio.sleep, 1)
        promise = peers.bob.peer_identity
        await peers.bob.set_remote_description(offer)
        await peers.bob.set_remote_description(await offer_of(RTCPeerConnection()))
        with pytest.raises(OperationError, match="of the present remote description"):
            await promise


async def test_another_identity_in_a_description_that_overtakes_a_validation() -> None:
    provider = ScriptedProvider()
    async with call(provider) as peers:
        offer = await offer_of(peers.alice)
        peers.alice.set_identity_provider(DOMAIN, username_hint=BOB)
        other = await peers.alice.create_offer()
        provider.before = partial(trio.sleep, 1)
        await peers.bob.set_remote_description(offer)
        await peers.bob.set_remote_description(other)
        assert (await peers.bob.peer_identity).name == ALICE
        await trio.sleep(2)
        assert peers.bob.connection_state == "closed"


@pytest.mark.parametrize("name", [ALICE, BOB, None])
async def test_call_that_is_handed_over_to_another_endpoint(name: str | None) -> None:
    """Another endpoint has other fingerprints (RFC 8827 section 5.4.4): it needs an assertion of the same identity."""
    provider = ScriptedProvider()
    async with call(provider, target=ALICE) as peers:
        await channel_pair(peers.bob, peers.alice)
        settings = settings_for(peers.hosts[0], 9, identity_settings(provider))
        async with RTCPeerConnection(settings=settings) as other:
            if name is not None:
                other.set_identity_provider(DOMAIN, username_hint=name)
            peers.bob.on_ice_candidate = None
            peers.bob.restart_ice()
            await peers.bob.set_local_description()
            await peers.bob.gathering_complete()
            await other.set_remote_description(description_of(peers.bob))
            await other.set_local_description()
            await other.gathering_complete()
            if name == ALICE:
                await peers.bob.set_remote_description(description_of(other))
                await trio.sleep(1)
                assert peers.bob.connection_state == other.connection_state == "connected"
                assert len(provider.validated) == 2
            else:
                expected = InvalidModificationError if name else OperationError
                with pytest.raises(expected):
                    await peers.bob.set_remote_description(description_of(other))
                assert peers.bob.connection_state == ("closed" if name else "connected")
            if name != BOB:
                assert (await peers.bob.peer_identity).name == ALICE


# -- signed assertions ----


def signed_settings(wall_clock: Callable[[], float]) -> Settings:
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    provider = SignedIdentityProvider(
        DOMAIN,
        identity=ALICE,
        signing_key=key,
        keys={ALICE: key.public_key()},
        leeway=0,
        lifetime=60,
        wall_clock=wall_clock,
    )
    return Settings(identity=IdentityOptions(providers={(DOMAIN, "default"): provider}))


async def test_renegotiation_after_the_assertion_has_expired() -> None:
    settings = signed_settings(trio.current_time)
    async with two_peers(settings=settings, configuration=RTCConfiguration(peer_identity=ALICE)) as peers:
        for pc in (peers.alice, peers.bob):
            pc.set_identity_provider(DOMAIN)
        await channel_pair(peers.alice, peers.bob)
        await trio.sleep(100)
        peers.bob.add_transceiver("audio")
        await negotiate(peers.bob, peers.alice)
        for pc in (peers.alice, peers.bob):
            assert await pc.peer_identity == RTCIdentityAssertion(DOMAIN, ALICE)


async def test_expired_assertion_is_refused() -> None:
    settings = signed_settings(trio.current_time)
    async with two_peers(settings=settings, configuration=RTCConfiguration(peer_identity=ALICE)) as peers:
        peers.alice.set_identity_provider(DOMAIN)
        offer = await offer_of(peers.alice)
        await trio.sleep(60)
        assert await detail_of(peers.bob.set_remote_description(offer)) == "idp-token-expired"
        assert peers.bob.remote_description is None


# -- the configuration ----


async def test_target_cannot_be_changed() -> None:
    async with call(ScriptedProvider(), target=ALICE) as peers:
        with pytest.raises(InvalidModificationError, match="must be the target peer identity"):
            peers.bob.set_configuration(RTCConfiguration(peer_identity=BOB))
        peers.bob.set_configuration(RTCConfiguration(peer_identity=ALICE))
        peers.bob.set_configuration(RTCConfiguration())
        assert peers.bob.get_configuration().peer_identity == ALICE
        with pytest.raises(InvalidModificationError, match="must be the target peer identity None"):
            peers.alice.set_configuration(RTCConfiguration(peer_identity=BOB))


async def test_validated_identity_becomes_the_target() -> None:
    async with call(ScriptedProvider()) as peers:
        await peers.bob.set_remote_description(await offer_of(peers.alice))
        await peers.bob.peer_identity
        with pytest.raises(InvalidModificationError):
            peers.bob.set_configuration(RTCConfiguration(peer_identity=BOB))
        peers.bob.set_configuration(RTCConfiguration(peer_identity=ALICE))


async def test_provisional_answers_are_validated() -> None:
    async with call(ScriptedProvider(), target=ALICE) as peers:
        trickle(peers.alice, peers.bob)
        peers.bob.create_data_channel("chat")
        await peers.bob.set_local_description()
        await peers.alice.set_remote_description(description_of(peers.bob))
        await peers.alice.set_local_description({"type": "pranswer"})
        await peers.bob.set_remote_description(description_of(peers.alice))
        assert (await peers.bob.peer_identity).name == ALICE
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))


def test_options_need_no_providers() -> None:
    assert Settings(identity=IdentityOptions()) == Settings()
