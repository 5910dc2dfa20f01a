"""``watch`` as people run it: a process of its own with its own broker, ended by Ctrl-C; and the shell's Tab."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

PATIENCE = 60
COMMAND = (sys.executable, "-m", "ibkr_adapter")


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is another signal there")
def test_ctrl_c_ends_it_well_while_quotes_come():
    """Nothing has failed, and no trace of Python's is on the screen."""
    with subprocess.Popen(  # noqa: S603  (our own interpreter)
        [*COMMAND, "watch", "AAPL", "--simulated", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            first = json.loads(process.stdout.readline())
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()

    assert (first["kind"], first["symbol"]) == ("quote", "AAPL")
    assert (process.returncode, errors) == (0, "")


def test_the_shell_completes_commands_and_options():
    """What ``--install-completion`` taught it."""
    environ = os.environ | {
        "_IBKR_ADAPTER_COMPLETE": "complete_bash",
        "COMP_WORDS": "ibkr-adapter history --pl",
        "COMP_CWORD": "2",
    }

    ran = subprocess.run(  # noqa: S603  (our own interpreter)
        COMMAND, env=environ, capture_output=True, text=True, check=False, timeout=PATIENCE
    )

    assert (ran.stdout.split(), ran.stderr) == (["--plot"], "")
