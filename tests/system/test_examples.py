"""Every example script does what its first lines say, as people start it: a process, real sockets."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPTS = sorted(EXAMPLES.glob("[0-9]*.py"))
# Each takes some fifteen seconds at most, nearly all of it waiting for its turn at the broker.
PATIENCE = 40.0
# What the simulated broker's meter answers where this machine held a request up on its way.
HELD_UP = ("for its pacing", "Too Many Requests")

# What a script must have said by its end.
CLAIMS = {
    "01_offline_bracket.py": ["stopLossOrder", "position: 10", "position: None", "still working: []"],
    "02_read_an_account.py": [
        "DU1234567 (paper)",
        "AAPL 10 at",
        "working: buy 2 MSFT limit",
        "filled: BUY 10 AAPL",
    ],
    "03_execute_webhooks.py": [
        '"action": "opened"',
        '"repeated": true',
        '"action": "closed"',
        "stop_loss_percent must be",
    ],
    "04_lost_answer.py": ["the fault struck 1 time", "orders were sent 1 time", "1 entry with 2 exits"],
    "08_account.py": ["DU1234567", "worth", "BASE", "allocated: long STK", "['"],
    "05_own_gateway.py": ["No IBKR_ADAPTER_ variable is set", "DU1234567 is a PAPER account"],
    "07_history.py": ["bars of 1d", "interrupted; what was read: torn.csv.part", "bars, the same file"],
    "06_stream.py": ["quote 16", "bought 5.0 at"],
}


def run(script: Path, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a script away from the checkout, with no settings but those given."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("IBKR_ADAPTER_")}
    return subprocess.run(  # noqa: S603 - our own scripts
        [sys.executable, str(script)],
        cwd=folder,
        env={**clean, "HOME": str(folder), "PYTHONUTF8": "1", **variables},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=PATIENCE,
        check=False,
    )


def test_every_script_has_its_claims():
    """A script that nobody wrote a claim for would only be seen not to crash."""
    assert {script.name for script in SCRIPTS} == set(CLAIMS)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_an_example_does_what_it_says(script, tmp_path):
    """It runs as it stands, ends well and says what it promised."""
    done = run(script, tmp_path)
    if done.returncode and any(words in done.stdout + done.stderr for words in HELD_UP):
        done = run(script, tmp_path)

    assert done.returncode == 0, done.stderr
    assert [claim for claim in CLAIMS[script.name] if claim not in done.stdout] == []


def test_an_example_leaves_nothing_behind(tmp_path):
    """What a simulated broker needs lies in a temporary folder, not in the user's own state."""
    run(EXAMPLES / "05_own_gateway.py", tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_a_gateway_that_is_not_there_is_told_in_a_sentence(tmp_path):
    """Cause and remedy, without a traceback."""
    done = run(EXAMPLES / "05_own_gateway.py", tmp_path, IBKR_ADAPTER_BASE_URL="http://127.0.0.1:1/v1/api")

    assert done.returncode == 1
    assert done.stderr.startswith("NotSent: Nothing listens at 127.0.0.1:1")
    assert len(done.stderr.strip().splitlines()) <= 3
