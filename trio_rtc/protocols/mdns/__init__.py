"""Multicast DNS (RFC 6762) for ICE: asking for the ``.local`` names of candidates, and answering for our own."""

from .events import MdnsClosed, MdnsEvent, NameResolved, ResolutionFailed
from .message import AddressRecord, Message, Question, RecordType, name_from_text
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
    "Message",
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
