"""What is shown is looked at in a real browser: no errors, nothing from elsewhere, readable on a phone.

``IBKR_TESTS_PICTURES`` is a folder for what was on the screen.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from webdriver import CHROMIUM, DRIVER, Browser, browser

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER),
        reason="there is no Chromium with its driver here (Debian: chromium, chromium-driver)",
    ),
]

PHONE, DESK = 360, 1280
SMALLEST = 12.0
PAGES = [
    "",
    "quickstart/",
    "howto/bracket/",
    "explain/sessions/",
    "cannot/",
    "ibkr-facts/",
    "settings/",
    "reference/",
]

# The texts that are shown in smaller letters than that, each with its size.
TOO_SMALL = f"""
const found = new Map();
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walk.nextNode()) {{
  const text = walk.currentNode.nodeValue.trim(), element = walk.currentNode.parentElement;
  if (!text || ["SCRIPT", "STYLE", "NOSCRIPT"].includes(element.tagName)) continue;
  if (!element.checkVisibility({{visibilityProperty: true, opacityProperty: true}})) continue;
  const size = parseFloat(getComputedStyle(element).fontSize);
  if (size < {SMALLEST} - 0.01) found.set(element.tagName + "." + element.className + " " + size, text.slice(0, 40));
}}
return [...found];
"""
# By how many pixels the page itself can be moved sideways, and what reaches out of it.
SIDEWAYS = """
const wide = document.scrollingElement.scrollWidth - document.documentElement.clientWidth;
if (wide <= 0) return [];
return [wide, ...[...document.body.querySelectorAll("*")]
  .filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .slice(0, 8).map(e => e.tagName + "." + e.className + " " + e.textContent.trim().slice(0, 40))];
"""


@pytest.fixture(scope="module", params=[PHONE, DESK], ids=["phone", "desk"])
def window(request: pytest.FixtureRequest) -> Iterator[Browser]:
    with browser(width=request.param, height=740 if request.param == PHONE else 900) as opened:
        opened.width = request.param
        yield opened


def keep(window: Browser, name: str) -> None:
    folder = os.environ.get("IBKR_TESTS_PICTURES")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        Path(folder, f"{name}-{window.width}.png").write_bytes(base64.b64decode(window.picture()))


def look(window: Browser, url: str, name: str) -> None:
    """What has to be true of every page."""
    window.open(url)
    keep(window, name)

    assert window.problems() == []
    assert [
        each for each in window.asked() if not each.startswith(("http://127.0.0.1:", "data:", "blob:"))
    ] == []
    assert window.run(SIDEWAYS) == []
    assert window.run(TOO_SMALL) == []


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_sound_and_readable(window, address, page):
    """No errors in the console, no word to others, no reading sideways, no tiny letters."""
    look(window, address + page, page.strip("/").replace("/", "-") or "home")


def test_every_page_can_be_reached_on_a_phone(window, address):
    """The navigation is behind a button there, and beside the text elsewhere."""
    window.open(address)
    if window.width == PHONE:
        window.run("document.querySelector('label.md-header__button[for=__drawer]').click()")
    window.wait_for(
        "[...document.querySelectorAll('.md-nav--primary a, .md-nav--primary label, .md-tabs a')]"
        ".some(e => e.textContent.includes('How to') && e.getBoundingClientRect().left >= 0"
        " && e.checkVisibility({visibilityProperty: true}))"
    )
    keep(window, "navigation")

    window.run(
        "[...document.querySelectorAll('.md-nav--primary a')]"
        ".find(e => e.textContent.trim() === 'Quickstart').click()"
    )

    window.wait_for("document.title.startsWith('Quickstart')")


def test_a_word_is_found_without_a_network(window, address):
    """The search runs in the page."""
    window.open(address)
    window.run(
        "document.querySelector('#__search').click();"
        "const box = document.querySelector('.md-search__input'); box.focus(); box.value = 'guardrails';"
        "box.dispatchEvent(new Event('input', {bubbles: true}));"
        "box.dispatchEvent(new KeyboardEvent('keyup', {bubbles: true}));"
    )

    window.wait_for("document.querySelectorAll('.md-search-result__item').length > 0")


def test_the_check_for_tiny_letters_sees_them(window, address):
    """Otherwise it is content with anything."""
    window.open(address)
    window.run("document.querySelector('h1').style.fontSize = '11px'")

    assert window.run(TOO_SMALL) != []


def test_the_check_for_reading_sideways_sees_it(window, address):
    """Otherwise it is content with anything."""
    window.open(address)
    window.run("document.querySelector('h1').style.width = '5000px'")

    assert window.run(SIDEWAYS) != []
