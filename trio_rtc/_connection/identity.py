"""The identities of one peer connection (W3C webrtc-identity): local assertions, and validation of remote ones.

Without a target peer identity, the peer's assertion is validated in the background, after its description was applied.
With one, ``set_remote_description`` waits for the validation, and a description that fails it changes nothing.

Fingerprints decide which descriptions a validated assertion covers (RFC 8827 section 5.4.4): a later description with
the same assertion, or without one, is not validated again while its fingerprints were in the contents.
"""

import logging
from collections.abc import Awaitable, Callable, Generator
from typing import TypeVar

import trio

from trio_rtc import _attrs as attrs
from trio_rtc._error_filters import mark_connection_ended
from trio_rtc.enums import RTCErrorDetailTypeIdp
from trio_rtc.errors import (
    InvalidModificationError,
    InvalidStateError,
    OperationError,
    ProtocolError,
    RTCError,
    SyntaxError,
)
from trio_rtc.identity import (
    IdentityOptions,
    RTCIdentityAssertion,
    RTCIdentityAssertionResult,
    RTCIdentityProvider,
    RTCIdentityProviderOptions,
    RTCIdentityValidationResult,
)
from trio_rtc.jsep.identity import (
    CarriedAssertion,
    FingerprintPair,
    Identity,
    contents_of,
    described_fingerprints,
    fingerprints_in,
    identity_value,
    is_authoritative,
    normalized_domain,
    normalized_protocol,
    parsed_identity,
)
from trio_rtc.protocols.sdp import SessionDescription
from trio_rtc.transceivers.connection_context import ConnectionContext

logger = logging.getLogger("trio_rtc.identity")

ResultT = TypeVar("ResultT")


class IdentityPromise(Awaitable[RTCIdentityAssertion]):
    """A promise of the peer's identity, which any number of tasks may await."""

    def __init__(self) -> None:
        self._settled = trio.Event()
        self._outcome: RTCIdentityAssertion | Exception | None = None

    def settle(self, outcome: RTCIdentityAssertion | Exception) -> None:
        """Resolve the promise with an identity, or reject it with an error, unless it is settled."""
        if self._outcome is None:
            self._outcome = outcome
            self._settled.set()

    def __await__(self) -> Generator[object, None, RTCIdentityAssertion]:
        return self._wait().__await__()

    async def _wait(self) -> RTCIdentityAssertion:
        await self._settled.wait()
        assert self._outcome is not None
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


@attrs.frozen
class _Validated:
    """A validated assertion: the value of ``a=identity``, the identity, and the fingerprints in its contents."""

    value: str
    assertion: RTCIdentityAssertion
    identity: Identity
    fingerprints: frozenset[FingerprintPair]


class ConnectionIdentity:
    """Requests assertions for the local descriptions of a connection, and validates those of the peer.

    Args:
        fingerprints: The fingerprints of the local certificate.
        configured: Returns the ``peer_identity`` of the configuration.
        on_validated: Called when the identity of the peer was validated.

    Attributes:
        promise: W3C's ``peerIdentity``.
        login_url: W3C's ``idpLoginUrl``.
        error_info: W3C's ``idpErrorInfo``.
    """

    def __init__(
        self,
        context: ConnectionContext,
        options: IdentityOptions,
        fingerprints: tuple[FingerprintPair, ...],
        *,
        configured: Callable[[], str | None],
        remote: Callable[[], SessionDescription | None],
        close: Callable[[], None],
        on_validated: Callable[[], None],
    ) -> None:
        self._context = context
        self._options = options
        self._fingerprints = fingerprints
        self._configured = configured
        self._remote = remote
        self._close = close
        self._on_validated = on_validated
        self.promise = IdentityPromise()
        self.login_url: str | None = None
        self.error_info: str | None = None
        self._provider: tuple[str, RTCIdentityProviderOptions] | None = None
        self._stored: str | None = None
        self._validated: _Validated | None = None
        # A request or a validation at a time.
        self._requesting = trio.StrictFIFOLock()
        self._validating = trio.StrictFIFOLock()
        self._calls: dict[trio.CancelScope, None] = {}

    @property
    def target(self) -> str | None:
        """W3C's target peer identity: the validated one, else the configured one."""
        return self._configured() if self._validated is None else self._validated.assertion.name

    def close(self) -> None:
        """Cancel the calls of providers, and reject the promise."""
        for scope in self._calls:
            scope.cancel()
        self.promise.settle(_closed_error())

    # -- the local identity ------------------------------------------------------------------------------------

    def set_provider(self, domain: str, options: RTCIdentityProviderOptions) -> None:
        """Set the provider of local assertions; another one discards the stored assertion.

        Raises:
            SyntaxError: The domain or the protocol is malformed.
        """
        try:
            provider = normalized_domain(domain)
            options = attrs.evolve(options, protocol=normalized_protocol(options.protocol))
        except ProtocolError as error:
            raise SyntaxError(str(error)) from None
        if (provider, options) != self._provider:
            self._provider, self._stored = (provider, options), None

    async def request(self) -> str:
        """Return the assertion of the present provider: the stored one, else a new one.

        Raises:
            InvalidStateError: No provider is set.
            RTCError: The provider has failed.
            trio.ClosedResourceError: The connection was closed.
        """
        if self._provider is None:
            raise InvalidStateError("set_identity_provider() must be called before an assertion is requested")
        async with self._requesting:
            while self._stored is None:
                self._require_open()
                provider = self._provider
                requested = await self._generate(*provider)
                if provider == self._provider:
                    self._stored = requested
            return self._stored

    async def for_description(self) -> str | None:
        """Return the assertion for a local description, at once and ``None`` if no provider is set."""
        return None if self._provider is None else await self.request()

    async def _generate(self, domain: str, options: RTCIdentityProviderOptions) -> str:
        if options.peer_identity is None:
            options = attrs.evolve(options, peer_identity=self._configured())
        provider = self._find_provider(domain, options.protocol)
        contents = contents_of(self._fingerprints)
        result = await self._call(
            lambda: provider.generate_assertion(contents, self._options.origin, options),
            RTCIdentityAssertionResult,
        )
        try:
            issuer, protocol = normalized_domain(result.idp.domain), normalized_protocol(result.idp.protocol)
        except ProtocolError as error:
            raise self._failed(RTCError(RTCErrorDetailTypeIdp.IDP_BAD_SCRIPT_FAILURE, str(error))) from error
        value = CarriedAssertion(issuer, protocol, result.assertion).to_value()
        if len(value) > self._options.max_assertion_length:
            message = (
                f"the value of a=identity must have at most {self._options.max_assertion_length} characters, "
                f"not {len(value)}"
            )
            raise self._failed(RTCError(RTCErrorDetailTypeIdp.IDP_BAD_SCRIPT_FAILURE, message))
        return value

    # -- the peer's identity -----------------------------------------------------------------------------------

    async def validate(self, description: SessionDescription) -> None:
        """Validate a remote description before it is applied, if there is a target peer identity.

        Raises:
            OperationError: The assertion is missing or not valid; an ``RTCError`` if the provider has failed.
            InvalidModificationError: The identity is not the one that was validated before; the connection is closed.
            trio.ClosedResourceError: The connection was closed.
        """
        if self.target is None:
            return
        async with self._validating:
            self._require_open()
            try:
                validated = await self._validate(description)
                if validated is not self._validated:
                    self._accept(validated)
            except (OperationError, InvalidModificationError) as error:
                self._reject(error)
                raise

    def validate_later(self, description: SessionDescription) -> None:
        """Validate an applied remote description in the background, if it was not validated before."""
        nursery = self._context.nursery
        if self.target is None and "identity" in description.by_name and nursery is not None:
            nursery.start_soon(self._validate_applied, description)

    async def _validate_applied(self, description: SessionDescription) -> None:
        async with self._validating:
            try:
                self._require_open()
                validated = await self._validate(description)
                if validated is self._validated:
                    return
                remote = self._remote()
                if remote is None or not described_fingerprints(remote) <= validated.fingerprints:
                    raise OperationError(
                        "the assertion must cover the fingerprints of the present remote description"
                    )
                self._accept(validated)
            except (OperationError, InvalidModificationError) as error:
                logger.info("the identity of the peer was not validated: %s", error)
                self._reject(error)
            except trio.ClosedResourceError:
                pass

    async def _validate(self, description: SessionDescription) -> _Validated:
        """Return the validated assertion that covers a description: the present one, or a new one."""
        described = described_fingerprints(description)
        known = self._validated
        try:
            value = identity_value(description)
            if known is not None and value in (None, known.value) and described <= known.fingerprints:
                return known
            if value is None:
                raise OperationError("the description must have a=identity that covers its fingerprints")
            carried = CarriedAssertion.parse(value, self._options.max_assertion_length)
            provider = self._find_provider(carried.domain, carried.protocol)
            result = await self._call(
                lambda: provider.validate_assertion(carried.assertion, self._options.origin),
                RTCIdentityValidationResult,
            )
            fingerprints, identity = fingerprints_in(result.contents), Identity.parse(result.identity)
        except ProtocolError as error:
            raise OperationError(f"the identity is not valid: {error}") from error
        if not described <= fingerprints:
            raise OperationError("the assertion must contain every fingerprint of the description")
        if not is_authoritative(carried.domain, identity, self._options.trusted_domains):
            raise OperationError(
                f"the provider {carried.domain!r} must not assert the identity {result.identity!r} of another "
                "domain; IdentityOptions.trusted_domains permits that"
            )
        assertion = RTCIdentityAssertion(carried.domain, result.identity)
        return _Validated(value, assertion, identity, fingerprints)

    def _accept(self, validated: _Validated) -> None:
        """Record a validated assertion; close the connection if it is not that of the target peer identity."""
        target, known = self.target, self._validated
        if target is not None and parsed_identity(target) != validated.identity:
            message = f"the identity of the peer must be {target!r}, not {validated.assertion.name!r}"
            error = OperationError(message) if known is None else InvalidModificationError(message)
            self._reject(error)
            self._close()
            raise error
        self._validated = validated
        self._context.validated_identity = validated.identity
        self.promise.settle(validated.assertion)
        self._on_validated()

    def _reject(self, error: Exception) -> None:
        self.promise.settle(error)
        if self.target is None:
            self.promise = IdentityPromise()

    # -- calls of providers ------------------------------------------------------------------------------------

    def _find_provider(self, domain: str, protocol: str) -> RTCIdentityProvider:
        provider = self._options.providers.get((domain, protocol))
        if provider is None:
            message = (
                f"no identity provider is registered for the domain {domain!r} and the protocol {protocol!r} "
                "(IdentityOptions.providers)"
            )
            raise self._failed(RTCError(RTCErrorDetailTypeIdp.IDP_LOAD_FAILURE, message))
        return provider

    async def _call(self, operation: Callable[[], Awaitable[ResultT]], kind: type[ResultT]) -> ResultT:
        """Call a provider, and return its result; its errors are raised as ``RTCError``."""
        self.login_url = self.error_info = None
        scope = trio.CancelScope(deadline=trio.current_time() + self._options.timeout)
        self._calls[scope] = None
        result: object = None
        try:
            with scope:
                result = await _without_groups(operation)
        except Exception as error:
            self._require_open()
            raise self._failed(_provider_error(error)) from error
        finally:
            self._calls.pop(scope, None)
        self._require_open()
        if scope.cancelled_caught:
            message = f"the identity provider must return within {self._options.timeout:g} seconds"
            raise self._failed(RTCError(RTCErrorDetailTypeIdp.IDP_TIMEOUT, message))
        if not isinstance(result, kind):
            message = f"the identity provider must return an {kind.__name__}, not {result!r:.100}"
            raise self._failed(RTCError(RTCErrorDetailTypeIdp.IDP_BAD_SCRIPT_FAILURE, message))
        return result

    def _failed(self, error: RTCError) -> RTCError:
        self.login_url, self.error_info = error.idp_login_url, error.idp_error_info
        return error

    def _require_open(self) -> None:
        if self._context.is_closed:
            raise _closed_error()


def _closed_error() -> trio.ClosedResourceError:
    return mark_connection_ended(trio.ClosedResourceError("the peer connection was closed on this side"))


async def _without_groups(operation: Callable[[], Awaitable[ResultT]]) -> ResultT:
    """Call a function; raise the error of a nursery as it is, and a cancellation without errors beside it."""
    try:
        return await operation()
    except BaseExceptionGroup as group:
        errors, others = group.split(Exception)
        if others is not None:
            raise others from None
        assert errors is not None
        error: Exception = errors
        while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        raise error from None


def _provider_error(error: Exception) -> RTCError:
    """Return a provider's error itself if it states a reason, else ``idp-execution-failure``."""
    if isinstance(error, RTCError) and isinstance(error.error_detail, RTCErrorDetailTypeIdp):
        return error
    return RTCError(
        RTCErrorDetailTypeIdp.IDP_EXECUTION_FAILURE,
        f"the identity provider has raised {error!r:.200}",
        idp_error_info=getattr(error, "idp_error_info", None),
    )
