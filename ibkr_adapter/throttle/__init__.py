"""Let calls leave no faster than IBKR allows, and stop when it says so.

Inside: :mod:`.pace` knows the limits and what a refusal means, as arithmetic on a given time;
:mod:`.gate` makes threads wait for it, in order; :mod:`.book` shares what was written with other
processes. Which limits an endpoint has is written in
:mod:`ibkr_adapter.wire.endpoints`. This is the innermost lock of the library: nothing is called
from under it but the clock and the book's file.
"""

from ibkr_adapter.throttle.book import SCHEMA_STEPS, SharedBook
from ibkr_adapter.throttle.gate import Slot, Throttle
from ibkr_adapter.throttle.pace import Pacing

__all__ = ["SCHEMA_STEPS", "Pacing", "SharedBook", "Slot", "Throttle"]
