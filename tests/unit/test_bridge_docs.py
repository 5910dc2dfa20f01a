"""The page about the bridge says what the bridge does, and the example beside it knows the same methods."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ibkr_adapter.host.bridge.dispatcher import Bridge
from ibkr_adapter.host.bridge.frames import LARGEST_FRAME, PROTOCOL, Code
from ibkr_adapter.host.bridge.keys import KEPT_DAYS
from ibkr_adapter.host.bridge.lines import CHANGERS, READERS
from ibkr_adapter.host.bridge.methods import METHODS, Kind
from ibkr_adapter.host.bridge.over_http import PATH, TOKEN

ROOT = Path(__file__).parents[2]
if not (ROOT / "docs").is_dir():
    pytest.skip(
        "the documentation is not here: these are the tests of a built wheel", allow_module_level=True
    )
PAGE = (ROOT / "docs/bridge.md").read_text("utf-8")
CLIENT = (ROOT / "examples/sparky/ibkrApi.js").read_text("utf-8")


def test_every_method_is_in_the_table_with_its_arguments_and_its_kind():
    """Whoever writes a client reads only this page."""
    for method in METHODS.values():
        arguments = ", ".join(f"`{name}`" + ("" if name in method.needed else "?") for name in method.params)
        assert f"| `{method.name}` | {arguments} | {method.kind.value} |" in PAGE
    assert all(f"`{name}`" in PAGE for name in METHODS["placeBracketOrder"].options)


def test_every_frame_and_every_code_is_on_the_page():
    """An error that is not there cannot be handled."""
    bridge = Bridge(version="test", environ={})

    assert set(re.findall(r"^\| `((?:bridge|session|call)\.\w+)`", PAGE, re.MULTILINE)) == set(
        bridge._answers
    )
    for code in Code:
        assert str(int(code)) in PAGE
        assert code is Code.REFUSED or f"`{code.name}`" in PAGE


def test_the_figures_of_the_page_are_those_of_the_code():
    """They are what a client is built on."""
    assert (PROTOCOL, PATH, TOKEN, LARGEST_FRAME) == (1, "/v1/rpc", "IBKR_BRIDGE_TOKEN", 1048576)
    assert f"{KEPT_DAYS} days" in PAGE
    assert (READERS, CHANGERS) == (8, 16)


def test_the_example_sends_a_key_with_every_change_and_knows_no_other_method():
    """A change that it took for a read would have no key, and would be refused."""
    reads, changes = (
        set(re.findall(r"'(\w+)'", re.search(rf"const {name} = \[(.*?)\]", CLIENT, re.DOTALL)[1]))
        for name in ("READS", "CHANGES")
    )

    assert changes == {name for name, method in METHODS.items() if method.kind is not Kind.READ}
    assert reads <= set(METHODS) - changes
    assert f"const PROTOCOL = {PROTOCOL};" in CLIENT
