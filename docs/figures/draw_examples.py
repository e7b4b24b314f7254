"""Drawings of the examples page; ``python docs/figures/draw_examples.py`` writes them to ``docs/figures/examples``."""

from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import escape

FOLDER = Path(__file__).with_name("examples")
WIDTH, HEIGHT = 360, 130
INK, TEAL, PALE, DARK = "#334155", "#0f766e", "#f8fafc", "#1e293b"
STRIPES = ("#ef4444", "#f59e0b", "#22c55e", "#3b82f6")
GREYS = ("#6b7280", "#9ca3af", "#d1d5db", "#4b5563")

Drawing = list[str]


def text(x: float, y: float, words: str, *, size: int = 11, fill: str = INK, weight: str = "normal") -> str:
    style = f'font-size="{size}" fill="{fill}" font-weight="{weight}" text-anchor="middle"'
    return f'<text x="{x}" y="{y}" {style}>{escape(words)}</text>'


def box(x: float, y: float, width: float, height: float, fill: str, *, stroke: str = INK) -> str:
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="5" '
        f'fill="{fill}" stroke="{stroke}" stroke-width="1.5"/>'
    )


def terminal(x: float, y: float, label: str) -> Drawing:
    """A terminal of 64 by 46, with its center at a point."""
    prompt = f'<text x="{x - 24}" y="{y}" font-size="14" fill="#a7f3d0" font-family="monospace">&gt;_</text>'
    return [box(x - 32, y - 23, 64, 46, DARK), prompt, text(x, y + 38, label)]


def browser(x: float, y: float, label: str, *content: str, width: float = 64) -> Drawing:
    """A window with a title bar."""
    height = width * 46 / 64
    left, top = x - width / 2, y - height / 2
    bar = f'<path d="M{left} {top + 10}h{width}" stroke="{INK}" stroke-width="1.5"/>'
    dots = [f'<circle cx="{left + 6 + 6 * i}" cy="{top + 5.5}" r="1.6" fill="{INK}"/>' for i in range(3)]
    return [box(left, top, width, height, PALE), bar, *dots, *content, text(x, y + height / 2 + 15, label)]


def program(x: float, y: float, label: str) -> Drawing:
    return [
        box(x - 34, y - 23, 68, 46, TEAL, stroke=TEAL),
        text(x, y + 4, "trio", size=14, fill="white", weight="bold"),
        text(x, y + 38, label),
    ]


def file(x: float, y: float, label: str) -> Drawing:
    outline = f"M{x - 15} {y - 20}h20l10 10v30h-30z"
    fold = f"M{x + 5} {y - 20}v10h10"
    return [
        f'<path d="{outline}" fill="{PALE}" stroke="{INK}" stroke-width="1.5"/>',
        f'<path d="{fold}" fill="none" stroke="{INK}" stroke-width="1.5"/>',
        text(x, y + 38, label),
    ]


def arrow(
    x: float,
    y: float,
    to_x: float,
    to_y: float,
    label: str = "",
    *,
    both: bool = False,
    dashed: bool = False,
    thick: float = 1.8,
) -> Drawing:
    ends = 'marker-end="url(#head)"' + (' marker-start="url(#head)"' if both else "")
    dash = ' stroke-dasharray="4 3"' if dashed else ""
    line = f'<path d="M{x} {y}L{to_x} {to_y}" stroke="{INK}" stroke-width="{thick}"{dash} {ends}/>'
    return [line, text((x + to_x) / 2, (y + to_y) / 2 - 6, label, size=10)] if label else [line]


def stripes(x: float, y: float, colours: tuple[str, ...], width: float = 40, height: float = 20) -> list[str]:
    """A video frame."""
    each = width / len(colours)
    return [
        f'<rect x="{x - width / 2 + each * i}" y="{y - height / 2}" width="{each}" height="{height}" fill="{colour}"/>'
        for i, colour in enumerate(colours)
    ]


def wave(x: float, y: float, colour: str) -> list[str]:
    bars = (6, 14, 22, 12, 26, 16, 8)
    return [
        f'<rect x="{x - 17 + 5 * i}" y="{y - bar / 2}" width="3" height="{bar}" rx="1.5" fill="{colour}"/>'
        for i, bar in enumerate(bars)
    ]


def padlock(x: float, y: float) -> list[str]:
    shackle = f'<path d="M{x - 4} {y - 2}v-4a4 4 0 0 1 8 0v4" fill="none" stroke="#b45309" stroke-width="2"/>'
    return [shackle, f'<rect x="{x - 7}" y="{y - 2}" width="14" height="11" rx="2" fill="#f59e0b"/>']


def bubble(x: float, y: float, colour: str = "#bfdbfe") -> str:
    return (
        f'<path d="M{x - 14} {y - 8}h28v13h-18l-6 6v-6h-4z" fill="{colour}" stroke="{INK}" stroke-width="1"/>'
    )


def chat() -> Drawing:
    return [
        *terminal(60, 55, "you"),
        *arrow(102, 55, 258, 55, "data channel", both=True),
        *terminal(300, 55, "a friend"),
        bubble(140, 80),
        bubble(220, 80, "#bbf7d0"),
    ]


def browser_page() -> Drawing:
    return [
        *program(60, 55, "browser_page.py"),
        *arrow(104, 55, 258, 55, "data channel", both=True),
        *browser(300, 55, "any number of tabs", bubble(300, 60)),
    ]


def http_offer() -> Drawing:
    return [
        *browser(60, 55, "browser", bubble(60, 60)),
        *arrow(102, 38, 256, 38, "POST /offer", dashed=True),
        *arrow(256, 56, 102, 56, "200 answer", dashed=True),
        *arrow(102, 74, 256, 74, "data channel", both=True),
        *program(300, 55, "http_offer.py"),
    ]


def file_transfer() -> Drawing:
    bar = [box(140, 66, 80, 9, PALE), f'<rect x="142" y="68" width="52" height="5" fill="{TEAL}"/>']
    return [
        *file(30, 55, "FILE"),
        *terminal(100, 55, "send"),
        *arrow(140, 55, 220, 55, "64 KiB"),
        *bar,
        *terminal(260, 55, "receive"),
        *file(330, 55, "copy"),
        *arrow(48, 55, 64, 55),
        *arrow(296, 55, 312, 55),
    ]


def h11_over_channel() -> Drawing:
    pipe = [box(118, 40, 124, 30, "#ccfbf1", stroke=TEAL), text(180, 59, "a channel as a stream", size=10)]
    return [
        box(20, 32, 70, 46, PALE),
        text(55, 59, "h11 client"),
        *arrow(90, 48, 116, 48),
        *arrow(116, 62, 92, 62),
        *pipe,
        *arrow(242, 48, 268, 48),
        *arrow(268, 62, 244, 62),
        box(270, 32, 70, 46, PALE),
        text(305, 59, "h11 server"),
        text(180, 93, "GET /weather HTTP/1.1", size=10),
    ]


def grey_video() -> Drawing:
    return [
        *browser(60, 55, "camera", *stripes(60, 60, STRIPES)),
        *arrow(98, 45, 136, 45),
        *program(175, 55, "grey_video.py"),
        *arrow(212, 45, 256, 45),
        *browser(300, 55, "the same page", *stripes(300, 60, GREYS)),
    ]


def play_file() -> Drawing:
    drawing = [*file(40, 60, "film.mp4"), *arrow(60, 60, 96, 60), *program(140, 60, "play_file.py")]
    for y in (25, 62, 99):
        drawing += [
            *arrow(178, 60, 264, y),
            *browser(300, y, "", *stripes(300, y + 4, STRIPES, 26, 11), width=44),
        ]
    return drawing


def record_browser() -> Drawing:
    dot = '<circle cx="180" cy="24" r="5" fill="#dc2626"/>'
    return [
        *browser(60, 55, "camera and audio", *stripes(60, 60, STRIPES)),
        *arrow(98, 55, 138, 55),
        dot,
        *program(180, 55, "record_browser.py"),
        *arrow(218, 55, 290, 55, "not decoded"),
        *file(312, 55, "FILE.webm"),
    ]


def forward() -> Drawing:
    drawing = [*browser(50, 60, "publish", *stripes(50, 65, STRIPES)), *program(180, 60, "forward.py")]
    for y, thick in ((46, 1.0), (60, 2.0), (74, 3.2)):
        drawing += arrow(88, y, 140, y, thick=thick)
    for y, width, thick in ((20, 26, 1.0), (56, 40, 2.0), (103, 62, 3.2)):
        drawing += arrow(218, 60, 270, y, thick=thick)
        drawing += browser(312, y, "", *stripes(312, y + 3, STRIPES, width * 0.6, width * 0.28), width=width)
    return drawing


def encrypted_call() -> Drawing:
    return [
        *terminal(60, 55, "--key WORDS"),
        *arrow(102, 45, 258, 45),
        *arrow(258, 65, 102, 65),
        *terminal(300, 55, "--key WORDS"),
        *padlock(180, 45),
        *padlock(180, 67),
        *stripes(140, 45, STRIPES, 20, 10),
        *stripes(220, 65, STRIPES, 20, 10),
    ]


def voice_bot() -> Drawing:
    return [
        *terminal(60, 55, "--caller"),
        *wave(150, 38, "#3b82f6"),
        *arrow(102, 38, 126, 38),
        *arrow(174, 38, 254, 38),
        *wave(210, 76, TEAL),
        *arrow(254, 76, 234, 76),
        *arrow(186, 76, 102, 76),
        *program(300, 55, "voice_bot.py"),
    ]


EXAMPLES: tuple[Callable[[], Drawing], ...] = (
    *(chat, browser_page, http_offer, file_transfer, h11_over_channel),
    *(grey_video, play_file, record_browser, forward, encrypted_call, voice_bot),
)


def svg_of(drawing: Drawing) -> str:
    """Return the SVG: it has a background of its own, so it is legible on dark pages, too."""
    head = (
        '<defs><marker id="head" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7" markerHeight="7" '
        'markerUnits="userSpaceOnUse" orient="auto-start-reverse">'
        f'<path d="M0 0L8 4L0 8z" fill="{INK}"/></marker></defs>'
    )
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    background = f'<rect width="{WIDTH}" height="{HEIGHT}" rx="8" fill="white"/>'
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif">', head, background]
    return "\n".join([*lines, *drawing, "</svg>", ""])


def drawings() -> dict[str, str]:
    """Return the SVG of each example by its name."""
    return {draw.__name__: svg_of(draw()) for draw in EXAMPLES}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, svg in drawings().items():
        (FOLDER / f"{name}.svg").write_text(svg, encoding="utf-8")
