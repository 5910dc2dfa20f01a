"""Run the same faults against this library and against ibind, and write the table of what came of it.

Run it with ``python -m tests.benchmarks.faults``. It makes an environment under ``build/``, installs
ibind there from the package registry (it is no dependency of ours), and runs each case in a simulator of
its own over sockets, in real time, several at once. The page is ``docs/fault-table.md``.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import attrs

from ibkr_adapter.clock import SystemClock
from ibkr_adapter.doors import Doors
from ibkr_adapter.exchange import IBKRExchange
from ibkr_adapter.simulator.gateway import Gateway
from ibkr_adapter.simulator.server import SimulatorServer

from .fault_cases import ASKED, CASES, SILENCE, Case, Outcome, act, judge, prepare

ROOT = Path(__file__).parents[2]
HOME = ROOT / "build" / "ibind"
PAGE = ROOT / "docs" / "fault-table.md"
SCRIPT = Path(__file__).with_name("faults_ibind.py")
# Most of the time of a case is waiting.
AT_ONCE = 8
# Three retries after a time-out of ten seconds each, and what else it tries.
PATIENCE = 150
HANGS = {"word": "hangs", "said": f"nothing in {PATIENCE} s", "seconds": float(PATIENCE)}
# The client order id is optional in ibind; its examples give one.
THEIRS = ("coid", "none")
BARE = ("market", "reply")

HEAD = """# Fault table

One intent, one answer spoiled: what the broker had booked afterwards, and what the caller was told. Written by
`python -m tests.benchmarks.faults` on {date} with ibkr-adapter {ours} and ibind {theirs} under Python {python}.

**Read it with care.** It ran on this project's own [simulator](simulator.md), not on IBKR, and we chose the faults. Both clients speak to it over
sockets, in real time, as to a local gateway. Ours has its default settings, ibind its own: a time-out of 10 seconds and three retries, of every
method, after a time-out or a lost connection. Both answer every question of these cases with yes.

* **booked**: orders that stand or have filled (a bracket is one), changes or cancels that took effect. There should be one, or none.
* **sent**: how often the request reached the broker. Once is right; IBKR itself, or the client order id, may make a second one harmless.
* **told**: `placed` (changed, cancelled), `refused`, `unknown` (may be there), and **wrong** where the books say otherwise or have it twice. The word after it is the exception, or
  that the call returned. ibind raises one class for a refusal and for a lost answer; where its text speaks of a connection, a time-out, a 5xx status or bad JSON it counts as `unknown`.
  After a retry that met the client order id again its text says that the orders "are already registered"; that counts as `refused`, and as wrong where the order stands.
* **ibind**: with a client order id (`coid`), as in its examples. **ibind, no id**: without one, which it allows; only where it matters.
* Seconds are those of the whole call. Ours are long where an order is looked up, or proven absent, before anything is said. In F04 the answer comes {silence} seconds late.

| intent | fault | what happens | ibkr-adapter | ibind | ibind, no id |
| --- | --- | --- | --- | --- | --- |
"""


@contextmanager
def broker(case: Case) -> Iterator[tuple[Gateway, SimulatorServer]]:
    """A simulated broker on a port of its own."""
    clock = SystemClock()
    gateway = Gateway(clock, options=case.options)
    with SimulatorServer(gateway, clock=clock) as server:
        yield gateway, server


def ours(case: Case) -> Outcome:
    """The case through this library with its default settings."""
    with (
        broker(case) as (gateway, server),
        tempfile.TemporaryDirectory() as folder,
        IBKRExchange(
            {"base_url": server.url, "state_dir": folder, "answer_messages": ASKED},
            doors=Doors(market_time=lambda: gateway.world.now),
        ) as ibkr,
    ):
        order_id = prepare(ibkr, case.intent)
        before = gateway.ledger()
        gateway.arm(case.armed)
        started = time.monotonic()
        word, said = act(ibkr, case.intent, order_id)
        seconds = time.monotonic() - started
        return attrs.evolve(judge(case, before, gateway.ledger(), word, said), seconds=seconds)


def theirs(case: Case, python: Path, coids: str) -> Outcome:
    """The case through ibind with its default settings, in a process of its own."""
    with broker(case) as (gateway, server), tempfile.TemporaryDirectory() as folder:
        command = [str(python), str(SCRIPT), server.url, gateway.account, case.intent, coids]
        with subprocess.Popen(  # noqa: S603 - a fixed command
            command,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={"TMPDIR": folder, "IBIND_LOG_TO_CONSOLE": "0", "IBIND_LOG_TO_FILE": "0"},
        ) as running:
            assert running.stdout is not None
            line = running.stdout.readline()
            if not line:
                raise SystemExit(f"ibind could not be prepared for {case.intent} {case.name}")
            before = gateway.ledger()
            gateway.arm(case.armed)
            try:
                out, _ = running.communicate("\n", timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                running.kill()
                out = json.dumps(HANGS)
            told = json.loads(out)
        found = judge(case, before, gateway.ledger(), told["word"], told["said"])
        return attrs.evolve(found, seconds=told["seconds"])


def install() -> Path:
    """Install the newest ibind into an environment of its own; its Python."""
    python = HOME / "bin" / "python"
    if not python.exists():
        venv.create(HOME, with_pip=True)
    command = [python, "-m", "pip", "install", "--quiet", "--upgrade", "ibind"]
    subprocess.run(command, check=True)  # noqa: S603 - a fixed command
    return python


def version(python: Path) -> str:
    """Which ibind that is."""
    ask = "from importlib import metadata; print(metadata.version('ibind'))"
    told = subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True)  # noqa: S603 - a fixed command
    return told.stdout.strip()


def cell(found: Outcome | None) -> str:
    """One outcome as the table has it; what should not be is bold."""
    if found is None:
        return ""
    booked = f"**{found.booked} booked**" if found.booked > 1 else f"{found.booked} booked"
    word = f"**{found.word}**" if found.word in {"wrong", "hangs"} else found.word
    return f"{booked}, {word} ({found.said}), {found.sent} sent, {found.seconds:.1f} s"


def main() -> int:
    """Write the page; 1 where ours booked twice or told what the books contradict."""
    logging.disable(logging.CRITICAL)
    python = install()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        mine = [pool.submit(ours, case) for case in CASES]
        other = [
            {
                coids: pool.submit(theirs, case, python, coids)
                for coids in THEIRS
                if coids == "coid" or case.intent in BARE
            }
            for case in CASES
        ]
        lines = []
        failed = False
        for case, own, rival in zip(CASES, mine, other, strict=True):
            found = own.result()
            failed = failed or found.booked > 1 or found.word == "wrong"
            cells = [cell(found), *(cell(rival[one].result()) if one in rival else "" for one in THEIRS)]
            lines.append(f"| {case.intent} | {case.name} | {case.what} | {' | '.join(cells)} |\n")
            sys.stdout.write(lines[-1])
            sys.stdout.flush()
    head = HEAD.format(
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        ours=metadata.version("ibkr-adapter"),
        theirs=version(python),
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        silence=SILENCE,
    )
    PAGE.write_text(head + "".join(lines), "utf-8")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
