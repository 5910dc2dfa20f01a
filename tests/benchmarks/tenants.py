"""A thousand users in one process: each logs in, trades, goes idle, and comes back to close.

Every user has a gateway of their own, and every twentieth has trouble of one kind: a broker that is silent, nobody
logged in, an account that is not theirs, a setting that is none, no money, no credentials. What it
costs is reported, and who it touches: nobody but them. Time is a clock that jumps, so that an hour of a thousand
sessions takes a minute. Run it with ``python -m tests.benchmarks.tenants [users]``.
"""

from __future__ import annotations

import gc
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import attrs

sys.path.append(str(Path(__file__).parents[1] / "adapter"))
from worlds import AAPL, START, Doorway

from ibkr_adapter.clock import ManualClock
from ibkr_adapter.connection import Connection
from ibkr_adapter.doors import Doors
from ibkr_adapter.host.tenants import Tenants
from ibkr_adapter.simulator.gateway import Gateway

# Without exits: the simulated market would walk for each of them, second by second, all the time.
BUY = {"action": "buy", "symbol": "AAPL", "orderType": "market", "quantity": 2}
CLOSE = {"action": "close", "symbol": "AAPL"}
TROUBLES = ("silent", "logged out", "not theirs", "no setting", "no money", "no credentials")
EVERY = 20
# What one open user may cost, beside what the process has anyway.
MOST_KILOBYTES, MOST_THREADS, MOST_DESCRIPTORS = 400, 3, 4


@attrs.define
class Report:
    """What a run came to; memory in kilobytes for one open user."""

    users: int
    troubled: int
    opened: int = 0
    wrong: list[str] = attrs.field(factory=list)
    threads: int = 0
    kilobytes: float = 0.0
    kilobytes_closed: float = 0.0
    descriptors: float = 0.0
    tickled: int = 0
    open_when_idle: int = 0
    connections_left: int = 0
    logouts: int = 0
    seconds: float = 0.0

    def kept(self) -> bool:
        """Whether all of it is within its bounds."""
        return (
            not self.wrong
            and self.opened == self.users - self.troubled
            and self.threads <= MOST_THREADS
            and self.kilobytes <= MOST_KILOBYTES
            and self.descriptors <= MOST_DESCRIPTORS
            and self.open_when_idle == self.connections_left == self.logouts == 0
        )


class Host:
    """A host's table of users and their brokers."""

    def __init__(self, users: int, folder: str, first_port: int, every: int) -> None:
        self.clock = ManualClock(START, jump=True)
        self.gateways: dict[str, Gateway] = {}
        self.doorways: dict[str, Doorway] = {}
        self.rows: dict[str, dict] = {}
        self.troubles: dict[str, str] = {}
        for number in range(users):
            user, account = f"user-{number}", f"DU{number + 1:07d}"
            url = f"http://127.0.0.1:{first_port + number}/v1/api"
            gateway = self.gateways[user] = Gateway(self.clock, account=account)
            self.doorways[url] = Doorway(gateway)
            self.rows[user] = {
                "user_id": user,
                "environment": "sandbox",
                "account_id": account,
                "extra_metadata": {"gatewayUrl": url, "stateDir": folder},
            }
            if number % every == every - 1:
                self._trouble(user, TROUBLES[number // every % len(TROUBLES)])
        self.doors = Doors(
            clock=self.clock,
            transport=lambda settings, _clock: self.doorways[settings.base_url],
            environ={},
            across_processes=True,
        )

    def load(self, user, *_):
        return self.rows.get(user)

    def _trouble(self, user: str, kind: str) -> None:
        self.troubles[user] = kind
        gateway, row = self.gateways[user], self.rows[user]
        if kind == "silent":
            gateway.arm({"fault": "F04", "variant": "silence", "times": 100_000})
        elif kind == "logged out":
            gateway.change_session("logout")
        elif kind == "not theirs":
            row["account_id"] = "DU9999999"
        elif kind == "no setting":
            row["extra_metadata"]["maxNotionl"] = 5
        elif kind == "no money":
            gateway.set_options({"buying_power": 1.0})
        else:
            del self.rows[user]

    def held(self, user: str) -> float:
        rows = self.gateways[user].ledger()["positions"]
        return sum(float(row["quantity"]) for row in rows if row["conid"] == AAPL)


def memory() -> float:
    """The process's resident kilobytes; where nobody tells, none."""
    try:
        pages = int(Path("/proc/self/statm").read_text("utf-8").split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024


def descriptors() -> int:
    """The files that the process has open."""
    try:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  (names are enough)
    except OSError:
        return 0


def run(users: int, folder: str, *, first_port: int = 20_000, every: int = EVERY) -> Report:
    """Have so many users log in, trade, go idle and come back; one of ``every`` so many has trouble."""
    begun = time.perf_counter()
    host = Host(users, folder, first_port, every)
    report = Report(users=users, troubled=len(host.troubles))
    tenants = Tenants(host.load, doors=host.doors)
    names = list(host.gateways)
    for gateway in host.gateways.values():
        gateway.ledger()
    gc.collect()
    # By identity: what others left behind may end meanwhile.
    others = {id(each) for each in gc.get_objects() if isinstance(each, Connection)}
    threads, files, before = threading.active_count(), descriptors(), memory()

    for user in names:
        answer = tenants.execute_webhook(BUY, user, environment="sandbox")
        report.opened += answer["action"] == "opened"
        if (user in host.troubles) == answer["success"]:
            report.wrong.append(f"{user} ({host.troubles.get(user, 'no trouble')}): {answer}")
        report.threads = max(report.threads, threading.active_count() - threads)
        # The host's day goes on between two webhooks.
        host.clock.sleep(0.2)

    # Long enough for every session to be kept alive, not for one to be idle.
    host.clock.sleep(400)
    report.kilobytes = (memory() - before) / users
    report.descriptors = (descriptors() - files) / users
    tickles = {user: gateway.requests.get("POST /tickle", 0) for user, gateway in host.gateways.items()}
    fine = [user for user in names if user not in host.troubles]
    report.tickled = min(tickles[user] for user in fine)
    report.wrong += [f"{user} was not kept alive" for user in fine if tickles[user] < 4]

    host.clock.sleep(1200)
    report.open_when_idle = tenants.open_exchanges
    gc.collect()
    report.connections_left = sum(
        isinstance(each, Connection) and id(each) not in others for each in gc.get_objects()
    )
    report.kilobytes_closed = (memory() - before) / users
    report.logouts = sum(gateway.requests.get("POST /logout", 0) for gateway in host.gateways.values())

    for user in fine:
        answer = tenants.execute_webhook(CLOSE, user, environment="sandbox")
        if answer["action"] != "closed":
            report.wrong.append(f"{user} came back: {answer}")
    host.clock.sleep(2)
    report.wrong += [
        f"{user} holds {host.held(user):g}" for user in names if user in host.gateways and host.held(user)
    ]

    tenants.close()
    host.clock.close()
    report.seconds = time.perf_counter() - begun
    return report


def main() -> int:
    """Run it and say what it came to."""
    users = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    # In memory where there is such a place: the disk is not what is measured.
    memory_disk = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: PTH112, S108  (a folder of our own in it)
    with tempfile.TemporaryDirectory(prefix="ibkr-tenants-", dir=memory_disk) as folder:
        report = run(users, folder)
    for name, figure in attrs.asdict(report).items():
        if name != "wrong":
            sys.stdout.write(
                f"{name:17} {figure:.1f}\n" if isinstance(figure, float) else f"{name:17} {figure}\n"
            )
    for line in report.wrong[:20]:
        sys.stdout.write(f"wrong: {line}\n")
    sys.stdout.write(f"bounds: {'kept' if report.kept() else 'MISSED'}\n")
    return 0 if report.kept() else 1


if __name__ == "__main__":
    sys.exit(main())
