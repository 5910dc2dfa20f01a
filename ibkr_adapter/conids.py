"""Turn the names people write into the one contract they mean.

A name is taken apart by :mod:`ibkr_adapter.model.names`, asked for by the room of its class in
:mod:`ibkr_adapter.discovery`, and what comes back is compared with what was meant once more here.
A name that fits several contracts is an error that lists them, never a guess; nothing that has
expired is found for trading. A bare name is a stock. If the table of known futures and coins has
it too, IBKR is asked whether it lists them, and then the caller has to say which.

What was found is kept (:mod:`ibkr_adapter.discovery.kept`), and so is the caller's spelling.

Source: Web API reference, "Contract information and rules", and what the rooms below name.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import attrs

from ibkr_adapter.clock import Clock
from ibkr_adapter.discovery.bare import Bare, candidate
from ibkr_adapter.discovery.chains import MOST_REQUESTS, Chains, Number, Progress, When
from ibkr_adapter.discovery.details import Details
from ibkr_adapter.discovery.futures import Futures
from ibkr_adapter.discovery.kept import SCHEMA_STEPS, Kept, Spelling
from ibkr_adapter.discovery.options import Options
from ibkr_adapter.discovery.pairs import Pairs
from ibkr_adapter.discovery.searched import Searched
from ibkr_adapter.discovery.stocks import Stocks
from ibkr_adapter.discovery.walk import Walker
from ibkr_adapter.errors import AmbiguousContract, ContractNotFound, InvalidRequest, quoted
from ibkr_adapter.model import labels, names, products
from ibkr_adapter.model.contract import Contract, SecType
from ibkr_adapter.model.instrument import CANDIDATE_COLUMNS, HIT_COLUMNS, Candidate, SearchHit
from ibkr_adapter.model.listing import FutureRow
from ibkr_adapter.model.query import STRUCK, ContractQuery, ends
from ibkr_adapter.model.rules import Rules
from ibkr_adapter.model.table import Table
from ibkr_adapter.session import SessionKeeper
from ibkr_adapter.state import Store
from ibkr_adapter.wire import discovery
from ibkr_adapter.wire.combos import DOLLAR

__all__ = ["SCHEMA_STEPS", "ConidResolver"]

NAMES_KEPT_FOR = timedelta(days=7)
MOST_KEPT = 10_000


@attrs.frozen
class _Known:
    """What a name meant when it was last looked up, and until when that holds."""

    contract: Contract
    until: datetime
    spelling: Spelling | None


class ConidResolver:
    """Finds contracts and their rules; shared by every object of a connection (``ibkr.contracts``)."""

    def __init__(self, *, clock: Clock, session: SessionKeeper, store: Callable[[], Store]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[object, _Known] = {}
        kept = self._kept = Kept(clock=clock, store=store)
        walker = self._walker = Walker(clock=clock, session=session)
        stocks = self._stocks = Stocks(kept=kept, session=session, walker=walker)
        details = self._details = Details(clock=clock, kept=kept, session=session, stocks=stocks)
        self._futures = Futures(
            clock=clock, kept=kept, session=session, stocks=stocks, details=details.detail
        )
        self._options = Options(clock=clock, kept=kept, stocks=stocks, walker=walker)
        self._chains = Chains(clock=clock, kept=kept, options=self._options, walker=walker)
        self._pairs = Pairs(kept=kept, session=session, walker=walker, rules=details.rules)
        self._searched = Searched(kept=kept, walker=walker, stocks=stocks, details=details.described)
        self._bare = Bare(
            clock=clock, stocks=stocks, futures=self._futures, pairs=self._pairs, options=self._options
        )

    # One contract -------------------------------------------------------------------------

    def resolve(
        self, name: str | ContractQuery, *, for_trading: bool = True, deadline: float | None = None
    ) -> Contract:
        """Find the one contract that a name or a query means.

        Args:
            name: What somebody wrote (docs/instruments.md has the forms), or a query.
            for_trading: Refuse what has expired. Without it an expired contract is found too, by
                its id or by a name that was used before, to read a position in it.
            deadline: The moment on the clock at which each request must be over.

        Returns:
            The contract. What is cached costs no request.

        Raises:
            ContractNotFound: IBKR knows none, or it has expired; ``near`` names what comes close.
            AmbiguousContract: Several fit; ``candidates`` says what to write for each.
        """
        # The way of a name that was looked up before must be short: hosts ask for every price.
        kind = type(name)
        key: Any = name.strip() if kind is str else name  # type: ignore[union-attr]
        known = self._known.get(key) if kind is str or kind is ContractQuery else None
        if known is None or self._clock.now() >= known.until:
            query = name if isinstance(name, ContractQuery) else names.read(name, self._today())
            known = self._look_up(query, deadline, for_trading=for_trading)
            with self._lock:
                if len(self._known) >= MOST_KEPT:
                    self._known.clear()
                self._known[key] = known
            if not for_trading and self._kept.written(known.contract.conid) is None:
                self._kept.write_down(known.contract.conid, known.spelling)
        if for_trading:
            self._kept.write_down(known.contract.conid, known.spelling)
        return known.contract

    def find(self, name: str | ContractQuery, *, deadline: float | None = None) -> Table[Candidate]:
        """List all contracts that a name fits, each with what to write to mean it.

        Raises:
            ContractNotFound: IBKR knows none; ``near`` names what comes close.
        """
        try:
            found: Iterable[Candidate] = [candidate(self.resolve(name, for_trading=False, deadline=deadline))]
        except AmbiguousContract as several:
            found = several.candidates
        return Table(found, CANDIDATE_COLUMNS, title=str(name))

    def search(
        self, text: str, sec_type: SecType | str | None = None, *, deadline: float | None = None
    ) -> Table[SearchHit]:
        """Look for companies, indices and issuers under a symbol, as IBKR's own search does.

        Args:
            text: A symbol; company names are not searched, because that would break the way to
                an option that somebody else is on.
            sec_type: STK, IND, BOND, FUT or CRYPTO, where only these are wanted.
            deadline: The moment on the clock at which it must be over.
        """
        kind = SecType(sec_type) if sec_type else None
        symbol = names.clean(text)
        hits = discovery.read_search(self._walker.search(symbol, kind, deadline))
        return Table(hits, HIT_COLUMNS, title=symbol)

    def rules(self, conid: int, *, deadline: float | None = None) -> tuple[Contract, Rules]:
        """Read a contract with the rules that orders on it must keep; both are kept for a day."""
        return self._details.rules(conid, deadline)

    # Many contracts -----------------------------------------------------------------------

    def option_chain(
        self,
        underlying: str | ContractQuery,
        *,
        expiries: When | Iterable[When] | int | None = None,
        strikes: Iterable[Number] | None = None,
        between: tuple[Number, Number] | None = None,
        rights: str = "CP",
        trading_class: str | None = None,
        sec_type: SecType | str | None = None,
        progress: Progress | None = None,
        most_requests: int = MOST_REQUESTS,
    ) -> Table[Contract]:
        """Read options as a table: one search, one request a month, one a strike and month.

        Options on futures come a whole month at once. What was read is kept for a day: the same
        chain costs nothing the second time.

        Args:
            underlying: ``AAPL``, ``IND:SPX``; ``FUT:ES`` or ``@ES`` for options on futures.
            expiries: Days and months (``"2027-01-15"``, ``"2027-01"``), or how many of the next
                months; the next one if unset.
            strikes: Only these.
            between: Only strikes from the first to the second.
            rights: ``C``, ``P`` or both.
            trading_class: Only this class, such as SPXW.
            sec_type: ``OPT``, ``FOP`` or ``WAR``, where the name does not say it.
            progress: Called with how many steps are done and how many there are.
            most_requests: Refuse what would take more.

        Raises:
            ContractNotFound: No such underlying, day, month or strike; it names the nearest.
            ContractError: It would take more requests than allowed; no strike was asked for.
        """
        query, kind = self._underlying(underlying, SecType(sec_type) if sec_type else None)
        return self._chains.read(
            query,
            kind,
            expiries=expiries,
            strikes=strikes,
            between=between,
            rights=rights,
            trading_class=trading_class,
            progress=progress,
            most_requests=most_requests,
        )

    def futures_chain(self, product: str, *, deadline: float | None = None) -> Table[FutureRow]:
        """Read the futures of a product with their cut-offs, their roll days and the front month.

        Two requests, none for a day after. The front month is the first listed future whose
        ``rolls_on`` is still ahead: the earliest of its last trading day and its cut-offs.

        Raises:
            ContractNotFound: IBKR lists no future under that name.
        """
        root = names.clean(product).rpartition(":")[2].strip().upper()
        symbol = products.future_symbol(names.front_root(root) or root)
        return self._futures.chain(symbol, deadline)

    # Names of contracts -------------------------------------------------------------------

    def written(
        self, conid: int, symbol: str, sec_type: SecType | None = None, currency: str | None = None
    ) -> str:
        """The caller's own spelling of a contract, also from before a restart.

        Where nobody wrote one it is a name that means this contract: IBKR's symbol for a stock,
        and for anything else a name that hosts can carry. A symbol alone means the listing in the US.
        """
        spelt = self._kept.written(conid)
        if spelt is not None:
            return spelt
        known = self._kept.contract(conid)
        if known is not None and (known.sec_type is not SecType.STOCK or known.is_us is False):
            return labels.host_name(known)
        abroad = currency not in {None, DOLLAR}
        unclear = abroad or symbol in products.FUTURES or symbol in products.COINS
        if sec_type is None or (sec_type is SecType.STOCK and not unclear):
            return symbol
        return f"{conid}@SMART"

    def name_of(self, contract: Contract) -> str:
        """A name of at most twenty characters and without a colon that means this contract."""
        _check(contract)
        return labels.host_name(contract)

    # Looking up ---------------------------------------------------------------------------

    def _look_up(self, query: ContractQuery, deadline: float | None, *, for_trading: bool) -> _Known:
        plain = str(query.but(text=""))
        kept = self._kept.named(plain)
        if kept is not None and not query.front and not _alive(kept[0], self._today()):
            if for_trading:
                raise _expired(query, kept[0])
            return _Known(kept[0], kept[1], _spelling(query, kept[1]))
        if kept is not None and self._clock.now() < kept[1]:
            return _Known(kept[0], kept[1], _spelling(query, kept[1]))
        contract = self._ask(query, deadline, for_trading=for_trading)
        why = query.misfit(contract)
        if why:
            raise ContractNotFound(
                f"{query} was found as {labels.long_name(contract)}, but {why}; nothing was sent.",
                remedy=f"Write {labels.host_name(contract)} if that is what you mean.",
            )
        if for_trading and not _alive(contract, self._today()):
            raise _expired(query, contract)
        until = self._until(query, contract)
        if contract.route is None:
            self._kept.keep_name(plain, contract, until)
        return _Known(contract, until, _spelling(query, until))

    def _ask(self, query: ContractQuery, deadline: float | None, *, for_trading: bool) -> Contract:
        kind = query.sec_type
        if query.conid is not None:
            detail = self._details.detail if for_trading else self._details.to_read
            return self._details.routed(query, detail(query.conid, deadline))
        if kind is None and query.is_struck:
            return self._bare.struck(query, deadline)
        if kind is None and query.symbol and query.exchange is None:
            self._bare.refuse_unclear(query, deadline)
        if kind in STRUCK:
            return self._options.find(query, deadline)
        finders = {
            SecType.FUTURE: self._futures.find,
            SecType.FOREX: self._pairs.forex,
            SecType.CRYPTO: self._pairs.coin,
            SecType.BOND: self._searched.bond,
            SecType.INDEX: self._searched.find,
            SecType.FUND: self._searched.find,
            SecType.CFD: self._searched.find,
        }
        return finders.get(kind or SecType.STOCK, self._stocks.find)(query, deadline)

    def _underlying(self, name: str | ContractQuery, kind: SecType | None) -> tuple[ContractQuery, SecType]:
        """Tell on what options are asked for, and of which class."""
        if kind not in {None, SecType.OPTION, SecType.FUTURE_OPTION, SecType.WARRANT}:
            raise ContractNotFound(
                f"sec_type is the class of the options, and {kind} is none; nothing was sent.",
                remedy="It is OPT, FOP or WAR; the class of the underlying stands before its name, as in IND:SPX.",
            )
        query = name if isinstance(name, ContractQuery) else names.read(name, self._today())
        if query.conid is not None:
            contract = self._details.detail(query.conid, None)
            query = ContractQuery(text=query.text, symbol=contract.symbol, sec_type=contract.sec_type)
        if not query.symbol:
            raise ContractNotFound(
                f"options are listed under a symbol, not under {query}; nothing was sent.",
                remedy="Write the symbol of the underlying, such as AAPL.",
            )
        on_future = SecType.FUTURE_OPTION if query.sec_type is SecType.FUTURE else SecType.OPTION
        return query, kind or on_future

    def _until(self, query: ContractQuery, contract: Contract) -> datetime:
        """Until when a name means this contract."""
        until = self._clock.now() + NAMES_KEPT_FOR
        day = ends(contract)
        if day is not None:
            over = datetime.combine(day + timedelta(days=1), time(), UTC)
            until = over if not query.front else min(until, over)
        if query.front:
            rolls = self._futures.front_until(contract.symbol, contract.conid)
            until = min(until, rolls) if rolls is not None else until
        return until

    def _today(self) -> date:
        return self._clock.now().date()


def _alive(contract: Contract, today: date) -> bool:
    day = ends(contract)
    return day is None or day >= today


def _spelling(query: ContractQuery, until: datetime) -> Spelling | None:
    """What to give back for it; a query that a program made has no spelling."""
    return Spelling(query.text, until.timestamp() if query.front else None) if query.text else None


def _expired(query: ContractQuery, contract: Contract) -> ContractNotFound:
    chain = "futures_chain" if contract.sec_type is SecType.FUTURE else "option_chain"
    front_month = f"@{contract.symbol} is the front month, and " if chain == "futures_chain" else ""
    return ContractNotFound(
        f"{labels.long_name(contract)} ({query}) expired on {ends(contract)}; nothing was sent.",
        remedy=f"{front_month}contracts.{chain}({contract.symbol!r}) shows what is listed.",
    )


def _check(contract: object) -> None:
    if not isinstance(contract, Contract):
        raise InvalidRequest(f"{quoted(contract)} is no Contract; nothing was sent.")
