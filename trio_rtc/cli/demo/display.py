"""The demo's output: with colors and bars on a terminal, as plain lines elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import trio
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from .measure import RoundTrips, Throughput

if TYPE_CHECKING:
    from .call import ReceivedMedia

_WIDTH = 24


class Display:
    def __init__(self, console: Console) -> None:
        self._console = console

    def heading(self, text: str) -> None:
        self._console.print()
        self._console.print(text, style="bold")

    def stage(self, name: str, seconds: float) -> None:
        self._figure(name, f"{seconds * 1000:8.1f} ms")

    def round_trips(self, round_trips: RoundTrips) -> None:
        count = len(round_trips.times)
        self._figure("round trip, median", f"{round_trips.median * 1e6:8.0f} µs", f"of {count}")
        self._figure("round trip, 99 of 100", f"{round_trips.p99 * 1e6:8.0f} µs")

    def throughput(self, name: str, throughput: Throughput) -> None:
        amount = f"{throughput.transferred / 1e6:.0f} MB in {throughput.seconds:.1f} s, every byte arrived"
        self._figure(name, f"{throughput.megabits_per_second:8.0f} Mbit/s", amount)

    def video(self, received: "ReceivedMedia") -> None:
        megabits = received.video_bits / received.seconds / 1e6
        details = f"{received.width} x {received.height}, {megabits:.2f} Mbit/s"
        self._figure("video in", f"{received.frames_per_second:8.1f} frames/s", details)

    def audio(self, received: "ReceivedMedia") -> None:
        kilobits = received.audio_bits / received.seconds / 1e3
        self._figure("audio in", f"{kilobits:8.0f} kbit/s", f"a tone of {received.frequency:.0f} Hz")

    def failure(self, name: str, reason: str) -> None:
        text = _printable(f"  {name:{_WIDTH}}FAILED: {reason}")
        self._console.print(text, style="red", markup=False)

    def line(self, text: str, style: str = "") -> None:
        """Show a line, possibly of a peer."""
        self._console.print(_printable(text), style=style, markup=False)

    @contextmanager
    def progress(self, title: str, seconds: float) -> Iterator[Callable[[int], None]]:
        """Show a bar during a measurement; the yielded function is called with the bytes transferred so far."""
        columns = (
            TextColumn(f"  {title:{_WIDTH}}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[rate]:>8.0f} Mbit/s", style="cyan"),
            TimeRemainingColumn(),
        )
        with Progress(
            *columns, console=self._console, transient=True, disable=not self._console.is_terminal
        ) as bars:
            task = bars.add_task(title, total=seconds, rate=0.0)
            started = trio.current_time()

            def update(transferred: int) -> None:
                elapsed = max(trio.current_time() - started, 1e-6)
                rate = transferred * 8 / elapsed / 1e6
                bars.update(task, completed=min(elapsed, seconds), rate=rate)

            yield update

    def _figure(self, name: str, value: str, remark: str = "") -> None:
        note = f"  [dim]{remark}[/dim]" if remark else ""
        self._console.print(f"  {name:{_WIDTH}}[cyan]{value}[/cyan]{note}")


def _printable(text: str) -> str:
    """Replace control characters and unencodable characters."""
    return "".join(
        each if each.isprintable() or each == "\n" else "\N{REPLACEMENT CHARACTER}" for each in text
    )
