"""Run programs as processes of their own without starting an interpreter for each.

    python offline_blocks.py FOLDER AT_ONCE     # runs every *.py in it, each in a folder of its name

What costs most of a short program is loading the package. So that is loaded once here, and each program is run in
a child of this process, which has nothing of the others. JSON on standard output tells how each ended.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import sys
import traceback
from pathlib import Path

LOADED = (
    "ibkr_adapter.connections",
    "ibkr_adapter.embedded",
    "ibkr_adapter.host.executor",
    "ibkr_adapter.simulator.server",
    "ibkr_adapter.streaming.desk",
)


def begin(program: Path) -> int:
    """Start a program in a child, and return its number."""
    room = program.with_suffix("")
    room.mkdir()
    child = os.fork()
    if child:
        return child
    failed = 1
    try:
        os.chdir(room)
        os.environ["HOME"] = str(room)
        for stream, name in ((sys.stdout, "out"), (sys.stderr, "err")):
            with (room / name).open("w") as file:
                os.dup2(file.fileno(), stream.fileno())
        runpy.run_path(str(program), run_name="__main__")
        failed = 0
    except BaseException:  # noqa: BLE001  (whatever it is, the child must not go on as its parent)
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(failed)


def main(folder: Path, at_once: int) -> dict[str, dict[str, str | int]]:
    """Run them all, so many at a time, and tell how each ended."""
    for name in LOADED:
        importlib.import_module(name)
    waiting = sorted(folder.glob("*.py"))
    running: dict[int, Path] = {}
    told: dict[str, dict[str, str | int]] = {}
    while waiting or running:
        while waiting and len(running) < at_once:
            program = waiting.pop(0)
            running[begin(program)] = program
        child, status = os.wait()
        room = running.pop(child).with_suffix("")
        texts = {name: (room / name).read_text("utf-8") for name in ("out", "err")}
        told[room.name] = {"code": os.waitstatus_to_exitcode(status), **texts}
    return told


if __name__ == "__main__":
    json.dump(main(Path(sys.argv[1]), int(sys.argv[2])), sys.stdout)
