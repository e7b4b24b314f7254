"""The demo's output as plain lines and on a terminal."""

import io

import pytest
import trio
import trio.testing
from rich.console import Console

from trio_rtc.cli.demo.call import ReceivedMedia
from trio_rtc.cli.demo.display import Display
from trio_rtc.cli.demo.measure import (
    RoundTrips,
    Throughput,
)


def display(*, terminal: bool = False) -> tuple[Display, io.StringIO]:
    shown = io.StringIO()
    return Display(Console(file=shown, width=100, force_terminal=terminal, highlight=False)), shown


def test_figures_are_plain_aligned_lines() -> None:
    output, shown = display()
    output.heading("Two processes")
    output.stage("ICE connected", 0.0123)
    output.round_trips(RoundTrips([0.0001, 0.0002, 0.0009]))
    output.throughput("throughput out", Throughput(250_000_000, 2.0))
    assert shown.getvalue().splitlines() == [
        "",
        "Two processes",
        "  ICE connected               12.3 ms",
        "  round trip, median           200 µs  of 3",
        "  round trip, 99 of 100        900 µs",
        "  throughput out              1000 Mbit/s  250 MB in 2.0 s, every byte arrived",
    ]


def test_figures_of_a_call() -> None:
    output, shown = display()
    received = ReceivedMedia(
        2.0, frames=60, width=640, height=360, video_bits=1_000_000, audio_bits=96_000, frequency=440.4
    )
    output.video(received)
    output.audio(received)
    assert shown.getvalue().splitlines() == [
        "  video in                    30.0 frames/s  640 x 360, 0.50 Mbit/s",
        "  audio in                      48 kbit/s  a tone of 440 Hz",
    ]


def test_a_failure_shows_its_reason_without_interpreting_it() -> None:
    output, shown = display()
    output.failure("throughput in", "received [red]1[/red] of 2 bytes\x1b[2J")
    assert shown.getvalue() == (
        "  throughput in           FAILED: received [red]1[/red] of 2 bytes\N{REPLACEMENT CHARACTER}[2J\n"
    )


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.usefixtures("autojump_clock")
async def test_progress_is_shown_on_a_terminal_only(terminal: bool) -> None:
    output, shown = display(terminal=terminal)
    with output.progress("throughput out", 3.0) as update:
        update(0)
        await trio.sleep(1)
        update(1_000_000)
        await trio.sleep(9)
        update(2_000_000)
    assert ("throughput out" in shown.getvalue()) is terminal
    assert ("\x1b" in shown.getvalue()) is terminal


def test_control_characters_of_a_peer_are_replaced() -> None:
    shown = io.BytesIO()
    stream = io.TextIOWrapper(shown, encoding="utf-8", write_through=True)
    Display(Console(file=stream, width=80)).line("page 7: \x1b]0;owned\x07 [red]\ud800 ☃")
    assert shown.getvalue().decode() == "page 7: \ufffd]0;owned\ufffd [red]\ufffd ☃\n"
