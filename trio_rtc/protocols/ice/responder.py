"""Authentication of received checks, and responses to them (RFC 8489 section 9.1.3, RFC 8445 section 7.3)."""

from collections.abc import Sequence

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols._contract import Address
from trio_rtc.protocols.stun import ErrorCode, Message, error_response, success_response

from .generation import Generation

BAD_REQUEST = ErrorCode(400, "Bad Request")
UNAUTHENTICATED = ErrorCode(401, "Unauthenticated")
UNKNOWN_ATTRIBUTE = ErrorCode(420, "Unknown Attribute")
ROLE_CONFLICT = ErrorCode(487, "Role Conflict")


@attrs.frozen
class ErrorResponse:
    """Encoded error response to an invalid check, which is authentic if its message integrity is valid."""

    error: ErrorCode
    response: bytes
    is_authentic: bool


@attrs.frozen
class PeerCheck:
    """An authentic check of the peer, with the generation whose credentials it has."""

    request: Message
    generation: Generation
    remote_username_fragment: str
    priority: int
    use_candidate: bool

    @property
    def _key(self) -> bytes:
        return self.generation.local.password.encode()

    def accept(self, remote: Address) -> bytes:
        """Return the success response, with the source address of the request as XOR-MAPPED-ADDRESS."""
        return success_response(self.request, remote).encode(key=self._key)

    def refuse(self, error: ErrorCode) -> bytes:
        return error_response(self.request, error).encode(key=self._key)


def authenticate_request(request: Message, generations: Sequence[Generation]) -> PeerCheck | ErrorResponse:
    """Authenticate a request. No attribute but USERNAME is read before that."""
    try:
        username = request.username
    except ProtocolError:
        username = None
    if username is None or not request.has_integrity:
        return _refuse(request, BAD_REQUEST)
    local_fragment, _, remote_fragment = username.partition(":")
    generation = next((item for item in generations if item.local.username_fragment == local_fragment), None)
    if generation is None or not request.has_valid_integrity(generation.local.password.encode()):
        return _refuse(request, UNAUTHENTICATED)
    key = generation.local.password.encode()
    unknown = request.unknown_required_attributes()
    if unknown:
        return _refuse(request, UNKNOWN_ATTRIBUTE, key, unknown)
    try:
        priority = request.priority
    except ProtocolError:
        priority = None
    if priority is None:
        return _refuse(request, BAD_REQUEST, key)
    return PeerCheck(request, generation, remote_fragment, priority, request.use_candidate)


def _refuse(
    request: Message, error: ErrorCode, key: bytes | None = None, unknown: tuple[int, ...] = ()
) -> ErrorResponse:
    return ErrorResponse(error, error_response(request, error, unknown).encode(key=key), key is not None)
