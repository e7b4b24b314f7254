"""Codecs of sections, and their comparison (RFC 3264 section 6.1 and each payload format).

A codec here is a name, a clock rate and the parameters of ``a=fmtp``; encoders and decoders are elsewhere.
"""

import functools
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from trio_rtc import _attrs as attrs

RTX = "rtx"
RED = "red"
ULPFEC = "ulpfec"
FLEXFEC = "flexfec-03"
TELEPHONE_EVENT = "telephone-event"
COMFORT_NOISE = "cn"

_NOT_MEDIA = frozenset({RTX, RED, ULPFEC, FLEXFEC, TELEPHONE_EVENT, COMFORT_NOISE})
# Constrained baseline at level 3.1, as in libwebrtc. The default of RFC 6184 section 8.1 is baseline at level 1, but
# peers that omit the parameter do not mean that.
_DEFAULT_PROFILE_LEVEL_ID = "42e01f"
_H264_LEVEL_1B = 11
_CONSTRAINT_SET_1, _CONSTRAINT_SET_3 = 0x40, 0x10


def _frozen(parameters: Mapping[str, str]) -> Mapping[str, str]:
    return parameters if isinstance(parameters, MappingProxyType) else MappingProxyType(dict(parameters))


@attrs.frozen
class Codec:
    """A codec with its parameters; also retransmission, redundancy, events and noise, which are negotiated alike.

    Attributes:
        name: The encoding name, as in ``a=rtpmap``; case does not matter when codecs are compared.
        clock_rate: Units of the RTP timestamp in a second.
        channels: Number of audio channels; 1 where ``a=rtpmap`` has none.
        parameters: The parameters of ``a=fmtp`` by name. A text that is not a list of ``name=value`` (``0-15`` of
            telephone-event) has the name ``""``. Parameters that name other payload types (``apt`` of rtx, the list
            of red) are absent from capabilities: the session adds them.
        rtcp_feedback: The kinds of ``a=rtcp-fb``, such as ``"nack pli"``.
        payload_type: The number preferred in offers, ``None`` for any that is free.
        receive_only: Whether it is offered only in sections that do not send: a profile that is decoded, but not
            encoded.
        key: The name in lower case.
        encoding: The members of ``a=rtpmap``: name, clock rate and channels, without the parameters.
        refers: Whether its parameters name the payload type of another codec: rtx, and red for audio.
    """

    name: str
    clock_rate: int
    channels: int = 1
    parameters: Mapping[str, str] = attrs.field(factory=dict, converter=_frozen, hash=False)
    rtcp_feedback: tuple[str, ...] = ()
    payload_type: int | None = attrs.field(default=None, eq=False)
    receive_only: bool = attrs.field(default=False, eq=False)
    # Compared tens of thousands of times in a description of hundreds of sections.
    key: str = attrs.field(init=False, eq=False, repr=False)
    encoding: tuple[str, int, int] = attrs.field(init=False, eq=False, repr=False)
    refers: bool = attrs.field(init=False, eq=False, repr=False)

    @key.default
    def _find_key(self) -> str:
        return self.name.lower()

    @encoding.default
    def _find_encoding(self) -> tuple[str, int, int]:
        return (self.key, self.clock_rate, self.channels)

    @refers.default
    def _find_refers(self) -> bool:
        return self.key == RTX or (self.key == RED and self.clock_rate == 48000)

    def with_feedback(self, kinds: Iterable[str]) -> "Codec":
        """Return the codec with these kinds of feedback."""
        feedback = tuple(kinds)
        return self if feedback == self.rtcp_feedback else attrs.evolve(self, rtcp_feedback=feedback)

    @functools.cached_property
    def format_identity(self) -> tuple[object, ...] | None:
        """The parameters that must be equal in two same codecs; ``None`` for a codec that equals no other."""
        identify = _FORMAT_IDENTITIES.get(self.key)
        return () if identify is None else identify(self.parameters)

    @property
    def is_media(self) -> bool:
        """Whether it carries media, not repair of other packets, events or noise."""
        return self.key not in _NOT_MEDIA

    def is_called(self, name: str) -> bool:
        """Return whether the codec has this encoding name, compared without case."""
        return self.key == name.lower()


@attrs.frozen
class NegotiatedCodec:
    """A codec of one section under its payload type.

    Attributes:
        payload_type: Its payload type in packets.
        codec: The codec, with the receiver's parameters.
        associated_payload_type: For rtx and for red of audio, the payload type of the carried codec.
        rtx_payload_type: The payload type of its retransmissions, ``None`` without rtx.
    """

    payload_type: int
    codec: Codec
    associated_payload_type: int | None = None
    rtx_payload_type: int | None = None

    def with_codec(self, codec: Codec) -> "NegotiatedCodec":
        """Return the format with another codec."""
        if codec is self.codec:
            return self
        return NegotiatedCodec(self.payload_type, codec, self.associated_payload_type, self.rtx_payload_type)


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


def is_same_encoding(one: Codec, other: Codec) -> bool:
    """Return whether two codecs are equal apart from their parameters, such as the profile."""
    return one.encoding == other.encoding


def is_same_codec(one: Codec, other: Codec) -> bool:
    """Return whether two codecs are the same in an offer and its answer; declarative parameters may differ.

    Each payload format defines the parameters that must agree: RFC 6184 section 8.2.2 (H.264), RFC 9628 section 6
    (VP9), RFC 7798 section 7.2.2 (H.265), section 7.2.3 of AV1's.
    """
    if one.encoding != other.encoding:
        return False
    identity = one.format_identity
    return identity is not None and identity == other.format_identity


def answered_codec(ours: Codec, offered: Codec) -> Codec:
    """Return the local codec with the parameters of an answer to ``offered``."""
    parameters = ours.parameters
    if ours.key == "h264":
        parameters = _answered_h264(parameters, offered.parameters)
    elif ours.key == "h265":
        level = min(_number(ours.parameters, "level-id", 93), _number(offered.parameters, "level-id", 93))
        parameters = {**parameters, "level-id": str(level)}
    feedback = tuple(kind for kind in offered.rtcp_feedback if kind in ours.rtcp_feedback)
    if parameters == ours.parameters and feedback == ours.rtcp_feedback:
        return ours
    return attrs.evolve(ours, parameters=parameters, rtcp_feedback=feedback)


def is_other_profile(ours: Codec, offered: Codec) -> bool:
    """Return whether an offered codec is another profile of a local one and can be depacketized here.

    Where nothing is decoded, the profile matters only to the receivers of forwarded frames.
    """
    name = ours.name.lower()
    if name not in _FORMAT_IDENTITIES or not is_same_encoding(ours, offered):
        return False
    if name == "h264":
        # RFC 6184 section 8.2.2: the mode is part of the format. Mode 2 interleaves.
        mode = _number(offered.parameters, "packetization-mode", 0)
        return mode == _number(ours.parameters, "packetization-mode", 0) and mode < 2
    tx_modes = [each.parameters.get("tx-mode", "SRST").upper() for each in (ours, offered)]
    return tx_modes[0] == tx_modes[1]


def fits_encoders(codec: Codec) -> bool:
    """Return whether the encoders here produce this profile, or one that every decoder of it supports.

    They make constrained baseline of H.264, which all decoders of the others know but for Extended, and the lowest
    profile of VP9, AV1 and H.265. Decoders of AV1 know the profiles below, those of VP9 need not.
    """
    if codec.is_called("vp9"):
        return _number(codec.parameters, "profile-id", 0) == 0
    if codec.is_called("h265"):
        return _number(codec.parameters, "profile-id", 1) in (1, 2)
    return True


def _number(parameters: Mapping[str, str], name: str, default: int) -> int:
    text = parameters.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else default


def _profile_level_id(parameters: Mapping[str, str]) -> tuple[int, int, int] | None:
    text = parameters.get("profile-level-id", _DEFAULT_PROFILE_LEVEL_ID)
    try:
        profile, constraints, level = bytes.fromhex(text)
    except ValueError:
        return None
    return profile, constraints, level


def _h264_profile(parameters: Mapping[str, str]) -> str | None:
    """Return the name of the profile (RFC 6184 section 8.1, table 5), ``None`` if it is malformed."""
    parsed = _profile_level_id(parameters)
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
    return None if profile is None else (profile, _number(parameters, "packetization-mode", 0))


def _h264_level(parsed: tuple[int, int, int]) -> float:
    profile, constraints, level = parsed
    is_1b = level == _H264_LEVEL_1B and profile in (0x42, 0x4D, 0x58) and constraints & _CONSTRAINT_SET_3
    return 10.5 if is_1b else float(level)


def _answered_h264(ours: Mapping[str, str], offered: Mapping[str, str]) -> dict[str, str]:
    """Return the local parameters, with the lower of both levels unless both sides allow asymmetric levels."""
    asymmetric = ours.get("level-asymmetry-allowed") == offered.get("level-asymmetry-allowed") == "1"
    answered = dict(ours)
    if not asymmetric:
        answered.pop("level-asymmetry-allowed", None)
        mine, theirs = _profile_level_id(ours), _profile_level_id(offered)
        if mine is not None and theirs is not None and _h264_level(theirs) < _h264_level(mine):
            answered["profile-level-id"] = bytes(theirs).hex()
    return answered


def _h265_identity(parameters: Mapping[str, str]) -> tuple[object, ...]:
    return (
        _number(parameters, "profile-space", 0),
        _number(parameters, "profile-id", 1),
        _number(parameters, "tier-flag", 0),
        parameters.get("tx-mode", "SRST").upper(),
    )


_FORMAT_IDENTITIES: Mapping[str, Callable[[Mapping[str, str]], tuple[object, ...] | None]] = {
    "h264": _h264_identity,
    "h265": _h265_identity,
    "vp9": lambda parameters: (_number(parameters, "profile-id", 0),),
    "av1": lambda parameters: (_number(parameters, "profile", 0),),
}
