"""Validation of a sender's encodings (W3C webrtc sections 5.1 and 5.2)."""

import re
from collections.abc import Iterable, Sequence

from trio_rtc import _attrs as attrs
from trio_rtc.errors import InvalidModificationError, OperationError

from .rtp_parameters import RTCRtpCodec, RTCRtpEncodingParameters, RTCRtpSendParameters

MAX_ENCODINGS = 3
"""Maximum number of simulcast layers of a sender."""

_SCALABILITY_MODES = {"audio": frozenset[str](), "video": frozenset({"L1T1"})}
"""The modes that the encoders of a kind support (W3C webrtc-svc section 6)."""

# RFC 8851 section 10 allows more characters and sets no limit. Browsers accept 16 letters and digits.
_RID = re.compile(r"[A-Za-z0-9]{1,16}")


def is_rid(text: str) -> bool:
    """Return whether a string can be the RID of an encoding."""
    return _RID.fullmatch(text) is not None


def initial_encodings(
    kind: str, send_encodings: Sequence[RTCRtpEncodingParameters], capabilities: Sequence[RTCRtpCodec]
) -> list[RTCRtpEncodingParameters]:
    """Return the encodings of a new sender (W3C webrtc section 5.1, ``addTransceiver``).

    Raises:
        TypeError: A RID is invalid, or one of several encodings has no RID or that of another one.
        ValueError: A number is out of range.
        OperationError: A codec cannot be sent, or no codec of the kind supports a scalability mode.
    """
    encodings = [attrs.evolve(encoding) for encoding in send_encodings] or [RTCRtpEncodingParameters()]
    _check_rids(encodings)
    _remove_video_members(kind, encodings)
    for encoding in encodings:
        _check_numbers(encoding)
        if encoding.codec is not None and not any(encoding.codec.matches(known) for known in capabilities):
            raise OperationError(
                f"send_encodings: {encoding.codec.mime_type} cannot be sent; see RTCRtpSender.get_capabilities()"
            )
        # W3C webrtc-svc section 4.2.1
        if (problem := _scalability_problem(kind, encoding)) is not None:
            raise OperationError(f"send_encodings: {problem}")
    del encodings[MAX_ENCODINGS if kind == "video" else 1 :]
    if kind == "video":
        _set_default_scales(encodings)
    if len(encodings) == 1:
        encodings[0].rid = None
    return encodings


def proposed_encodings(rids: Iterable[str]) -> list[RTCRtpEncodingParameters]:
    """Return the encodings for a peer's offer to receive simulcast (W3C webrtc section 4.4.1.5)."""
    encodings = [RTCRtpEncodingParameters(rid) for rid in dict.fromkeys(rids)][:MAX_ENCODINGS]
    _set_default_scales(encodings)
    return encodings


def check_parameters(
    kind: str,
    given: RTCRtpSendParameters,
    last: RTCRtpSendParameters,
    codecs: Sequence[RTCRtpCodec],
) -> list[RTCRtpEncodingParameters]:
    """Check the parameters of ``set_parameters`` and return their encodings (W3C webrtc section 5.2).

    Args:
        kind: ``"audio"`` or ``"video"``.
        given: The new parameters.
        last: The last result of ``get_parameters``.
        codecs: The codecs from which an encoding may choose.

    Raises:
        InvalidModificationError: A fixed member was changed, a codec or scalability mode is not supported, or the
            parameters are not from the last ``get_parameters``.
        ValueError: A number is out of range.
    """
    if given.transaction_id != last.transaction_id:
        raise InvalidModificationError("the parameters must be the last result of get_parameters()")
    if [each.rid for each in given.encodings] != [each.rid for each in last.encodings]:
        raise InvalidModificationError("the number and the RIDs of encodings cannot be changed")
    if (given.codecs, given.header_extensions, given.rtcp) != (
        last.codecs,
        last.header_extensions,
        last.rtcp,
    ):
        raise InvalidModificationError(
            "codecs, header_extensions and rtcp are negotiated and cannot be changed"
        )
    encodings = [attrs.evolve(encoding) for encoding in given.encodings]
    _remove_video_members(kind, encodings)
    for encoding in encodings:
        if encoding.codec is not None and not any(encoding.codec.matches(known) for known in codecs):
            raise InvalidModificationError(
                f"codec must be one of {[known.mime_type for known in codecs]}, not {encoding.codec.mime_type!r}"
            )
        # W3C webrtc-svc section 4.2.2
        if (problem := _scalability_problem(kind, encoding)) is not None:
            raise InvalidModificationError(problem)
        _check_numbers(encoding)
        if kind == "video" and encoding.scale_resolution_down_by is None:
            encoding.scale_resolution_down_by = 1.0
    return encodings


def _scalability_problem(kind: str, encoding: RTCRtpEncodingParameters) -> str | None:
    """Return why the scalability mode of an encoding is not supported; ``None`` if it is."""
    mode, supported = encoding.scalability_mode, _SCALABILITY_MODES[kind]
    if mode is None or mode in supported:
        return None
    return f"scalability_mode of {kind} must be {' or '.join([*map(repr, sorted(supported)), 'None'])}, not {mode!r}"


def _remove_video_members(kind: str, encodings: Iterable[RTCRtpEncodingParameters]) -> None:
    if kind == "audio":
        for encoding in encodings:
            encoding.scale_resolution_down_by = encoding.max_framerate = None


def _check_rids(encodings: Sequence[RTCRtpEncodingParameters]) -> None:
    rids = [encoding.rid for encoding in encodings]
    for rid in rids:
        if rid is None:
            if len(rids) > 1:
                raise TypeError(f"with several encodings each must have a rid, not {rids!r}")
        elif not is_rid(rid):
            raise TypeError(f"a rid must consist of 1 to 16 letters and digits, not {rid!r}")
    if len(set(rids)) != len(rids):
        raise TypeError(f"each encoding must have a rid of its own, not {rids!r}")


def _check_numbers(encoding: RTCRtpEncodingParameters) -> None:
    scale, rate, bitrate = encoding.scale_resolution_down_by, encoding.max_framerate, encoding.max_bitrate
    if scale is not None and not scale >= 1:
        raise ValueError(f"scale_resolution_down_by must be at least 1, not {scale}")
    if rate is not None and not rate >= 0:
        raise ValueError(f"max_framerate must be at least 0, not {rate}")
    if bitrate is not None and not 0 <= bitrate < 1 << 32:
        raise ValueError(f"max_bitrate must be an int from 0 to 4294967295, not {bitrate}")


def _set_default_scales(encodings: Sequence[RTCRtpEncodingParameters]) -> None:
    """Set the default scales: powers of two if no layer has a scale, else 1 where it is missing."""
    has_none = all(encoding.scale_resolution_down_by is None for encoding in encodings)
    for index, encoding in enumerate(encodings):
        if has_none:
            encoding.scale_resolution_down_by = 2.0 ** (len(encodings) - index - 1)
        elif encoding.scale_resolution_down_by is None:
            encoding.scale_resolution_down_by = 1.0
