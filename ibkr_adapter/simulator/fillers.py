"""Fill a world with what nobody has placed: positions, orders and executions by the thousand (F40).

All are of made-up shares, so that nothing that a test looks at is in their way. Orders of the day are
cancelled ones; executions are buys and sells of one share in turn, which leave at most one behind.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from ibkr_adapter.simulator.instrument import Instrument
from ibkr_adapter.simulator.order import Order, Status, Ticket

if TYPE_CHECKING:
    from ibkr_adapter.simulator.world import World

# Far from the other invented conids.
_FIRST_FILLER = 910_000_001
_TRADED = 920_000_001
_PRICE = Decimal(10)
_ONE = Decimal(1)


class Fillers:
    """What one world was filled with so far; numbers only ever grow."""

    def __init__(self, world: World, account: str) -> None:
        self._world = world
        self._account = account
        self._positions = self._orders = self._executions = 0

    def fill_up(self) -> None:
        """Make as many as the options want."""
        options = self._world.options
        for number in range(self._positions, options.filler_positions):
            self._hold(number)
        for _ in range(self._orders, options.filler_orders):
            self._enter("BUY").end(Status.CANCELLED, self._world.now)
        for number in range(self._executions, options.filler_executions):
            order = self._enter("SELL" if number % 2 else "BUY")
            self._world.book.fill(order, _ONE, _PRICE, self._world.now)
        self._positions = max(self._positions, options.filler_positions)
        self._orders = max(self._orders, options.filler_orders)
        self._executions = max(self._executions, options.filler_executions)

    def _hold(self, number: int) -> None:
        instrument = self._made_up(_FIRST_FILLER + number, f"FIL{number}", f"FILLER {number} INC")
        self._world.accounts[self._account].seed(instrument, _ONE, _PRICE)

    def _enter(self, side: str) -> Order:
        instrument = self._made_up(_TRADED, "FILT", "FILLER TRADED INC")
        ticket = Ticket(
            account=self._account,
            instrument=instrument,
            conidex=str(instrument.conid),
            order_type="LMT",
            side=side,
            quantity=_ONE,
            price=_PRICE,
            tif="DAY",
        )
        order = self._world.book.enter(ticket, self._world.now)
        order.foreign = True
        return order

    def _made_up(self, conid: int, symbol: str, name: str) -> Instrument:
        found = self._world.catalogue.find(conid)
        if found is None:
            found = Instrument(conid=conid, symbol=symbol, name=name, exchange="NYSE", price=_PRICE)
            self._world.catalogue.add(found)
        return found
