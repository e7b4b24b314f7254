"""The codec of a payload type, and when two codecs are the same (RFC 3264 section 6.1 and each payload format).

This is the one model of a codec below W3C's dictionaries: capabilities, offers, answers and RTP share it. It has the
members of ``a=rtpmap``, ``a=fmtp`` and ``a=rtcp-fb``; encoders and decoders are elsewhere.
"""

import enum
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from trio_rtc import _attrs as attrs

RTX = "rtx"
RED = "red"
ULPFEC = "ulpfec"
FLEXFEC = "flexfec-03"
TELEPHONE_EVENT = "telephone-event"
COMFORT_NOISE = "cn"
UNASSIGNED: Final = -1
"""The payload type of a codec that may have any free one."""

# Constrained baseline at level 3.1, as in libwebrtc. The default of RFC 6184 section 8.1 is baseline at level 1, but
# peers that omit the parameter do not mean that.
_DEFAULT_PROFILE_LEVEL_ID = "42e01f"
_CONSTRAINT_SET_1 = 0x40


class CodecRole(enum.Enum):
    """The role of the packets of a payload type."""

    MEDIA = "media"
    BETWEEN = "between"
    """Telephone events and comfort noise, which share the stream of the audio."""
    RTX = RTX
    RED = RED
    ULPFEC = ULPFEC
    FLEXFEC = FLEXFEC


_ROLES = {
    RTX: CodecRole.RTX,
    RED: CodecRole.RED,
    ULPFEC: CodecRole.ULPFEC,
    FLEXFEC: CodecRole.FLEXFEC,
    TELEPHONE_EVENT: CodecRole.BETWEEN,
    COMFORT_NOISE: CodecRole.BETWEEN,
}


def _frozen(parameters: Mapping[str, str]) -> Mapping[str, str]:
    return parameters if isinstance(parameters, MappingProxyType) else MappingProxyType(dict(parameters))


@attrs.frozen
class Codec:
    """A codec with its payload type and parameters; also retransmission, redundancy, events and noise.

    Attributes:
        payload_type: 0 to 127; in capabilities the preferred one, or ``UNASSIGNED``.
        name: The encoding name, as in ``a=rtpmap``; case does not matter when codecs are compared.
        clock_rate: Units of the RTP timestamp per second.
        channels: The channels of audio; 1 where ``a=rtpmap`` has none.
        parameters: The receiver's parameters of ``a=fmtp`` by name. A text that is not a list of ``name=value``
            (``0-15`` of telephone-event) has the name ``""``. Parameters that name other payload types (``apt`` of rtx,
            the list of red) are absent from capabilities: JSEP adds them.
        feedback: The kinds of ``a=rtcp-fb``, such as ``"nack pli"``.
        rtx_payload_type: The payload type of its retransmissions; ``None`` for none.
        receive_only: Whether it is offered only in sections that do not send: a profile that is decoded, but not
            encoded.
        key: The name in lower case.
        encoding: The members of ``a=rtpmap``: name, clock rate and channels, without the parameters.
        role: The role of its packets.
        is_media: Whether it carries media, not retransmissions, error correction, events or noise.
        refers: Whether its parameters name the payload type of another codec: rtx, and red for audio.
        associated_payload_type: That payload type; ``None`` without one.
        format_identity: The parameters that must be equal in two same codecs; ``None`` for a codec that equals no
            other.
    """

    payload_type: int
    name: str
    clock_rate: int
    channels: int = 1
    parameters: Mapping[str, str] = attrs.field(factory=dict, converter=_frozen, hash=False)
    feedback: tuple[str, ...] = ()
    rtx_payload_type: int | None = None
    receive_only: bool = attrs.field(default=False, eq=False)
    # Computed once: RTP reads them with every packet, and an offer of hundreds of sections compares them tens of
    # thousands of times.
    key: str = attrs.field(init=False, eq=False, repr=False)
    encoding: tuple[str, int, int] = attrs.field(init=False, eq=False, repr=False)
    role: CodecRole = attrs.field(init=False, eq=False, repr=False)
    is_media: bool = attrs.field(init=False, eq=False, repr=False)
    refers: bool = attrs.field(init=False, eq=False, repr=False)
    associated_payload_type: int | None = attrs.field(init=False, eq=False, repr=False)
    format_identity: tuple[object, ...] | None = attrs.field(init=False, eq=False, repr=False)

    @key.default
    def _find_key(self) -> str:
        return self.name.lower()

    @encoding.default
    def _find_encoding(self) -> tuple[str, int, int]:
        return (self.key, self.clock_rate, self.channels)

    @role.default
    def _find_role(self) -> CodecRole:
        return _ROLES.get(self.key, CodecRole.MEDIA)

    @is_media.default
    def _find_is_media(self) -> bool:
        return self.role is CodecRole.MEDIA

    @refers.default
    def _find_refers(self) -> bool:
        return self.key == RTX or (self.key == RED and self.clock_rate == 48000)

    @associated_payload_type.default
    def _find_associated(self) -> int | None:
        if self.key == RTX:
            text = self.parameters.get("apt", "")
        elif self.key == RED:
            # 111/111: the codec itself, once per generation. Mixtures of codecs are not supported.
            generations = set(self.parameters.get("", "").split("/"))
            text = generations.pop() if len(generations) == 1 else ""
        else:
            return None
        return int(text) if text.isascii() and text.isdigit() and len(text) <= 3 else None

    @format_identity.default
    def _find_identity(self) -> tuple[object, ...] | None:
        identify = _FORMAT_IDENTITIES.get(self.key)
        return () if identify is None else identify(self.parameters)

    def is_called(self, name: str) -> bool:
        """Return whether the codec has this encoding name, compared without case."""
        return self.key == name.lower()

    def with_payload_type(self, payload_type: int) -> "Codec":
        """Return the codec with another payload type."""
        return self if payload_type == self.payload_type else attrs.evolve(self, payload_type=payload_type)

    def with_feedback(self, kinds: Iterable[str]) -> "Codec":
        """Return the codec with these kinds of feedback."""
        feedback = tuple(kinds)
        return self if feedback == self.feedback else attrs.evolve(self, feedback=feedback)

    def with_rtx(self, payload_type: int | None) -> "Codec":
        """Return the codec with this payload type for its retransmissions."""
        if payload_type == self.rtx_payload_type:
            return self
        return attrs.evolve(self, rtx_payload_type=payload_type)


def parse_parameters(text: str) -> Mapping[str, str]:
    """Return the parameters of an ``a=fmtp`` by lower-case name; the first of duplicates."""
    if "=" not in text:
        return {"": text.strip()} if text.strip() else {}
    parameters: dict[str, str] = {}
    for item in text.split(";"):
        name, _, value = item.strip().partition("=")
        if name:
            parameters.setdefault(name.strip().lower(), value.strip())
    return parameters


def format_parameters(parameters: Mapping[str, str]) -> str:
    """Return parameters in the form of ``a=fmtp``."""
    return ";".join(f"{name}={value}" if name else value for name, value in parameters.items())


def is_same_codec(one: Codec, other: Codec) -> bool:
    """Return whether two codecs are the same in an offer and its answer; declarative parameters may differ.

    Each payload format defines the parameters that must agree: RFC 6184 section 8.2.2 (H.264), RFC 9628 section 6
    (VP9), RFC 7798 section 7.2.2 (H.265), section 7.2.3 of AV1's.
    """
    if one.encoding != other.encoding:
        return False
    identity = one.format_identity
    return identity is not None and identity == other.format_identity


def number_parameter(parameters: Mapping[str, str], name: str, default: int) -> int:
    """Return a parameter that is a number of at most nine digits; the default if it is absent or malformed."""
    text = parameters.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else default


def profile_level_id(parameters: Mapping[str, str]) -> tuple[int, int, int] | None:
    """Return the three bytes of H.264's ``profile-level-id``; ``None`` if it is malformed."""
    text = parameters.get("profile-level-id", _DEFAULT_PROFILE_LEVEL_ID)
    try:
        profile, constraints, level = bytes.fromhex(text)
    except ValueError:
        return None
    return profile, constraints, level


def _h264_profile(parameters: Mapping[str, str]) -> str | None:
    """Return the name of the profile (RFC 6184 section 8.1, table 5), ``None`` if it is malformed."""
    parsed = profile_level_id(parameters)
    if parsed is None:
        return None
    profile, constraints, _ = parsed
    if profile == 0x42:
        return "constrained baseline" if constraints & _CONSTRAINT_SET_1 else "baseline"
    if profile == 0x4D:
        return "constrained baseline" if constraints & 0x80 else "main"
    if profile == 0x58:
        if constraints & 0xC0 == 0xC0:
            return "constrained baseline"
        return "baseline" if constraints & 0x80 else "extended"
    if profile == 0x64:
        return "constrained high" if constraints & 0x0C == 0x0C else "high"
    return f"{profile:02x}{constraints:02x}"


def _h264_identity(parameters: Mapping[str, str]) -> tuple[object, ...] | None:
    profile = _h264_profile(parameters)
    # A malformed profile equals no other, not even itself.
    return None if profile is None else (profile, number_parameter(parameters, "packetization-mode", 0))


def _h265_identity(parameters: Mapping[str, str]) -> tuple[object, ...]:
    return (
        number_parameter(parameters, "profile-space", 0),
        number_parameter(parameters, "profile-id", 1),
        number_parameter(parameters, "tier-flag", 0),
        parameters.get("tx-mode", "SRST").upper(),
    )


_FORMAT_IDENTITIES: Mapping[str, Callable[[Mapping[str, str]], tuple[object, ...] | None]] = {
    "h264": _h264_identity,
    "h265": _h265_identity,
    "vp9": lambda parameters: (number_parameter(parameters, "profile-id", 0),),
    "av1": lambda parameters: (number_parameter(parameters, "profile", 0),),
}
