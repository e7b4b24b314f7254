"""The files of the demo's page."""

from importlib import resources

from trio_rtc.signaling import Page

_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
# All resources are from this server, none is inline, and the page must not be framed.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self' ws: wss:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def load_pages() -> dict[str, Page]:
    pages = {}
    for file in resources.files(__package__).joinpath("page").iterdir():
        content_type = _TYPES[file.name.rpartition(".")[2]]
        page = Page(file.read_bytes(), content_type, {"Content-Security-Policy": _POLICY})
        pages[f"/{file.name}"] = page
    pages["/"] = pages.pop("/index.html")
    return pages
