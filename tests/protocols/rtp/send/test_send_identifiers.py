"""The MID and RID elements of packets, and until when they are sent."""

from tests.strategies.rtp_pair import NAMES_ONLY
from trio_rtc.protocols.rtp.packet.extensions import MID, ExtensionMap
from trio_rtc.protocols.rtp.send.identifiers import StreamIdentifiers

MAP = ExtensionMap(NAMES_ONLY)


def test_a_layer_is_named_with_its_section() -> None:
    identifiers = StreamIdentifiers("0", "q", MAP)
    assert identifiers.media_elements == ((4, b"0"), (10, b"q"))
    assert identifiers.repair_elements == ((4, b"0"), (11, b"q"))


def test_without_negotiated_extension_there_is_no_element() -> None:
    identifiers = StreamIdentifiers("0", "q", ExtensionMap({4: MID}))
    assert identifiers.media_elements == identifiers.repair_elements == ((4, b"0"),)
    assert StreamIdentifiers("0", "q", ExtensionMap()).media_elements == ()


def test_an_element_that_does_not_fit_the_one_byte_form_is_omitted() -> None:
    assert StreamIdentifiers("x" * 16, "y" * 17, MAP).media_elements == ((4, b"x" * 16),)


def test_an_acknowledged_stream_has_no_elements() -> None:
    identifiers = StreamIdentifiers("0", None, MAP)
    assert identifiers.media_elements == identifiers.repair_elements == ((4, b"0"),)
    identifiers.acknowledged = True
    assert identifiers.media_elements == identifiers.repair_elements == ()
    # It stays acknowledged when it is negotiated again.
    assert StreamIdentifiers("0", None, MAP, acknowledged=True).media_elements == ()


def test_the_repair_stream_of_a_layer_always_has_elements() -> None:
    identifiers = StreamIdentifiers("0", "q", MAP, acknowledged=True)
    assert identifiers.media_elements == ()
    assert identifiers.repair_elements == ((4, b"0"), (11, b"q"))


def test_a_repair_packet_has_the_elements_of_the_media_with_the_repaired_rid() -> None:
    identifiers = StreamIdentifiers("0", "q", MAP)
    elements = (*identifiers.media_elements, (1, b"loud"))
    assert identifiers.convert_for_repair(elements) == ((4, b"0"), (11, b"q"), (1, b"loud"))
    identifiers.acknowledged = True
    assert identifiers.convert_for_repair(elements) == ((4, b"0"), (11, b"q"), (1, b"loud"))
