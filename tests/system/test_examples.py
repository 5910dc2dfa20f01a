"""Every example script does what its first lines say, as people start it: a process, real sockets."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.held_up import was_held_up
from thoroughly import ALL

EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPTS = sorted(EXAMPLES.glob("[0-9]*.py"))
# Each takes some twenty seconds at most, nearly all of it waiting for its turn at the broker.
PATIENCE = 150.0

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
    "09_contracts.py": ["is 265598", "GOLD is one of", "Write @ES", "rolls_on"],
    "10_combos.py": ["28812380;;;", "bought: filled", "nothing was sent", "sold: filled", "positions: []"],
    "11_option_chain.py": ["delta", "the call nearest to a delta of 0.25", "lines held: 0"],
    "12_recovery.py": [
        "unknown: ibka-",
        "was sent 1 time",
        "-> the session is competing",
        "the other one has left: AAPL 16",
        "the gateway is back: AAPL 16",
        "the session is back: AAPL 16",
    ],
    "13_bot.py": ["UTC: buys 10 at", "BUY 10 at", "stopped; "],
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


def shortfall(script: Path, folder: Path) -> str:
    """What a script lacks of its promises; nothing where it keeps them."""
    done = run(script, folder)
    if done.returncode and was_held_up(done.stdout + done.stderr):
        done = run(script, folder)
    if done.returncode:
        return done.stderr
    return ", ".join(claim for claim in CLAIMS[script.name] if claim not in done.stdout)


def test_every_script_has_its_claims():
    """A script that nobody wrote a claim for would only be seen not to crash."""
    assert {script.name for script in SCRIPTS} == set(CLAIMS)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("place", range(2), ids=("odd", "even"))
def test_examples_do_what_they_say(place, tmp_path):
    """Each runs as it stands, ends well and says what it promised.

    One process runs half of them beside each other, because they wait for their turns most of the time.
    """
    half = SCRIPTS[place::2]
    chosen = half if ALL else half[:2]

    with ThreadPoolExecutor(len(chosen)) as beside_each_other:
        wrong = dict(
            zip(
                chosen, beside_each_other.map(lambda script: shortfall(script, tmp_path), chosen), strict=True
            )
        )

    assert {script.name: why for script, why in wrong.items() if why} == {}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_an_example_has_a_main_that_takes_an_exchange(script):
    """So that a program or a notebook runs it on an exchange of its own."""
    tree = ast.parse(script.read_text("utf-8"))
    mains = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "main"]

    assert [len(made.args.args + made.args.kwonlyargs) for made in mains] == [1]


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
