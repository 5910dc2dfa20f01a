"""The documentation is looked at in a real browser: no errors, nothing from elsewhere, readable on a phone."""

from __future__ import annotations

import pytest
from looks import CUT_OFF, IN_A_BROWSER, PHONE, SIDEWAYS, TOO_SMALL, keep, look

pytestmark = IN_A_BROWSER

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


def test_the_check_for_what_is_cut_off_sees_it(window, address):
    """Otherwise a page passes by hiding what does not fit."""
    window.open(address)
    window.run(
        "const title = document.querySelector('h1'); title.style.whiteSpace = 'nowrap';"
        "title.textContent = 'wide '.repeat(400); document.body.style.overflowX = 'hidden';"
        "document.querySelector('.md-main').style.overflowX = 'clip';"
    )

    assert window.run(CUT_OFF) != []
