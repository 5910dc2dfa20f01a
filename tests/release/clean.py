"""Run commands as somebody who knows nothing of this checkout would."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PATIENCE = 600.0
_OURS = ("IBKR_", "PYTEST_", "COV_")


def run(*command: object, **changes: Any) -> subprocess.CompletedProcess[str]:
    """Run a command without what the tests have put into the environment."""
    hidden = {"PYTHONPATH", "VIRTUAL_ENV", "PYTHONWARNINGS"}
    clean = {
        name: value for name, value in os.environ.items() if name not in hidden and not name.startswith(_OURS)
    }
    options = {"timeout": PATIENCE, "env": clean, **changes}
    return subprocess.run(  # noqa: S603  (what this folder's tests ask for)
        list(map(str, command)), capture_output=True, text=True, encoding="utf-8", check=False, **options
    )
