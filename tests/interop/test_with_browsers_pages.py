"""The demo's page and the example's page, in real browsers."""

import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path

import av
import pytest
import trio
from rich.console import Console

from tests.interop.drivers.browser import Browser, Page
from tests.interop.drivers.chromium import ChromiumPage, open_chromium
from tests.interop.drivers.firefox import open_firefox
from trio_rtc.cli.demo.display import Display
from trio_rtc.cli.demo.pages import load_pages
from trio_rtc.cli.demo.run import page_url, serve_browsers
from trio_rtc.media import open_recorder
from trio_rtc.media import test_pattern as make_pattern
from trio_rtc.signaling import serve

ROOT = Path(__file__).parents[2]
SECONDS = 30
TIMES = "\N{MULTIPLICATION SIGN}"

OpenBrowser = Callable[[], AbstractAsyncContextManager[Browser]]
BROWSERS = pytest.mark.parametrize("open_browser", [open_chromium, open_firefox], ids=["chromium", "firefox"])


class ServedDemo:
    """The part of the demo that serves browsers, with its output."""

    def __init__(self, url: str, output: io.StringIO, scope: trio.CancelScope) -> None:
        self.url = url
        self.output = output
        self.stop = scope.cancel


@asynccontextmanager
async def served_demo() -> AsyncIterator[ServedDemo]:
    output = io.StringIO()
    async with trio.open_nursery() as nursery:
        server = await nursery.start(partial(serve, pages=load_pages()))
        display = Display(Console(file=output, width=120))
        nursery.start_soon(partial(serve_browsers, display, server, open_browser=False))
        yield ServedDemo(page_url(server), output, nursery.cancel_scope)
        nursery.cancel_scope.cancel()


async def text_of(page: Page, selector: str) -> str:
    text: str = await page.evaluate(f"document.querySelector({json.dumps(selector)}).textContent")
    return text


async def wait_for(page: Page, selector: str, part: str) -> str:
    """Wait until an element's text contains a part, and return the text."""
    arguments = f"{json.dumps(selector)}, {json.dumps(part)}"
    with trio.fail_after(SECONDS):
        text: str = await page.evaluate(
            f"""((selector, part) => new Promise((done) => {{
              const look = () => {{
                const text = document.querySelector(selector)?.textContent ?? "";
                if (text.includes(part)) done(text); else setTimeout(look, 20);
              }};
              look();
            }}))({arguments})"""
        )
    return text


async def open_page(browser: Browser, url: str) -> Page:
    page = await browser.open(url)
    await wait_for(page, "#state-channels .value", "open")
    return page


async def type_message(page: Page, text: str) -> None:
    await page.evaluate(
        f"(document.querySelector('#text').value = {json.dumps(text)}, "
        "document.querySelector('#chat').requestSubmit())"
    )


@BROWSERS
async def test_the_page_connects_and_all_its_functions_work(open_browser: OpenBrowser) -> None:
    async with served_demo() as demo, open_browser() as browser:
        page = await open_page(browser, demo.url)
        for stage, state in (("signaling", "connected"), ("dtls", "connected"), ("channels", "open")):
            assert await wait_for(page, f"#state-{stage} .value", state) == state
        await wait_for(page, "#state-gathering .value", "complete")
        assert "host udp" in await wait_for(page, "#path", "↔")
        await wait_for(page, "#rtt-median", " ms")
        assert "median" in await page.evaluate("document.querySelector('#graph').ariaLabel")
        assert await page.evaluate("document.querySelector('#error').hidden")

        for name in ("download", "upload"):
            await page.evaluate(f"document.querySelector('#{name}').click()")
            assert "Mbit/s" in await wait_for(page, f"#{name}-result", "arrived whole")

        await type_message(page, "Hello, trio!")
        await wait_for(page, "#messages", "HELLO, TRIO!")
        assert "page 2: Hello, trio!" in demo.output.getvalue()

        other = await open_page(browser, demo.url)
        await type_message(other, "<b>one page to another</b>")
        await wait_for(page, "#messages", "<b>one page to another</b>")
        await other.close()
        await page.close()
        with trio.fail_after(SECONDS):
            while demo.output.getvalue().count("left") < 2:  # noqa: ASYNC110 - a browser takes real time
                await trio.sleep(0.05)


FAKE_CAMERA = (
    "--use-fake-ui-for-media-stream"  # which grants permission; the camera itself is always a fake one
)


async def test_the_page_shows_the_programs_video_and_the_program_receives_the_camera() -> None:
    async with served_demo() as demo, open_chromium(FAKE_CAMERA) as browser:
        page = await open_page(browser, demo.url)
        first = await frame_number(page)
        assert await frame_number(page, beyond=first) > first
        assert await wait_for(page, "#in-size", TIMES) == f"640 {TIMES} 360"
        await wait_for(page, "#in-bitrate", "Mbit/s")
        await wait_for(page, "#in-jitter", "ms")

        await page.evaluate("document.querySelector('#camera').click()")
        await wait_for(page, "#camera", "Stop")
        assert "The program sees" in await wait_for(page, "#seen", "frames/s")
        await wait_for(page, "#seen", "and hears")
        await wait_for(page, "#out-trip", "ms")
        await wait_for(page, "#out-size", TIMES)
        assert "camera" in demo.output.getvalue()
        assert "from the program" in await page.evaluate("document.querySelector('#bitrates').ariaLabel")

        await page.evaluate("document.querySelector('#camera').click()")
        await wait_for(page, "#seen", "sees no picture")
        await page.evaluate("document.querySelector('#show').click()")
        await wait_for(page, "#in-bitrate", "0.00 Mbit/s")
        await page.evaluate("document.querySelector('#show').click()")
        assert await frame_number(page, beyond=first + 30) > first
        assert browser.console == []


@BROWSERS
async def test_the_page_reads_the_number_in_the_programs_video(open_browser: OpenBrowser) -> None:
    async with served_demo() as demo, open_browser() as browser:
        page = await open_page(browser, demo.url)
        first = await frame_number(page)
        assert await frame_number(page, beyond=first + 10) > first
        await wait_for(page, "#in-jitter", "ms")


async def frame_number(page: Page, *, beyond: int = -1) -> int:
    """Wait until the page reads a higher number in the program's video."""
    with trio.fail_after(SECONDS):
        number: int = await page.evaluate(
            f"""new Promise((done) => {{
              const look = () => {{
                const number = Number.parseInt(document.querySelector("#in-picture").textContent, 10);
                if (number > {beyond}) done(number); else setTimeout(look, 50);
              }};
              look();
            }})"""
        )
    return number


@BROWSERS
async def test_dropped_files_have_the_same_checksum_on_both_sides(open_browser: OpenBrowser) -> None:
    """Sizes at which SHA-256 pads its last block differently, and one of many messages."""
    async with served_demo() as demo, open_browser() as browser:
        page = await open_page(browser, demo.url)
        for size in (0, 55, 56, 63, 64, 119, 120, 3_000_001):
            await drop_file(page, size)
            checksum = hashlib.sha256(bytes(number % 251 for number in range(size))).hexdigest()
            text = await wait_for(page, "#files li:first-child", f"both: {checksum}")
            assert "✓ same SHA-256" in text


async def drop_file(page: Page, size: int) -> None:
    await page.evaluate(
        f"""(() => {{
          const content = Uint8Array.from({{length: {size}}}, (_, number) => number % 251);
          const dropped = new DataTransfer();
          dropped.items.add(new File([content], "dropped.bin"));
          const drop = new DragEvent("drop", {{dataTransfer: dropped, bubbles: true, cancelable: true}});
          document.querySelector("#drop").dispatchEvent(drop);
        }})()"""
    )


async def test_files_can_be_chosen_as_well(tmp_path: Path) -> None:
    files = [tmp_path / "one.txt", tmp_path / "zwei ß.txt"]
    for file in files:
        file.write_text(file.name)
    async with served_demo() as demo, open_chromium() as browser:
        page = await open_page(browser, demo.url)
        assert isinstance(page, ChromiumPage)
        await page.set_file_input("#file", files)
        for file in files:
            text = await wait_for(page, "#files", hashlib.sha256(file.name.encode()).hexdigest())
            assert file.name in text
            assert "✗" not in text


@BROWSERS
async def test_the_page_shows_the_end_of_the_program(open_browser: OpenBrowser) -> None:
    async with open_browser() as browser:
        async with served_demo() as demo:
            page = await open_page(browser, demo.url)
            demo.stop()
        assert "The program has ended" in await wait_for(page, "#error", "ended")
        await wait_for(page, "#state-channels .value", "closed")
        assert not await page.evaluate("document.querySelector('#error').hidden")
        assert await page.evaluate(
            "[...document.querySelectorAll('main button, main input')].every((each) => each.disabled)"
        )


async def test_no_script_fails_and_no_request_is_blocked() -> None:
    async with served_demo() as demo, open_chromium() as browser:
        page = await open_page(browser, demo.url)
        await wait_for(page, "#rtt-median", " ms")
        assert browser.console == []
        loaded = await page.evaluate("performance.getEntriesByType('resource').map(({name}) => name)")
        assert loaded
        assert all(name.startswith(demo.url) for name in loaded)


async def test_with_mdns_names() -> None:
    async with served_demo() as demo, open_chromium(mdns=True) as browser:
        await open_page(browser, demo.url)


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_fits_its_window_in_both_color_schemes(
    width: int, scheme: str, tmp_path: Path
) -> None:
    async with served_demo() as demo, open_chromium() as browser:
        page = await open_page(browser, demo.url)
        assert isinstance(page, ChromiumPage)
        await page.emulate_color_scheme(scheme)
        await page.screenshot(tmp_path / "page.png", width=width, height=1200)
        overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert await page.evaluate(overflow) == 0
        ground, text = await page.evaluate(
            "(({backgroundColor, color}) => [backgroundColor, color])(getComputedStyle(document.body))"
        )
        assert (brightness(ground) > brightness(text)) == (scheme == "light")


def brightness(color: str) -> int:
    return sum(int(part) for part in color.removeprefix("rgb(").removesuffix(")").split(", "))


@BROWSERS
async def test_the_example_page_and_its_program(open_browser: OpenBrowser) -> None:
    program = await trio.lowlevel.open_process(
        [sys.executable, str(ROOT / "examples" / "browser_page.py"), "--port", "0"],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert program.stdout is not None
    try:
        async with open_browser() as browser, program.stdout:
            url = (await program.stdout.receive_some()).decode().split()[-1]
            pages = [await browser.open(url), await browser.open(url)]
            for number, page in enumerate(pages):
                await wait_for(page, "#log", "Hello, browser!")
                assert await text_of(page, "#state") == "connected"
                await page.evaluate(
                    f"(document.querySelector('#text').value = 'number {number}', "
                    "document.querySelector('#form').requestSubmit())"
                )
                await wait_for(page, "#log", f"trio: NUMBER {number}")
    finally:
        program.kill()
        await program.wait()


@asynccontextmanager
async def example(name: str, *arguments: object) -> AsyncIterator[list[str]]:
    """Run an example that serves a page, and yield its output until it serves."""
    program = await trio.lowlevel.open_process(
        [sys.executable, str(ROOT / "examples" / name), "--port", "0", *map(str, arguments)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert program.stdout is not None
    output = b""
    try:
        while output.count(b"\n") < EXAMPLE_LINES.get(name, 1):
            output += await program.stdout.receive_some()
        yield sorted(line.split()[1] for line in output.decode().splitlines())
    finally:
        program.kill()
        await program.wait()
        await program.stdout.aclose()


EXAMPLE_LINES = {"forward.py": 2}


@BROWSERS
async def test_offer_and_answer_in_one_http_request(open_browser: OpenBrowser) -> None:
    async with example("http_offer.py") as (url,), open_browser() as browser:
        for text in ("first", "second"):
            page = await browser.open(url)
            await wait_for(page, "#state", "connected")
            await page.evaluate(
                f"""new Promise((done) => {{
                  const send = () => {{
                    const text = document.querySelector("#text");
                    if (text.disabled) return setTimeout(send, 20);
                    text.value = "{text}";
                    document.querySelector("#form").requestSubmit();
                    done();
                  }};
                  send();
                }})"""
            )
            await wait_for(page, "#log", f"trio: {text.upper()}")


async def start_camera(page: Page) -> None:
    await page.evaluate("document.querySelector('#start').click()")


async def test_the_grey_example_returns_the_camera_without_colours() -> None:
    async with open_chromium(FAKE_CAMERA) as browser, example("grey_video.py") as (url,):
        page = await browser.open(url)
        await start_camera(page)
        await wait_for(page, "#size", TIMES)
        assert await page.evaluate(SATURATION) < 12
        assert browser.console == []


SATURATION = """new Promise((done) => {
  const look = () => {
    const video = document.querySelector("#theirs");
    const context = new OffscreenCanvas(64, 36).getContext("2d");
    context.drawImage(video, 0, 0, 64, 36);
    const { data } = context.getImageData(0, 0, 64, 36);
    let [bright, colour] = [0, 0];
    for (let at = 0; at < data.length; at += 4) {
      const pixel = data.slice(at, at + 3);
      bright = Math.max(bright, ...pixel);
      colour = Math.max(colour, Math.max(...pixel) - Math.min(...pixel));
    }
    if (bright > 50) done(colour); else setTimeout(look, 50);
  };
  look();
})"""


async def test_the_forwarding_example_with_a_layer_for_each_page() -> None:
    async with open_chromium(FAKE_CAMERA) as browser, example("forward.py") as (watch, publish):
        publisher = await browser.open(publish)
        await start_camera(publisher)
        viewers = [await browser.open(watch) for _ in range(2)]
        for viewer in viewers:
            await wait_for(viewer, "#size", TIMES)
        await choose(viewers[0], "q", "<= 320")
        await choose(viewers[0], "h", "> 320")
        await choose(viewers[0], "q", "<= 320")
        assert browser.console == []


async def choose(page: Page, layer: str, width: str) -> None:
    """Choose a layer, and wait until the video has its width; slow browsers need time for large ones."""
    await page.evaluate(f"document.querySelector('#layers [value={layer}]').click()")
    with trio.fail_after(2 * SECONDS):
        await page.evaluate(
            f"""new Promise((done) => {{
              const video = document.querySelector("#theirs");
              const look = () => {{ if (video.videoWidth {width}) done(true); else setTimeout(look, 50); }};
              look();
            }})"""
        )


async def test_the_recording_example_copies_what_the_browser_encodes(tmp_path: Path) -> None:
    path = tmp_path / "take.webm"
    async with open_chromium(FAKE_CAMERA) as browser, example("record_browser.py", path) as (url,):
        page = await browser.open(url)
        await page.evaluate(KEEP_CONNECTION)
        await start_camera(page)
        with trio.fail_after(SECONDS):
            await page.evaluate(until_frames_sent(2 * LEAST_RECORDED))
        await page.close()
        with trio.fail_after(SECONDS):
            while not is_whole(path):  # noqa: ASYNC110 - another process writes it
                await trio.sleep(0.2)


LEAST_RECORDED = 16
KEEP_CONNECTION = """void (window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...rest) { super(...rest); window.kept = this; }
})"""


def until_frames_sent(count: int) -> str:
    """Return an expression that waits until the page's connection has sent ``count`` video frames."""
    return f"""new Promise((done) => {{
      const look = async () => {{
        const stats = [...(await window.kept?.getStats() ?? new Map()).values()];
        if (stats.some(({{ framesSent }}) => framesSent >= {count})) done(); else setTimeout(look, 50);
      }};
      look();
    }})"""


def is_whole(path: Path) -> bool:
    try:
        with av.open(str(path)) as container:
            kinds = sorted(stream.type for stream in container.streams)
            return kinds == ["audio", "video"] and len(list(container.decode(video=0))) >= LEAST_RECORDED
    except (av.FFmpegError, OSError):
        return False


async def test_the_playing_example_shows_a_file(tmp_path: Path) -> None:
    path = tmp_path / "film.webm"
    async with open_recorder(path) as recorder, trio.open_nursery() as nursery:
        frames, channel = trio.open_memory_channel[av.VideoFrame](0)
        recorder.add(channel)
        nursery.start_soon(film, frames)
        await recorder.wait()
    async with open_chromium() as browser, example("play_file.py", path) as (url,):
        page = await browser.open(url)
        assert await wait_for(page, "#size", TIMES) == f"320 {TIMES} 180"
        assert browser.console == []


async def film(frames: trio.abc.SendChannel[av.VideoFrame]) -> None:
    source = make_pattern(320, 180, realtime=False)
    async with frames:
        for _ in range(30):
            await frames.send(await source.receive())
