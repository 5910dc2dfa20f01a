"""One simulated broker, all rooms put together.

A world is made fresh at the start and by ``/simulator/reset``. It holds what the endpoints
share and knows how time reaches every room; it decides nothing itself.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ibkr_adapter.simulator import questions
from ibkr_adapter.simulator.account import Account, Standing, standing
from ibkr_adapter.simulator.advisor import Group
from ibkr_adapter.simulator.alerts import AlertBook
from ibkr_adapter.simulator.book import Book
from ibkr_adapter.simulator.catalogue import Catalogue
from ibkr_adapter.simulator.currencies import RATES
from ibkr_adapter.simulator.dialogue import Dialogues
from ibkr_adapter.simulator.fillers import Fillers
from ibkr_adapter.simulator.hours import MarketClock
from ibkr_adapter.simulator.instrument import Instrument
from ibkr_adapter.simulator.order import Ticket
from ibkr_adapter.simulator.prices import Prices
from ibkr_adapter.simulator.questions import Question, Scene
from ibkr_adapter.simulator.sessions import Sessions
from ibkr_adapter.simulator.tickets import TicketReader
from ibkr_adapter.simulator.tokens import TokenBook

if TYPE_CHECKING:
    from ibkr_adapter.clock import Clock
    from ibkr_adapter.simulator.options import Options


class World:
    """Everything that one simulated broker is and has."""

    def __init__(
        self, clock: Clock, seed: int, account: str, options: Options, *, auth: str = "gateway"
    ) -> None:
        self.options = options
        self.seed = seed
        self.auth = auth
        self.clock = MarketClock(clock)
        self._wall = clock
        self.skew = 0.0  # seconds by which the wall clock is off
        now = self.clock.now()
        self.catalogue = Catalogue()
        self.prices = Prices(seed, options, now)
        self.accounts: dict[str, Account] = {}
        for account_id in (account, *options.accounts):
            self.open_account(account_id, now)
        self.book = Book(self.accounts, self.prices, options, now)
        self.sessions = Sessions(seed, options, account, now, by_browser=auth == "gateway")
        self.tokens = TokenBook(options, self.sessions)
        self.dialogues = Dialogues(seed, options)
        self.sessions.on_loss = self.dialogues.forget
        self.main_account = account
        # The paged positions are served from a cache: account -> (read at, rows).
        self.position_pages: dict[str, tuple[datetime, list[dict[str, Any]]]] = {}
        self.alerts = AlertBook(self)
        self.groups: dict[str, Group] = {}
        self.fillers = Fillers(self, account)
        self.fillers.fill_up()

    def open_account(self, account_id: str, now: datetime) -> None:
        """Open one more account with the cash of the options."""
        cash = {"USD": Decimal(str(self.options.cash))}
        self.accounts[account_id] = Account(account_id=account_id, cash=cash, opened=now)

    @property
    def sub_accounts(self) -> list[str]:
        """The accounts below the first one."""
        return [one for one in self.accounts if one != self.main_account]

    @property
    def now(self) -> datetime:
        """The market and session time."""
        return self.clock.now()

    def wall(self) -> datetime:
        """The time of day, by which signatures and assertions are judged and answers dated."""
        return self._wall.now() + timedelta(seconds=self.skew)

    def settle(self) -> datetime:
        """Bring every room up to now."""
        now = self.now
        self.book.settle(now)
        self.alerts.settle(now)
        self.tokens.settle(now)
        self.sessions.settle(now)
        return now

    def last(self, instrument: Instrument) -> Decimal:
        """The last price of an instrument now."""
        return self.prices.last(instrument, self.now)

    def rate(self, currency: str) -> Decimal:
        """US dollars for one unit of a currency."""
        return RATES[currency]

    def standing(self, account_id: str) -> Standing:
        """The sums of an account now."""
        return standing(self.accounts[account_id], self.last)

    def reader(self, account_id: str) -> TicketReader:
        """What reads tickets for an account."""
        return TicketReader(
            catalogue=self.catalogue,
            accounts=tuple(self.accounts),
            account=account_id,
            fractions=self.options.fractions,
            last=self.last,
            now=self.now,
        )

    def rounds(
        self, ticket: Ticket, *, is_exit: bool, modified_from: Decimal | None = None
    ) -> list[list[Question]]:
        """The questions that a ticket raises in the current brokerage session."""
        brokerage = self.sessions.brokerage
        scene = Scene(
            last=self.last(ticket.instrument),
            code=self.availability(ticket.instrument),
            options=self.options,
            suppressed=brokerage.suppressed if brokerage else (),
            is_exit=is_exit,
            modified_from=modified_from,
        )
        return questions.rounds(ticket, scene)

    def availability(self, instrument: Instrument) -> str:
        """The market data availability code of an instrument, tag 6509."""
        codes = self.options.availability
        return codes.get(str(instrument.conid), codes.get("*", "RpB"))
