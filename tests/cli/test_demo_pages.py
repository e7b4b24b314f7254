"""The files of the demo's page."""

import re

from trio_rtc.cli.demo.pages import load_pages


def test_page_has_no_external_resources() -> None:
    pages = load_pages()
    assert set(pages) == {
        "/",
        "/app.js",
        "/call.js",
        "/connection.js",
        "/graph.js",
        "/icon.svg",
        "/sha256.js",
        "/style.css",
        "/transfers.js",
    }
    for path, page in pages.items():
        text = page.body.decode()
        addresses = set(re.findall(r"https?://[^\s\"'`)]+", text)) - {"http://www.w3.org/2000/svg"}
        assert addresses == set(), path
        references = re.findall(r"(?:src|href)=\"([^\"]+)\"|from \"\./([^\"]+)\"", text)
        for reference in (first or second for first, second in references):
            assert f"/{reference}" in pages
        assert "'unsafe-inline'" not in page.headers["Content-Security-Policy"]
