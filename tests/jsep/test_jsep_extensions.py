"""Header extensions of sections, and their ids."""

from trio_rtc.enums import RTCRtpTransceiverDirection as Direction
from trio_rtc.jsep.extensions import (
    ExtensionIds,
    HeaderExtension,
    NegotiatedExtension,
    answered_extensions,
    negotiated_extensions,
    offered_extensions,
)
from trio_rtc.protocols.sdp import ExtMap


def test_an_extension_has_one_id_in_a_bundle() -> None:
    ids = ExtensionIds()
    first = offered_extensions([HeaderExtension("urn:a", 3), HeaderExtension("urn:b", 3)], ids)
    assert [(each.id, each.uri) for each in first] == [(3, "urn:a"), (1, "urn:b")]
    assert [each.id for each in offered_extensions([HeaderExtension("urn:b", 7)], ids)] == [1]


def test_ids_run_out() -> None:
    ids = ExtensionIds()
    assigned = [ids.assign(HeaderExtension(f"urn:{number}")) for number in range(255)]
    # 15 is reserved in the one-byte header (RFC 8285 section 4.2).
    assert assigned == [*range(1, 15), *range(16, 256), None]


def test_a_copy_is_independent() -> None:
    ids = ExtensionIds()
    copied = ids.copy()
    copied.reserve(ExtMap(1, None, "urn:a", None))
    assert ids.allows(ExtMap(1, None, "urn:b", None))
    assert not copied.allows(ExtMap(1, None, "urn:b", None))


def test_former_ids_are_kept_where_they_are_free() -> None:
    former, ids = ExtensionIds(), ExtensionIds()
    for number, uri in ((1, "urn:a"), (2, "urn:b"), (3, "urn:c")):
        former.reserve(ExtMap(number, None, uri, None))
    ids.reserve(ExtMap(2, None, "urn:c", None))
    ids.keep(former)
    assert [ids.assign(HeaderExtension(uri, 1)) for uri in ("urn:a", "urn:b", "urn:c")] == [1, 4, 2]


def test_answers_have_the_offered_ids_of_supported_extensions() -> None:
    ours = [HeaderExtension("urn:a", 1), HeaderExtension("urn:b", 2, Direction.SENDONLY)]
    offered = [
        ExtMap(5, None, "urn:b", None),
        ExtMap(6, "sendonly", "urn:a", None),
        ExtMap(7, None, "urn:unknown", None),
        ExtMap(8, None, "urn:a", None),
        ExtMap(300, None, "urn:b", None),
    ]
    assert answered_extensions(ours, offered, ExtensionIds()) == [
        ExtMap(5, "sendonly", "urn:b", None),
        ExtMap(6, "recvonly", "urn:a", None),
    ]


def test_inactive_extensions_are_not_negotiated() -> None:
    ours = [HeaderExtension("urn:a", 1, Direction.SENDONLY)]
    assert answered_extensions(ours, [ExtMap(1, "sendonly", "urn:a", None)], ExtensionIds()) == []
    local = [ExtMap(1, "sendonly", "urn:a", None), ExtMap(2, None, "urn:b", None)]
    remote = [ExtMap(1, "sendonly", "urn:a", None), ExtMap(2, "recvonly", "urn:b", None)]
    assert negotiated_extensions(local, remote) == (NegotiatedExtension(2, "urn:b", Direction.SENDONLY),)


def test_an_extension_with_another_id_is_not_negotiated() -> None:
    local, remote = ExtMap(1, None, "urn:a", None), ExtMap(2, None, "urn:a", None)
    assert negotiated_extensions([local], [remote]) == ()
