"""The built documentation needs nobody else: no page loads anything from another host, and nothing is missing."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest

# What is fetched when a page is shown; a link that somebody follows is not.
LOADS = {
    "script": ("src",),
    "img": ("src", "srcset"),
    "iframe": ("src",),
    "source": ("src", "srcset"),
    "video": ("src", "poster"),
    "audio": ("src",),
    "object": ("data",),
    "embed": ("src",),
    "use": ("href", "xlink:href"),
    "image": ("href", "xlink:href"),
    "form": ("action",),
}
# Links that are not fetched.
TOLD = {"canonical", "prev", "next", "alternate", "edit", "license", "author"}
SHEET = re.compile(r"url\(\s*['\"]?([^)'\"]+)|@import\s+['\"]([^'\"]+)")


class Loaded(HTMLParser):
    """What a page loads, and what its style sheets do."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        self._in_style = tag == "style"
        for name in LOADS.get(tag, ()):
            if told.get(name):
                self.found += [each.split()[0] for each in told[name].split(",") if each.strip()]
        if tag == "link" and not set(told.get("rel", "").split()) <= TOLD:
            self.found.append(told.get("href", ""))
        self.found += [one or two for one, two in SHEET.findall(told.get("style", ""))]

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.found += [one or two for one, two in SHEET.findall(data)]


def loads(text: str) -> list[str]:
    page = Loaded()
    page.feed(text)
    return page.found


def is_elsewhere(address: str) -> bool:
    return bool(urlsplit(address).netloc) or (urlsplit(address).scheme not in {"", "data", "javascript"})


@pytest.mark.parametrize(
    "page",
    [
        '<script src="https://cdn.example/x.js"></script>',
        '<link rel="stylesheet" href="//fonts.example/css">',
        '<link rel="preconnect" href="https://fonts.example">',
        '<img srcset="a.png 1x, https://img.example/b.png 2x">',
        "<style>@import 'https://css.example/a.css';</style>",
        '<p style="background: url(https://img.example/b.png)">',
    ],
)
def test_what_would_be_loaded_from_elsewhere_is_seen(page):
    """Otherwise the test of the site is content with anything."""
    assert [each for each in loads(page) if is_elsewhere(each)] != []


def test_a_link_to_elsewhere_may_stand():
    """Nothing is fetched before somebody follows it."""
    assert loads('<a href="https://www.interactivebrokers.com">IBKR</a>') == []


def test_no_page_loads_anything_from_another_host(site):
    """A reader's address is nobody's business, and the pages are read where there is no network."""
    pages = list(site.rglob("*.html"))
    elsewhere = {
        (page.relative_to(site).as_posix(), each)
        for page in pages
        for each in loads(page.read_text("utf-8"))
        if is_elsewhere(each)
    }

    assert len(pages) > 30
    assert elsewhere == set()


def test_no_style_sheet_loads_anything_from_another_host(site):
    """Fonts are mostly loaded there."""
    sheets = list(site.rglob("*.css"))
    elsewhere = {
        (sheet.name, one or two)
        for sheet in sheets
        for one, two in SHEET.findall(sheet.read_text("utf-8"))
        if is_elsewhere(one or two)
    }

    assert sheets
    assert elsewhere == set()


def test_what_a_page_loads_is_there(site):
    """Mkdocs looks at links between pages, and not at what its theme wants."""
    missing = set()
    for page in site.rglob("*.html"):
        for each in loads(page.read_text("utf-8")):
            path = unquote(urlsplit(each).path)
            if each.startswith("data:") or not path:
                continue
            base = site if path.startswith("/") or page.name == "404.html" else page.parent
            if not (base / path.lstrip("/")).resolve().exists():
                missing.add((page.relative_to(site).as_posix(), each))

    assert missing == set()


def test_every_page_of_the_documentation_is_in_the_navigation(site):
    """What cannot be reached is not read."""
    home = (site / "index.html").read_text("utf-8")
    built = {page.parent.relative_to(site).as_posix() for page in site.rglob("index.html")} - {"."}

    assert {page for page in built if f'href="{page}/"' not in home} == set()
