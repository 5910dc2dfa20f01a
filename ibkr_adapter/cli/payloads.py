"""Find the example webhooks that the demonstration carries out.

They lie among the examples of a checkout, where people look for them; a built wheel carries them
inside this package. The wheel is looked into first, because a folder called ``examples`` beside
an installed package is somebody else's.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs

from ibkr_adapter.errors import ConfigurationError

# In a wheel, beside this file; in a checkout, below its root.
SHIPPED = Path(__file__).parent / "webhooks"
IN_CHECKOUT = Path(__file__).parents[2] / "examples" / "webhooks"


@attrs.frozen(kw_only=True)
class Payload:
    """One webhook as a host posts it: the file's name and its text."""

    name: str
    text: str

    def fields(self) -> dict[str, Any]:
        """The text's fields, as they are shown."""
        found: dict[str, Any] = json.loads(self.text)
        return found


def example_webhooks(places: tuple[Path, ...] = (SHIPPED, IN_CHECKOUT)) -> tuple[Payload, ...]:
    """Return the examples in the order of their names.

    Raises:
        ConfigurationError: They are in none of the ``places``.
    """
    for folder in places:
        files = sorted(folder.glob("*.json"))
        if files:
            return tuple(Payload(name=file.stem, text=file.read_text("utf-8")) for file in files)
    looked = " or ".join(str(folder) for folder in places)
    raise ConfigurationError(
        f"the example webhooks are not in {looked}.", remedy="Install the package again."
    )
