"""Multicast DNS (RFC 6762) for ICE: resolution of the ``.local`` names of remote candidates, and a responder."""

from .events import MdnsClosed, MdnsEvent, NameResolved, ResolutionFailed
from .message import AddressRecord, DnsMessage, Question, RecordType, name_from_text
from .options import ResolverOptions, ResponderOptions
from .resolver import Resolver
from .responder import Responder

GROUP_IPV4 = "224.0.0.251"
GROUP_IPV6 = "ff02::fb"
PORT = 5353

__all__ = [
    "GROUP_IPV4",
    "GROUP_IPV6",
    "PORT",
    "AddressRecord",
    "MdnsClosed",
    "MdnsEvent",
    "DnsMessage",
    "NameResolved",
    "Question",
    "RecordType",
    "ResolutionFailed",
    "Resolver",
    "ResolverOptions",
    "Responder",
    "ResponderOptions",
    "name_from_text",
]
