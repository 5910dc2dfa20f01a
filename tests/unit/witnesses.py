"""What readers of answers are held against: recorded answers, documented ones, and any JSON at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

_RECORDED = Path(__file__).parents[2].parent / "shared" / "recorded"


def recorded_in(folder: str) -> Callable[[str], Any]:
    """Read the bodies of recorded answers as the library would, with exact fractions."""

    def recorded(name: str) -> Any:
        return _read(Path(folder) / name)["body"]

    return recorded


def documented(name: str) -> dict[str, Any]:
    """Read IBKR's own examples of one operation."""
    return _read(Path("documented-examples") / name)["responses"]["200"]


def any_json(keys: st.SearchStrategy[str], *, widest: tuple[int, int], leaves: int) -> st.SearchStrategy[Any]:
    """JSON of any shape; ``widest`` is how long its lists are and how many keys its objects have."""
    rows, names = widest
    return st.recursive(
        st.none() | st.booleans() | st.integers() | st.decimals() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=rows) | st.dictionaries(keys, inner, max_size=names),
        max_leaves=leaves,
    )


def _read(name: Path) -> Any:
    path = _RECORDED / name
    if not path.exists():
        pytest.skip(f"no recorded answers beside the checkout ({name.name})")
    return json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
