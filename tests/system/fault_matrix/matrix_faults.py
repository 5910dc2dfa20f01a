"""Which faults a call can meet on which endpoint, generated from the simulator's own table.

A variant that the simulator learns joins by itself; the exceptions are written down with their reason.
"""

from __future__ import annotations

import random
from typing import Any

import attrs

from ibkr_adapter.simulator import inflict
from ibkr_adapter.simulator.faults import VARIANTS, FaultError
from ibkr_adapter.simulator.gateway import Gateway

# Fault, or fault and variant -> why no cell is made of it.
EXCEPTIONS: dict[tuple[str, ...], str] = {
    ("F34",): "a clock's skew matters to a login by token only; test_logins.py has it",
    ("F35",): "strikes token endpoints only; test_logins.py has it",
    (
        "F36",
    ): "strikes connections before there is an endpoint; test_simulator_fault_sockets.py and test_tls.py have it",
    **{(fault,): "strikes streams, and a call has none" for fault in ("F29", "F30", "F31", "F32")},
    ("F37",): "an address matters to a login by token only; test_logins.py has it",
}
# Over sockets a fault must be longer than the read time-out; further keys of a fault.
WISHES: dict[str, dict[str, Any]] = {
    "F01": {"seconds": 0.01},
    "F04": {"seconds": 0.3},
    "F17": {"seconds": 0.3},
    "F07": {"seconds": 30},
}
# Where a fault is over only with the world.
LASTING = {"F06": {"times": 3}}


@attrs.frozen
class Cell:
    """One fault on one endpoint of one call."""

    endpoint: str
    fault: str
    variant: str

    @property
    def wishes(self) -> dict[str, Any]:
        """What arms it."""
        return {
            "fault": self.fault,
            "variant": self.variant,
            "on": self.endpoint,
            **WISHES.get(self.fault, {}),
            **LASTING.get(self.fault, {}),
        }

    @property
    def on_the_line(self) -> bool:
        """Whether it is done to the connection and not to the answer."""
        return (self.fault, self.variant) in inflict._WIRES

    def __str__(self) -> str:
        return f"{self.fault} {self.variant} on {self.endpoint}"


def homes(gateway: Gateway) -> dict[tuple[str, str], str]:
    """Where each variant strikes, ``*`` being everywhere; nothing stays armed."""
    found = {}
    for fault, variants in VARIANTS.items():
        for variant in variants:
            if (fault,) in EXCEPTIONS or (fault, variant) in EXCEPTIONS:
                continue
            try:
                found[fault, variant] = gateway.arm({"fault": fault, "variant": variant}).on
            except FaultError as refused:
                raise AssertionError(f"{fault} {variant} needs an exception: {refused}") from refused
    gateway.faults.clear()
    return found


def cells(gateway: Gateway, endpoints: list[str]) -> list[Cell]:
    """Every applicable fault on every endpoint that a call has met."""
    return [
        Cell(endpoint, fault, variant)
        for endpoint in endpoints
        for (fault, variant), home in homes(gateway).items()
        if home in {"*", endpoint}
    ]


def sample(name: str, found: list[Cell], share: float) -> list[Cell]:
    """A seeded part; the same cells each time."""
    return [cell for cell in found if random.Random(f"{name} {cell}").random() < share]
