"""Codecs in offers and answers: the parameters of an answer, and the profiles that can be sent and received."""

from collections.abc import Mapping

from trio_rtc import _attrs as attrs
from trio_rtc.protocols.rtp.codec import Codec, is_same_codec, number_parameter, profile_level_id

_PROFILED = frozenset({"h264", "h265", "vp9", "av1"})
_H264_LEVEL_1B = 11
_CONSTRAINT_SET_3 = 0x10


def answered_codec(ours: Codec, offered: Codec, refused_feedback: str | None = None) -> Codec:
    """Return the local codec as an answer to ``offered``: with its payload types and the feedback of both.

    ``refused_feedback`` is a kind of feedback that both may have, but the answer has not.
    """
    parameters = ours.parameters
    if ours.refers or not is_same_codec(ours, offered):
        parameters = offered.parameters
    elif ours.key == "h264":
        parameters = _answered_h264(parameters, offered.parameters)
    elif ours.key == "h265":
        levels = [number_parameter(each.parameters, "level-id", 93) for each in (ours, offered)]
        parameters = {**parameters, "level-id": str(min(levels))}
    return attrs.evolve(
        ours,
        payload_type=offered.payload_type,
        parameters=parameters,
        feedback=tuple(
            kind for kind in offered.feedback if kind in ours.feedback and kind != refused_feedback
        ),
        rtx_payload_type=offered.rtx_payload_type,
    )


def is_other_profile(ours: Codec, offered: Codec) -> bool:
    """Return whether an offered codec is another profile of a local one and can be depacketized here.

    Where nothing is decoded, the profile matters only to the receivers of forwarded frames.
    """
    if ours.key not in _PROFILED or ours.encoding != offered.encoding:
        return False
    if ours.key == "h264":
        # RFC 6184 section 8.2.2: the mode is part of the format. Mode 2 interleaves.
        mode = number_parameter(offered.parameters, "packetization-mode", 0)
        return mode == number_parameter(ours.parameters, "packetization-mode", 0) and mode < 2
    tx_modes = [each.parameters.get("tx-mode", "SRST").upper() for each in (ours, offered)]
    return tx_modes[0] == tx_modes[1]


def fits_encoders(codec: Codec) -> bool:
    """Return whether the encoders here produce this profile, or one that every decoder of it supports.

    They make constrained baseline of H.264, which all decoders of the others know but for Extended, and the lowest
    profile of VP9, AV1 and H.265. Decoders of AV1 know the profiles below, those of VP9 need not.
    """
    if codec.key == "vp9":
        return number_parameter(codec.parameters, "profile-id", 0) == 0
    if codec.key == "h265":
        return number_parameter(codec.parameters, "profile-id", 1) in (1, 2)
    return True


def _h264_level(parsed: tuple[int, int, int]) -> float:
    profile, constraints, level = parsed
    is_1b = level == _H264_LEVEL_1B and profile in (0x42, 0x4D, 0x58) and constraints & _CONSTRAINT_SET_3
    return 10.5 if is_1b else float(level)


def _answered_h264(ours: Mapping[str, str], offered: Mapping[str, str]) -> Mapping[str, str]:
    """Return the local parameters, with the lower of both levels unless both sides allow asymmetric levels."""
    if ours.get("level-asymmetry-allowed") == offered.get("level-asymmetry-allowed") == "1":
        return ours
    answered = dict(ours)
    answered.pop("level-asymmetry-allowed", None)
    mine, theirs = profile_level_id(ours), profile_level_id(offered)
    if mine is not None and theirs is not None and _h264_level(theirs) < _h264_level(mine):
        answered["profile-level-id"] = bytes(theirs).hex()
    return answered
