"""STUN (RFC 8489): messages, short-term integrity, and client transactions over UDP."""

from .attributes import (
    COMPREHENDED,
    AttributeType,
    ErrorCode,
    StunAttribute,
    encode_address,
    encode_error_code,
    encode_unknown_attributes,
    xor_address,
)
from .client import Client
from .credentials import LongTermCredentials, PasswordAlgorithm, SignedAttributes
from .events import FailureReason, ResponseReceived, StunEvent, TransactionFailed
from .message import (
    IntegrityAlgorithm,
    Message,
    MessageClass,
    Method,
    binding_request,
    error_response,
    is_stun,
    long_term_key,
    success_response,
)
from .options import TransactionOptions

__all__ = [
    "COMPREHENDED",
    "StunAttribute",
    "AttributeType",
    "Client",
    "ErrorCode",
    "FailureReason",
    "IntegrityAlgorithm",
    "LongTermCredentials",
    "Message",
    "MessageClass",
    "Method",
    "PasswordAlgorithm",
    "ResponseReceived",
    "SignedAttributes",
    "StunEvent",
    "TransactionFailed",
    "TransactionOptions",
    "binding_request",
    "encode_address",
    "encode_error_code",
    "encode_unknown_attributes",
    "error_response",
    "is_stun",
    "long_term_key",
    "success_response",
    "xor_address",
]
