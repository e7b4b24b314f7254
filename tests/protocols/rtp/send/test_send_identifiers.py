"""What packets say of where they belong, and until when."""

from tests.strategies.rtp_pair import NAMES_ONLY
from trio_rtc.protocols.rtp.packet.extensions import MID, ExtensionMap
from trio_rtc.protocols.rtp.send.identifiers import StreamIdentifiers

MAP = ExtensionMap(NAMES_ONLY)


def test_a_layer_is_said_with_its_section() -> None:
    names = StreamIdentifiers("0", "q", MAP)
    assert names.of_media == ((4, b"0"), (10, b"q"))
    assert names.of_repairs == ((4, b"0"), (11, b"q"))


def test_nothing_is_said_that_was_not_negotiated() -> None:
    names = StreamIdentifiers("0", "q", ExtensionMap({4: MID}))
    assert names.of_media == names.of_repairs == ((4, b"0"),)
    assert StreamIdentifiers("0", "q", ExtensionMap()).of_media == ()


def test_nothing_is_said_that_does_not_fit_the_short_form() -> None:
    assert StreamIdentifiers("x" * 16, "y" * 17, MAP).of_media == ((4, b"x" * 16),)


def test_who_knows_a_stream_is_told_no_more() -> None:
    names = StreamIdentifiers("0", None, MAP)
    assert names.of_media == names.of_repairs == ((4, b"0"),)
    names.announced = True
    assert names.of_media == names.of_repairs == ()
    # It is known whatever is negotiated anew.
    assert StreamIdentifiers("0", None, MAP, announced=True).of_media == ()


def test_the_repairs_of_a_layer_are_always_named() -> None:
    names = StreamIdentifiers("0", "q", MAP, announced=True)
    assert names.of_media == ()
    assert names.of_repairs == ((4, b"0"), (11, b"q"))


def test_a_repair_says_what_the_packet_says_but_under_its_own_name() -> None:
    names = StreamIdentifiers("0", "q", MAP)
    elements = (*names.of_media, (1, b"loud"))
    assert names.renamed_for_repair(elements) == ((4, b"0"), (11, b"q"), (1, b"loud"))
    names.announced = True
    assert names.renamed_for_repair(elements) == ((4, b"0"), (11, b"q"), (1, b"loud"))
