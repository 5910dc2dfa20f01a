"""What has to be true of every page that is looked at.

``IBKR_TESTS_PICTURES`` is a folder for what was on the screen.
"""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest
from webdriver import CHROMIUM, DRIVER, Browser

IN_A_BROWSER = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER),
        reason="there is no Chromium with its driver here (Debian: chromium, chromium-driver)",
    ),
]
PHONE, DESK = 360, 1280
SMALLEST = 12.0

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
# The texts that are cut off: they reach beyond the window, and nothing around them can be moved.
CUT_OFF = """
const width = document.documentElement.clientWidth, found = [];
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walk.nextNode()) {
  const node = walk.currentNode, element = node.parentElement;
  if (!node.nodeValue.trim() || !element.checkVisibility({visibilityProperty: true, opacityProperty: true})) continue;
  const range = document.createRange();
  range.selectNodeContents(node);
  const box = range.getBoundingClientRect();
  if (!box.width || box.left > width + 1 || box.right <= width + 1) continue;
  let around = element;
  while (around && !["auto", "scroll"].includes(getComputedStyle(around).overflowX)) around = around.parentElement;
  if (!around || around === document.documentElement || around === document.body)
    found.push(element.tagName + "." + element.className + " " + node.nodeValue.trim().slice(0, 40));
}
return found;
"""


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
    assert window.run(CUT_OFF) == []
    assert window.run(TOO_SMALL) == []
