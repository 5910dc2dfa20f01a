"""Remember which certificate a gateway of this machine showed when it was first used.

One small file in the state folder, beside what the library keeps there. Only commands look into it:
a program says in its settings whom it trusts. A pin is written by ``ibkr-adapter gateway`` alone,
and never changed by itself, because another certificate may be somebody else's.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from ibkr_adapter.errors import ConfigurationError
from ibkr_adapter.setting_readers import is_loopback

FILE = "gateway-pins.json"


class Pins:
    """The pinned certificates of one state folder, by host and port."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    def of(self, url: str) -> str | None:
        """The pin of an address of this machine; ``None`` where nobody pinned it.

        Raises:
            ConfigurationError: The file is there and cannot be read.
        """
        return self._read().get(_key(url)) if is_loopback(urlsplit(url).hostname or "") else None

    def keep(self, url: str, fingerprint: str) -> None:
        """Write a pin down, readable by its owner alone.

        Raises:
            ConfigurationError: The folder cannot be written.
        """
        pins = self._read() | {_key(url): fingerprint}
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Whole or not at all, and never readable by others in between.
            number, name = tempfile.mkstemp(prefix=f"{FILE}.", dir=self.path.parent)
            with os.fdopen(number, "w", encoding="utf-8") as file:
                json.dump(pins, file, indent=2, sort_keys=True)
            Path(name).replace(self.path)
        except OSError as failure:
            raise ConfigurationError(
                f"the certificate cannot be remembered in {self.path}: {failure.strerror or failure}.",
                remedy="Set IBKR_ADAPTER_TLS_FINGERPRINT to it, or name another folder in IBKR_ADAPTER_STATE_DIR.",
            ) from None

    def _read(self) -> dict[str, str]:
        try:
            found = json.loads(self.path.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError):
            found = None
        if not isinstance(found, dict) or not all(
            isinstance(pin, str) and re.fullmatch("[0-9a-f]{64}", pin) for pin in found.values()
        ):
            raise ConfigurationError(
                f"{self.path} cannot be read; nothing was sent.",
                remedy="Remove it and pin the certificate anew, with ibkr-adapter gateway.",
            )
        return found


def _key(url: str) -> str:
    # One gateway has several names.
    return f"localhost:{urlsplit(url).port or 443}"
