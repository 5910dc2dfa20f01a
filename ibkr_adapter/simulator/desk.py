"""Take orders: what happens between a request and the book.

Knows the order of checks (duplicate id, structure, hours, money, then questions), how the legs
of a bracket find their parent, and the shapes in which acceptance and refusal leave: children
are acknowledged before their parent, and a refused leg leaves its parent *Inactive*. A fault may
ask for another outcome through the call's twists. Changing and cancelling is in :mod:`.amend`.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import attrs

from ibkr_adapter.simulator import answers, lame
from ibkr_adapter.simulator.account import Account
from ibkr_adapter.simulator.calendars import calendar_of
from ibkr_adapter.simulator.charges import LEVERAGE, MARGIN, requirement
from ibkr_adapter.simulator.class_checks import refuse_anonymous
from ibkr_adapter.simulator.door import Answer
from ibkr_adapter.simulator.faults import land, wait
from ibkr_adapter.simulator.figures import cents
from ibkr_adapter.simulator.instrument import Instrument
from ibkr_adapter.simulator.order import NOTHING, Order, Status, Ticket
from ibkr_adapter.simulator.refusals import RefusalError, Rejection
from ibkr_adapter.simulator.tickets import ticket_list
from ibkr_adapter.simulator.views_orders import acknowledgement
from ibkr_adapter.simulator.world import World

Twists = dict[str, Any]
_MSG = "Request was submitted"
PRICE_PROMPT = (
    "If your order is not immediately executable, our systems may, depending on market "
    "conditions, reject your order if its limit price is more that the allowed amount away from "
    "the reference price at that time.\nUse the Price Management Algo?"
)
PRICE_CHOICES = ["Use on this order", "Always use", "Do not use"]


@attrs.define(kw_only=True, eq=False)
class _Leg:
    """A ticket of a request and the parent it hangs on: another leg, or an order in the book."""

    ticket: Ticket
    parent_leg: _Leg | None = None
    parent_order: Order | None = None
    order: Order | None = None

    @property
    def is_child(self) -> bool:
        return self.parent_leg is not None or self.parent_order is not None

    @property
    def hangs_on(self) -> Order | None:
        return self.parent_leg.order if self.parent_leg is not None else self.parent_order


class Desk:
    """The order desk of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._prompts: dict[str, tuple[int, list[_Leg], Twists]] = {}

    # Placing.

    def place(self, account: str, body: Any, twists: Twists) -> Answer:
        """Take a request of one ticket, a bracket or a group."""
        world = self._world
        reader = world.reader(account)
        readings = [reader.read(row) for row in ticket_list(body)]
        self._refuse_duplicates(readings)
        tickets = [one for one in readings if isinstance(one, Ticket)]
        for one in tickets:
            refuse_anonymous(one.instrument, one.keys, world.options.us_futures_fields)
        if len(tickets) < len(readings):
            return self._partly_refused(readings)
        legs = self._legs(tickets)
        self._refuse_closed(legs)
        self._refuse_unfunded(world.accounts[account], legs)
        # Another order ends the dialogue that was open.
        world.dialogues.kill()
        if world.options.price_management_prompt and tickets[0].order_type == "LMT":
            return self._prompt(legs, twists)
        return self._ask(account, legs, twists)

    def _ask(self, account: str, legs: list[_Leg], twists: Twists) -> Answer:
        rounds = [one for leg in legs for one in self._world.rounds(leg.ticket, is_exit=leg.is_child)]
        rounds += twists.get("rounds", [])

        if "rounds" in twists or (rounds and "strict" in twists):
            land(twists)

        def act(asked: list[str]) -> Answer:
            return self._enter(legs, asked, twists)

        answer = self._world.dialogues.begin(account, rounds, act, strict=bool(twists.get("strict")))
        wait(twists, asked=bool(rounds))
        return answer

    def _refuse_duplicates(self, readings: Sequence[Ticket | Rejection]) -> None:
        world, seen = self._world, set()
        for one in readings:
            if not isinstance(one, Ticket) or one.coid is None:
                continue
            if one.coid in seen or world.book.is_registered(one.coid, world.now):
                raise RefusalError(self.duplicate(one.coid))
            seen.add(one.coid)

    def duplicate(self, coid: str) -> Answer:
        """The answer to a client order id that was used before."""
        text = f"Order couldn't be submitted: Local order ID={coid} is already registered."
        return answers.refusal(text, self._world.options.duplicate_status)

    def _legs(self, tickets: list[Ticket]) -> list[_Leg]:
        legs = [_Leg(ticket=ticket) for ticket in tickets]
        by_coid = {leg.ticket.coid: leg for leg in legs if leg.ticket.coid is not None}
        for leg in legs:
            parent = leg.ticket.parent
            if parent is None:
                continue
            leg.parent_leg = by_coid.get(parent)
            if leg.parent_leg is None:
                leg.parent_order = self._late_parent(leg.ticket.account, parent)
        loose = [leg for leg in legs if not leg.is_child and not leg.ticket.single_group]
        if len(loose) > 1:
            # Documented as forbidden; how the refusal reads is a guess.
            raise RefusalError(answers.refusal("Only one order ticket may be submitted per request"))
        return legs

    def _late_parent(self, account: str, reference: str) -> Order | None:
        found = self._world.book.find(reference, account)
        usable = found is not None and found.status not in {Status.CANCELLED, Status.INACTIVE}
        if not usable or self._world.options.late_parent == "refuse":
            # Guess: that a child without parent is refused is certain, the words are not.
            raise RefusalError(answers.refusal(f"Parent order {reference} doesn't exist"))
        return found if self._world.options.late_parent == "accept" else None

    def _refuse_closed(self, legs: list[_Leg]) -> None:
        if self._world.options.mkt_outside_rth == "queue":
            return
        for leg in legs:
            if leg.ticket.order_type != "MKT" or leg.ticket.tif == "OPG" or leg.is_child:
                continue
            if not calendar_of(leg.ticket.instrument).is_open(self._world.now):
                text = "Market orders are not accepted outside regular trading hours."
                raise RefusalError(answers.refusal(text))

    def _refuse_unfunded(self, account: Account, legs: list[_Leg]) -> None:
        world = self._world
        standing = world.standing(account.account_id)
        power = standing.buying_power
        if world.options.buying_power is not None:
            power = Decimal(str(world.options.buying_power))
        pending = sum(
            (self._opening_value(account, one.ticket, one.remaining) for one in self._entries(account)),
            NOTHING,
        )
        for leg in legs:
            if leg.is_child:
                continue
            value = self._opening_value(account, leg.ticket, leg.ticket.quantity)
            if value and value + pending > power:
                # Guess: the words are those of the same refusal elsewhere at the broker.
                text = (
                    "YOUR ORDER IS NOT ACCEPTED. IN ORDER TO OBTAIN THE DESIRED POSITION YOUR "
                    f"EQUITY WITH LOAN VALUE [{cents(standing.net)} USD] MUST EXCEED THE INITIAL "
                    f"MARGIN [{cents(standing.margin + (value + pending) * MARGIN)} USD]"
                )
                raise RefusalError(answers.refusal(text))

    def _entries(self, account: Account) -> list[Order]:
        return [one for one in self._world.book.live(account.account_id) if one.parent_id is None]

    def _opening_value(self, account: Account, ticket: Ticket, quantity: Decimal) -> Decimal:
        """The value by which an order would enlarge positions, in US dollars of shares.

        What ties up more than shares of the same value counts for as many shares as it ties up.
        """
        signed = quantity if ticket.is_buy else -quantity
        parts: list[tuple[Instrument, Decimal, Decimal | None]]
        if ticket.instrument.legs:
            parts = [(one.instrument, signed * one.ratio, None) for one in ticket.instrument.legs]
        else:
            parts = [(ticket.instrument, signed, ticket.limit)]
        return sum((self._tied_up(account, *part) for part in parts), NOTHING)

    def _tied_up(
        self, account: Account, instrument: Instrument, signed: Decimal, limit: Decimal | None
    ) -> Decimal:
        held = account.held(instrument.conid)
        growth = abs(held + signed) - abs(held)
        if growth <= 0:
            return NOTHING
        last = self._world.last
        price = last(instrument) if limit is None else limit
        tied = requirement(instrument, growth.copy_sign(signed), price, last)
        return tied * LEVERAGE * self._world.rate(instrument.currency)

    def _partly_refused(self, readings: Sequence[Ticket | Rejection]) -> Answer:
        """Refuse a request of which one ticket at least is bad: nothing works afterwards."""
        rows: list[dict[str, Any]] = []
        world = self._world
        for one in readings:
            if isinstance(one, Rejection):
                rows.append(failed(one.text, one.warning))
                continue
            order = world.book.enter(one, world.now)
            order.end(Status.INACTIVE, world.now)
            rows.append({"order_id": str(order.order_id), "order_status": "Inactive"})
        # The refused leg comes first, as observed.
        rows.sort(key=lambda row: row["order_status"] != "Failed")
        return answers.json_answer(rows)

    def _enter(self, legs: list[_Leg], asked: list[str], twists: Twists) -> Answer:
        world = self._world
        self._refuse_duplicates([leg.ticket for leg in legs])
        now = world.settle()
        children = [leg for leg in legs if leg.is_child]
        chosen = lame.choose(legs, twists)
        refused = chosen if chosen is not None and lame.is_refused(twists) else None
        group = None
        for leg in [*(leg for leg in legs if not leg.is_child), *children]:
            if leg is refused:
                continue
            parent = leg.hangs_on
            loose_group = group if leg.ticket.single_group and parent is None and not children else None
            leg.order = world.book.enter(leg.ticket, now, parent=parent, group=loose_group)
            leg.order.questions = list(asked)
            if leg.ticket.single_group and parent is None and not children and group is None:
                group = f"oco-{leg.order.order_id}"
                world.book.join(leg.order, group)
        if chosen is not None:
            lame.play_out(world.book, legs, chosen, chosen.hangs_on, twists, now)
        world.book.nudge(now)
        if world.options.prompts_by_stream:
            for leg in legs:
                if leg.order is not None and leg.ticket.order_type == "LMT" and not leg.is_child:
                    world.ask_by_stream(leg.order.order_id)
        rows = self._acknowledge(legs, refused)
        if chosen is not None and twists["bracket"].variant == "reordered":
            rows.reverse()
        if self._world.options.ack_shape == "object" and len(rows) == 1:
            return answers.json_answer(rows[0])
        return answers.json_answer(rows)

    @staticmethod
    def _acknowledge(legs: list[_Leg], refused: _Leg | None) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for leg in [*(leg for leg in legs if leg.is_child), *(leg for leg in legs if not leg.is_child)]:
            if leg is refused:
                rows.insert(0, failed("Order rejected", "Order rejected by the exchange."))
            elif leg.order is not None:
                rows.append(acknowledgement(leg.order))
        return rows

    # Prompts that are answered through the notification endpoint.

    def _prompt(self, legs: list[_Leg], twists: Twists) -> Answer:
        order_id = self._world.book.skip_id()
        request = str(22170 + len(self._prompts))
        self._prompts[request] = (order_id, legs, twists)
        return answers.json_answer(
            {
                "orderId": order_id,
                "reqId": request,
                "dismissable": [],
                "text": PRICE_PROMPT,
                "options": PRICE_CHOICES,
                "type": "M",
                "messageId": "p12",
                "prompt": True,
            }
        )

    def notify(self, body: Any) -> Answer:
        """Answer a prompt; the order goes on to its questions or into the book."""
        request = body.get("reqId") if isinstance(body, dict) else None
        asked = self._world.prompts.get(str(request))
        if asked is not None:
            # One that came by stream; no JSON, as documented.
            asked["answer"] = body.get("text")
            return answers.text("Success")
        found = self._prompts.pop(str(request), None)
        if found is not None:
            _, legs, twists = found
            self._enter(legs, ["p12"], twists)
        return answers.json_answer(_MSG)


def failed(text: str, warning: str) -> dict[str, Any]:
    """A refusal in the dress of an acknowledgement."""
    return {"order_id": "-1", "order_status": "Failed", "text": text, "warning_message": warning}
