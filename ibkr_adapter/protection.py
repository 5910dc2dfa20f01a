"""Put right a bracket that stands without one of its legs.

An entry that has filled nothing is cancelled. Of one that has filled in part the filled part is given
a stop of its own, and the rest is cancelled; one that has filled is given its exits again. What is left
without a stop is said. How such a stop is sent is for :mod:`ibkr_adapter.stops`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from decimal import Decimal

import attrs

from ibkr_adapter.errors import IBKRError, InvalidOrder, OrderOutcomeUnknown, PartlyPlaced
from ibkr_adapter.legs import Watch, leg_of, matching, name_of
from ibkr_adapter.model.order import ENTRY, STOP_LOSS, TAKE_PROFIT, Leg, Order, OrderState, Placed
from ibkr_adapter.stops import ACT, LOOK_FIRST, Place, SentStop, Stops, told
from ibkr_adapter.submissions import Changes, Submission, lives, named, partly, rejected

log = logging.getLogger(__name__)

_LOOK = "Look whether what stands is what you want."


@attrs.frozen(kw_only=True)
class Bare:
    """A bracket that was acknowledged and lacks a leg: what stands, the entry first, and what does not."""

    submission: Submission
    legs: tuple[Leg, ...]
    missing: tuple[str, ...]
    said: str = ""

    @property
    def entry(self) -> Leg:
        """The entry as it was seen."""
        return self.legs[0]

    @property
    def lacking(self) -> str:
        """The legs that do not stand, in words."""
        return " and ".join(self.missing)

    @property
    def because(self) -> str:
        """What IBKR said of them."""
        return f" IBKR says: {self.said.rstrip('. ')}." if self.said else ""


class Protection:
    """Puts brackets right; ``place`` is where its orders go."""

    def __init__(self, *, watch: Watch, changes: Changes, stops: Stops) -> None:
        self._watch = watch
        self._changes = changes
        self._stops = stops

    def mend(self, bare: Bare, place: Place) -> Placed:
        """See that an entry without all of its legs does not stay without protection.

        Returns:
            Every leg, where the entry has filled and all that it lacked stands now.

        Raises:
            OrderRejected: The entry was cancelled unfilled; nothing is working.
            PartlyPlaced: It has filled; ``naked_quantity`` says how much of that has no stop.
        """
        log.warning("order %s stands without its %s", bare.entry.order_id, bare.lacking)
        entry = self._look(bare, bare.entry.order_id)
        if entry is None or entry.filled == 0:
            entry = self._cancelled(bare)
            if entry.filled == 0:
                raise rejected(
                    f"the {bare.lacking} was not accepted, so the entry was cancelled unfilled.{bare.because}"
                )
        if self._stop_works(bare):
            raise partly(
                bare.legs,
                bare.missing,
                f"the entry {entry.order_id} has filled {entry.filled:f} and its stop works, but its {bare.lacking}"
                f" does not stand.{bare.because}",
                naked=Decimal(0),
                remedy="Add it with place_take_profit, or leave the stop alone.",
            )
        if named(bare.submission.tickets[1:], STOP_LOSS) is None:
            return self._without_stop(bare, entry)
        if entry.state is OrderState.FILLED:
            return self._filled(bare, entry, place)
        return self._partly_filled(bare, entry, place)

    def orphaned(
        self, submission: Submission, exits: Sequence[str], refusal: IBKRError, *, ends: bool
    ) -> IBKRError:
        """See to the exits of an entry that does not stand: there is nothing that they could close.

        Args:
            submission: What was sent.
            exits: Those of its orders that were acknowledged.
            refusal: What is to be said of the entry.
            ends: Whether they are ended, or only looked at.

        Returns:
            ``refusal`` where none of them works or has traded, else an error that names those that do.
        """
        wanted = {name_of(ticket): ticket for ticket in submission.tickets[1:]}
        works: dict[str, str] = {}
        traded = Decimal(0)
        for order_id in exits:
            seen = self._stops.end_one(submission, order_id) if ends else self._seen(submission, order_id)
            if seen is not None:
                traded += seen.filled
            if seen is None or seen.state.may_fill:
                name = None if seen is None else matching(seen, wanted)
                works[name or f"exit_{len(works) + 1}"] = order_id
        if not works and not traded:
            return refusal
        text = [refusal.text or refusal.message]
        if works:
            text.append(f"Of its exits {' and '.join(works.values())} may still work.")
        if traded:
            text.append(f"Its exits have traded {traded:f}.")
        return PartlyPlaced(
            " ".join(text),
            placed=works,
            missing=(ENTRY,),
            naked_quantity=traded,
            remedy="Cancel what works, and look at the position: what they trade is a position of its own.",
        )

    # After the entry has filled -----------------------------------------------------------

    def _without_stop(self, bare: Bare, entry: Order) -> Placed:
        """The caller wanted a target only, so nobody knows a stop's price."""
        if not entry.state.is_over:
            entry = self._cancelled(bare)
        raise partly(
            bare.legs,
            bare.missing,
            f"the entry {entry.order_id} filled {entry.filled:f} without its {bare.lacking}.{bare.because}",
            naked=entry.filled,
            remedy=ACT,
        )

    def _filled(self, bare: Bare, entry: Order, place: Place) -> Placed:
        submission = bare.submission
        naked = entry.filled - self._ended(bare, entry)
        if naked <= 0:
            # A target that filled on the way has closed all of it.
            return Placed(coid=submission.coid, legs=bare.legs)
        size = self._stops.size(submission, naked)
        exits = [self._stops.loose(ticket, size) for ticket in submission.tickets[1:]] if size > 0 else []
        if not exits:
            raise self._naked(bare, entry, (), naked, None)
        again = attrs.evolve(
            submission, tickets=tuple(exits), deadline=self._stops.soon(submission), reducing=True
        )
        first = leg_of(bare.entry.name, entry.order_id, bare.entry.ticket, entry)
        if len(exits) > 1:
            try:
                legs = self._stops.pair(again, place).legs
            except OrderOutcomeUnknown as unknown:
                raise self._naked(bare, entry, (), naked, unknown) from unknown
            except PartlyPlaced as failure:
                bare_still = failure.naked_quantity
                raise PartlyPlaced(
                    f"the entry {entry.order_id} filled {entry.filled:f} without its {bare.lacking}.{bare.because}"
                    f" {failure.message}",
                    placed={bare.entry.name: entry.order_id} | failure.placed,
                    missing=failure.missing,
                    naked_quantity=None if bare_still is None else bare_still + naked - size,
                    remedy=failure.remedy,
                ) from failure
        else:
            alone = attrs.evolve(again, tickets=(attrs.evolve(exits[0], single_group=False),))
            stop = self._stops.send(alone, place)
            if stop.leg is None:
                raise self._naked(bare, entry, (), naked, stop.failure) from stop.failure
            legs = (stop.leg,)
        if size < naked:
            raise self._naked(bare, entry, legs, naked - size, None)
        log.warning("order %s has filled, and its exits were sent again", entry.order_id)
        return Placed(coid=submission.coid, legs=(first, *legs))

    def _partly_filled(self, bare: Bare, entry: Order, place: Place) -> Placed:
        """Give the filled part a stop first, then end the entry, then see to what it filled meanwhile."""
        stops: list[Leg] = []
        failure: IBKRError | None = None
        covered = Decimal(0)
        over = entry
        for _ in range(2):
            try:
                naked = over.filled - self._ended(bare, over) - covered
            except PartlyPlaced as obstacle:
                # While a target works beside it no stop is sent; it goes with the entry.
                failure, naked = obstacle, Decimal(0)
            if naked > 0 and not isinstance(failure, OrderOutcomeUnknown):
                sent = self._protect(bare, naked, place)
                failure = sent.failure
                if sent.leg is not None:
                    stops.append(
                        attrs.evolve(sent.leg, name=f"{STOP_LOSS}_{len(stops) + 1}" if stops else STOP_LOSS)
                    )
                    covered += sent.leg.ticket.units
            if over.state.is_over:
                break
            over = self._cancelled(bare, stops, covered)
        left = over.filled - self._closed(bare) - covered
        raise self._naked(bare, over, stops, left, failure)

    def _protect(self, bare: Bare, naked: Decimal, place: Place) -> SentStop:
        submission = bare.submission
        size = self._stops.size(submission, naked)
        stop = named(submission.tickets[1:], STOP_LOSS)
        if size <= 0 or stop is None:
            return SentStop(failure=InvalidOrder("the account holds none of it; no stop was sent."))
        alone = attrs.evolve(self._stops.loose(stop, size), single_group=False)
        return self._stops.send(
            attrs.evolve(submission, tickets=(alone,), deadline=self._stops.soon(submission), reducing=True),
            place,
        )

    # Steps --------------------------------------------------------------------------------

    def _cancelled(self, bare: Bare, stops: Sequence[Leg] = (), covered: Decimal = Decimal(0)) -> Order:
        """End the entry and see how it ended."""
        entry = bare.entry
        try:
            return self._changes.cancel(
                entry.order_id,
                account=bare.submission.account,
                replies=bare.submission.replies,
                deadline=self._stops.soon(bare.submission),
            )
        except IBKRError as failure:
            seen = self._look(bare, entry.order_id)
            if seen is not None and seen.state.is_over:
                return seen
            stop = f" {covered:f} of it have a stop." if stops else ""
            raise partly(
                [*bare.legs, *stops],
                bare.missing,
                f"the entry {entry.order_id} stands without its {bare.lacking}, and cancelling it failed:"
                f" {failure}{bare.because}{stop}",
                naked=None if seen is None else max(Decimal(0), seen.filled - covered),
            ) from failure

    def _stop_works(self, bare: Bare) -> bool:
        stop = next((leg for leg in bare.legs[1:] if leg.name == STOP_LOSS), None)
        seen = None if stop is None else self._look(bare, stop.order_id)
        # One that cannot be seen was seen a moment ago, and a second one could open a position.
        return stop is not None and (seen is None or lives(seen))

    def _ended(self, bare: Bare, entry: Order) -> Decimal:
        """End the exits that stand and say how much of the entry they have closed."""
        closed = Decimal(0)
        for leg in bare.legs[1:]:
            seen = self._stops.end_one(bare.submission, leg.order_id)
            if seen is None or not seen.state.is_over:
                raise partly(
                    bare.legs,
                    bare.missing,
                    f"the entry {entry.order_id} filled {entry.filled:f} without its {bare.lacking}, and its"
                    f" {leg.name} could not be ended, so no stop was sent beside it.{bare.because}",
                    naked=entry.filled,
                    remedy=ACT,
                )
            closed += seen.filled
        return closed

    def _closed(self, bare: Bare) -> Decimal:
        seen = [self._look(bare, leg.order_id) for leg in bare.legs[1:]]
        return sum((order.filled for order in seen if order is not None), Decimal(0))

    def _naked(
        self, bare: Bare, entry: Order, stops: Sequence[Leg], left: Decimal, failure: IBKRError | None
    ) -> PartlyPlaced:
        """Say what stands and how much has no stop."""
        unknown = isinstance(failure, OrderOutcomeUnknown)
        what = (
            f"the entry {entry.order_id} is {entry.state} with {entry.filled:f} filled, and its {bare.lacking}"
            f" did not stand.{bare.because}"
        )
        text = [what]
        protected = sum((leg.ticket.units for leg in stops if leg.name != TAKE_PROFIT), Decimal(0))
        if protected:
            text.append(f"A stop for {protected:f} stands instead.")
        if failure is not None and (left > 0 or unknown):
            text.append(told(failure, left))
        elif left > 0:
            text.append(f"{left:f} have no stop.")
        standing = [bare.entry, *(leg for leg in bare.legs[1:] if self._works(bare, leg)), *stops]
        wanted = [name_of(ticket) for ticket in bare.submission.tickets[1:]]
        return partly(
            standing,
            [name for name in wanted if name not in {leg.name for leg in standing}],
            " ".join(text),
            naked=None if unknown else max(Decimal(0), left),
            remedy=LOOK_FIRST if unknown else ACT if left > 0 else _LOOK,
        )

    def _works(self, bare: Bare, leg: Leg) -> bool:
        seen = self._look(bare, leg.order_id)
        return seen is None or lives(seen)

    def _look(self, bare: Bare, order_id: str) -> Order | None:
        return self._seen(bare.submission, order_id)

    def _seen(self, submission: Submission, order_id: str) -> Order | None:
        return self._watch.look(submission.account, order_id, self._stops.soon(submission))
