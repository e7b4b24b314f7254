"""An identity provider for tests: assertions are JSON and authenticate nothing."""

import json
from collections.abc import Awaitable, Callable
from typing import TypeVar

import attrs

from trio_rtc import (
    IdentityOptions,
    RTCIdentityAssertionResult,
    RTCIdentityProviderDetails,
    RTCIdentityProviderOptions,
    RTCIdentityValidationResult,
    Settings,
)

ResultT = TypeVar("ResultT")

DOMAIN = "example.org"
ALICE = "alice@example.org"
BOB = "bob@example.org"


async def at_once() -> None:
    """Return without a checkpoint."""


@attrs.define
class ScriptedProvider:
    """A provider that asserts the username hint.

    Attributes:
        before: Called before each result.
        result: Replaces a result.
        generated: Contents, origin and options of each request.
        validated: Assertion and origin of each validation.
        running: Number of calls that have not ended.
    """

    before: Callable[[], Awaitable[None]] = at_once
    result: object = None
    generated: list[tuple[str, str, RTCIdentityProviderOptions]] = attrs.field(factory=list)
    validated: list[tuple[str, str]] = attrs.field(factory=list)
    running: int = 0

    async def generate_assertion(
        self, contents: str, origin: str, options: RTCIdentityProviderOptions
    ) -> RTCIdentityAssertionResult:
        self.generated.append((contents, origin, options))
        assertion = json.dumps({"identity": options.username_hint, "contents": contents})
        details = RTCIdentityProviderDetails(DOMAIN, options.protocol)
        return await self._return(RTCIdentityAssertionResult(details, assertion))

    async def validate_assertion(self, assertion: str, origin: str) -> RTCIdentityValidationResult:
        self.validated.append((assertion, origin))
        members = json.loads(assertion)
        return await self._return(RTCIdentityValidationResult(members["identity"], members["contents"]))

    async def _return(self, result: ResultT) -> ResultT:
        self.running += 1
        try:
            await self.before()
        finally:
            self.running -= 1
        return result if self.result is None else self.result  # type: ignore[return-value]


def identity_settings(provider: ScriptedProvider, **options: object) -> Settings:
    """Return settings with a provider for the domain ``example.org``."""
    providers = {(DOMAIN, "default"): provider}
    return Settings(identity=IdentityOptions(providers=providers, **options))  # type: ignore[arg-type]
