"""The typed desk of streams: what an object of a host's subscribes to, by names.

Names become contract ids here and accounts those of the object's settings. All objects of a login
share one line and one thread; what two of them want of the same contract is asked for once.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from ibkr_adapter.clock import Clock
from ibkr_adapter.conids import ConidResolver
from ibkr_adapter.errors import ConfigurationError, quoted
from ibkr_adapter.model.identifiers import checked_conid
from ibkr_adapter.model.stream import Event
from ibkr_adapter.order_reads import OrderReads
from ibkr_adapter.own_orders import OwnOrders
from ibkr_adapter.portfolio import Portfolio
from ibkr_adapter.replies import ReplyPolicy
from ibkr_adapter.session import SessionKeeper
from ibkr_adapter.settings import Settings
from ibkr_adapter.streaming.account_channels import Ledger, Orders, OrdersRead, Profit, Summary, Trades
from ibkr_adapter.streaming.channels import STALE_QUOTES, Bars, Channel, Depth, Quotes
from ibkr_adapter.streaming.feed import Feed
from ibkr_adapter.streaming.mailbox import SIZE
from ibkr_adapter.streaming.mirror import Mirror
from ibkr_adapter.streaming.notices import Bulletins, Notices, Prompts
from ibkr_adapter.streaming.subscription import Subscription
from ibkr_adapter.wire import stream
from ibkr_adapter.wire.fields import AVAILABILITY, FIELD_SETS, TAGS

Callback = Callable[[Event], None]

# What IBKR gives a session at once, and how far its trades reach back.
MOST_BARS = 5
MOST_DAYS = 7


class Shared(Protocol):
    """What the desk needs of a connection."""

    clock: Clock
    conids: ConidResolver
    portfolio: Portfolio
    session: SessionKeeper
    reads: OrderReads
    own: OwnOrders


class StreamDesk:
    """Subscribes for one object of a host's, and ends with it."""

    def __init__(
        self, feed: Feed, connection: Shared, settings: Settings, permit: Callable[[], None]
    ) -> None:
        self._feed = feed
        self._permit = permit
        self._connection = connection
        self._settings = settings
        self._mirror: Mirror | None = None
        self._open: weakref.WeakSet[Subscription] = weakref.WeakSet()

    @property
    def is_up(self) -> bool:
        """Whether the line is up, heard of lately, and its session stands."""
        return self._feed.is_up

    def quotes(
        self,
        *symbols: str | int,
        fields: str | Sequence[str] = "quote",
        callback: Callback | None = None,
        size: int = SIZE,
        stale_after: float | None = STALE_QUOTES,
    ) -> Subscription:
        """Subscribe to quotes; each event has the whole quote as it stands.

        Each contract uses one of the user's market data lines, of which there are 100 unless more
        were bought; beyond them nothing comes, and IBKR says nothing.

        Args:
            symbols: Contracts by name, or by contract id.
            fields: The name of a set of fields, or names of fields; the freshness always comes along.
            callback: Called with each event on the stream's thread, instead of keeping it.
            size: How many events are kept for a consumer who is behind; the oldest are dropped.
            stale_after: After how many seconds of silence you are told ``Stale``; ``None`` for never.

        Raises:
            ContractError: A name fits no contract, or several; nothing was subscribed to.
            ConfigurationError: There is no such field, or nothing was named.
            StreamClosed: The connection was closed.
        """
        names = FIELD_SETS.get(fields) if isinstance(fields, str) else _listed(fields)
        if names is None or not names or any(name not in TAGS for name in names):
            raise ConfigurationError(
                f"{quoted(fields, 80)} names no field, or no set of fields, of a quote; nothing was subscribed to.",
                remedy=f"The sets are {', '.join(FIELD_SETS)}; docs/market-data.md tells of the fields.",
            )
        # Without it nobody could tell how fresh the figures are.
        names = names if AVAILABILITY in names else (*names, AVAILABILITY)
        conids = [self._conid(symbol) for symbol in symbols]
        channels = [Quotes(conid, None, names, stale_after) for conid in dict.fromkeys(conids)]
        return self._subscribe(channels, callback, size)

    def bars(
        self,
        symbol: str | int,
        *,
        period: str = "1d",
        bar: str = "1min",
        outside_rth: bool = False,
        source: str = "trades",
        callback: Callback | None = None,
    ) -> Subscription:
        """Subscribe to live bars of one contract; a session has five places for them.

        Args:
            symbol: The contract.
            period: How far back the first ones reach, such as ``1d`` or ``2w``.
            bar: How long one is, such as ``1min``, ``1h`` or ``1d``.
            outside_rth: Whether those outside regular trading hours are among them.
            source: ``trades``, ``midpoint``, ``bid_ask``, ``bid`` or ``ask``.
            callback: As for :meth:`quotes`.

        Raises:
            ConfigurationError: There is no such source, all places are taken, or the contract's bars
                are subscribed to with other wishes.
        """
        if source not in stream.SOURCES:
            raise ConfigurationError(
                f"{quoted(source)} is no source of bars; it is one of {', '.join(stream.SOURCES)}."
            )
        for name, word in (("period", period), ("bar", bar)):
            if not isinstance(word, str):
                raise ConfigurationError(
                    f"{name}={quoted(word)} is no text such as 1d; nothing was subscribed to."
                )
        channel = Bars(self._conid(symbol), period=period, bar=bar, outside_rth=outside_rth, source=source)
        taken = [found for found in self._feed.channels() if isinstance(found, Bars)]
        same = next((found for found in taken if found.key == channel.key), None)
        if same is not None and same.wish != channel.wish:
            raise ConfigurationError(
                f"bars of {symbol} are subscribed to with another period, length or source, and a contract has"
                " one set of them; nothing was subscribed to.",
                remedy="Close that subscription first.",
            )
        if same is None and len(taken) >= MOST_BARS:
            raise ConfigurationError(
                f"all {MOST_BARS} places that a session has for live bars are taken; nothing was subscribed to.",
                remedy="Close one of them, or read history instead.",
            )
        return self._subscribe([channel], callback, SIZE)

    def depth(
        self,
        symbol: str | int,
        *,
        exchange: str | None = None,
        callback: Callback | None = None,
        size: int = SIZE,
    ) -> Subscription:
        """Subscribe to the price ladder of one contract; an account has one, and needs Level 2 data for it.

        Raises:
            ConfigurationError: The account has another ladder; nothing was subscribed to.
        """
        if exchange is not None and not isinstance(exchange, str):
            raise ConfigurationError(f"{quoted(exchange)} is no exchange; nothing was subscribed to.")
        account = self._account()
        channel = Depth(account, self._conid(symbol), exchange)
        for found in self._feed.channels():
            if isinstance(found, Depth) and found.account_id == account and found.key != channel.key:
                raise ConfigurationError(
                    f"account {account} has a price ladder already ({found.key}), and IBKR gives one; nothing"
                    " was subscribed to.",
                    remedy="Close that subscription first.",
                )
        return self._subscribe([channel], callback, size)

    def orders(self, *, callback: Callback | None = None) -> Subscription:
        """Subscribe to orders: each of the day as it stands, then each change of one.

        After a gap the orders that stand otherwise than before are told as they were read again. They
        are this account's and those of other objects' accounts, whoever placed them; ``order.account``
        tells whose. Changes come of every account of the login that IBKR tells them of.
        """
        return self._subscribe([self._orders()], callback, SIZE)

    def trades(self, *, days: int = 1, callback: Callback | None = None) -> Subscription:
        """Subscribe to executions: those of the last ``days``, at most 7, then each as it happens, each once."""
        if type(days) is not int or not 1 <= days <= MOST_DAYS:
            raise ConfigurationError(f"trades reach back 1 to {MOST_DAYS} days, not {quoted(days)}.")
        return self._subscribe([self._trades(days)], callback, SIZE)

    def profit(self, *, callback: Callback | None = None, size: int = SIZE) -> Subscription:
        """Subscribe to today's profit of every account and model, at most once a second."""
        return self._subscribe([Profit()], callback, size)

    def summary(self, *, callback: Callback | None = None, size: int = SIZE) -> Subscription:
        """Subscribe to what the account is worth and may still buy, by IBKR's own keys."""
        return self._subscribe([Summary(self._account())], callback, size)

    def ledger(self, *, callback: Callback | None = None, size: int = SIZE) -> Subscription:
        """Subscribe to the account's cash by currency, every ten seconds."""
        return self._subscribe([Ledger(self._account())], callback, size)

    def notifications(self, *, callback: Callback | None = None, decline: bool = True) -> Subscription:
        """Subscribe to notices, and have the prompts among them answered by the reply policy.

        IBKR asks about an order here as well as in the answer to it. While somebody is subscribed a
        prompt about an order of ours is answered with the option that agrees, where ``answer_messages``
        or the default policy allows its message, and else with the one that declines. What is left
        open is told with the reason, ``event.left_open``. The first subscription of a login decides.

        Args:
            callback: As for :meth:`quotes`.
            decline: Whether to decline what the policy does not allow; without it that is left to you,
                to be answered with ``ibkr.notifications.answer_prompt``.
        """
        prompts = Prompts(
            clock=self._connection.clock,
            session=self._connection.session,
            own=self._connection.own,
            policy=ReplyPolicy(
                answer=self._settings.answer_messages, decline=self._settings.decline_messages
            ),
            permit=self._permit,
            declines=decline,
        )
        return self._subscribe([Notices(prompts.answer)], callback, SIZE)

    def bulletins(self, *, callback: Callback | None = None) -> Subscription:
        """Subscribe to the bulletins of exchanges and of IBKR."""
        return self._subscribe([Bulletins()], callback, SIZE)

    def keep_account(self) -> Mirror:
        """Keep orders and positions of the account current, so that asking for them costs no request.

        Until it is closed ``get_positions``, ``get_position``, ``has_open_position``, ``get_open_orders``,
        ``get_orders`` and ``get_all_orders`` of this object answer from the stream where it proves what
        they say, and read as ever where it does not. Each contract held uses a market data line.
        """
        kept = self.kept
        if kept is None:
            connection = self._connection
            kept = self._mirror = Mirror(
                account_id=self._account(),
                clock=connection.clock,
                feed=self._feed,
                session=connection.session,
                reads=connection.reads,
                portfolio=connection.portfolio,
                orders=self._orders(),
                trades=self._trades(1),
            )
        return kept

    @property
    def kept(self) -> Mirror | None:
        """What :meth:`keep_account` keeps, while it does."""
        return None if self._mirror is None or self._mirror.is_closed else self._mirror

    def close(self) -> None:
        """End every subscription of this object."""
        if self._mirror is not None:
            self._mirror.close()
        for subscription in list(self._open):
            subscription.close()

    def _orders(self) -> Orders:
        reads, account = self._connection.reads, self._account()

        def read(deadline: float) -> OrdersRead:
            changes, begun = reads.changes, self._connection.clock.now()
            orders = reads.live(account, not_before=self._now(), deadline=deadline)
            return OrdersRead(account=account, orders=orders, changes=changes, begun=begun)

        return Orders(account, read)

    def _trades(self, days: int) -> Trades:
        reads, account = self._connection.reads, self._account()
        return Trades(
            account, lambda deadline: reads.fills(account, not_before=self._now(), deadline=deadline), days
        )

    def _now(self) -> float:
        return self._connection.clock.monotonic()

    def _account(self) -> str:
        return self._connection.portfolio.choose(self._settings.account_id).account_id

    def _conid(self, symbol: str | int) -> int:
        if not isinstance(symbol, str):
            return checked_conid(symbol)
        # What can no longer be traded can still be looked at.
        return self._connection.conids.resolve(symbol, for_trading=False).conid

    def _subscribe(self, channels: Sequence[Channel], callback: Callback | None, size: int) -> Subscription:
        if not channels or type(size) is not int or size < 1:
            raise ConfigurationError(
                "a subscription needs something to subscribe to and a size of at least 1."
            )
        if callback is not None and not callable(callback):
            raise ConfigurationError(
                f"callback={quoted(callback)} cannot be called; nothing was subscribed to."
            )
        made = Subscription(self._feed, self._connection.clock, channels, size=size, callback=callback)
        self._open.add(made)
        return made


def _listed(fields: object) -> tuple[str, ...]:
    """The names of fields in a list; nothing where it is no list of names."""
    names = tuple(fields) if isinstance(fields, Iterable) else ()
    return names if all(isinstance(name, str) for name in names) else ()
