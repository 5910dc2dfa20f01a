"""Quotes on a stream: ``smd``.

The first frame of a contract has every tag that was asked for, later ones only what has changed,
at most twice a second. One set of tags is shared by all streams of a brokerage session and by
its snapshots, and so is the line; closing it anywhere mutes it everywhere. Fifteen minutes after
it was asked for a subscription ends without a word.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ibkr_adapter.simulator import combos
from ibkr_adapter.simulator.digits import whole
from ibkr_adapter.simulator.market_tags import SLOW_TAGS
from ibkr_adapter.simulator.quote_rows import quote_values
from ibkr_adapter.simulator.refusals import RefusalError
from ibkr_adapter.simulator.sessions import Stream
from ibkr_adapter.simulator.stream_frames import Feed, Pace, Wish, frame

if TYPE_CHECKING:
    from ibkr_adapter.simulator.door import Frame
    from ibkr_adapter.simulator.instrument import Instrument
    from ibkr_adapter.simulator.world import World

_LEAST_TEMPO, _MOST_TEMPO = 0.1, 60.0
_SERVER_KEYS = ("server_id", "6119", "_updated")
_NOT_ASKED_FOR = frozenset({*_SERVER_KEYS, "conidEx", "conid", "topic"})


class QuoteFeed(Feed):
    """The quotes of one contract on one stream."""

    def __init__(self, world: World, wish: Wish, instrument: Instrument, line: Stream) -> None:
        self._world = world
        self._conidex = wish.target
        self._instrument = instrument
        self._line = line
        self._shown: dict[str, Any] = {}
        self._is_single = wish.arguments.get("snapshot") is True
        self._opened = world.now
        self._tempo = _tempo(wish.arguments.get("tempo"))
        # A line that has ticked before has something to show at once.
        self._pace = Pace(world, line.opened + timedelta(seconds=world.options.snapshot_delay))

    @property
    def is_over(self) -> bool:
        """Tell whether it has ended, by age or because its line was closed."""
        age = (self._world.now - self._opened).total_seconds()
        return self._is_closed or age >= self._world.options.smd_life

    @property
    def _is_closed(self) -> bool:
        brokerage = self._world.sessions.brokerage
        return brokerage is None or brokerage.streams.get(line_name(self._conidex)) is not self._line

    def age(self, seconds: float) -> None:
        """Let its quarter of an hour be over so much sooner."""
        self._opened -= timedelta(seconds=seconds)

    def look(self, now: datetime) -> list[Frame]:
        """What has changed since the last frame, unless that was only just."""
        if self.is_over or not self._pace.is_due(now):
            return []
        row = quote_values(self._world, self._instrument, self._ripe())
        changed = {
            key: value
            for key, value in row.items()
            if key not in _NOT_ASKED_FOR and self._shown.get(key) != value
        }
        if not changed and self._shown:
            return []
        self._pace.sent(now, self._tempo)
        for tag in self._line.fields:
            self._line.fields[tag] += 1
        self._shown |= changed
        if self._is_single:
            self.age(self._world.options.smd_life)
        ids = {"conidEx": self._conidex, "conid": self._instrument.conid}
        servers = {key: row[key] for key in _SERVER_KEYS}
        return [frame({**servers, **ids, **changed, "topic": f"smd+{self._conidex}"})]

    def _ripe(self) -> list[str]:
        # Sensitivities are computed once somebody has asked for them.
        return [tag for tag, reads in self._line.fields.items() if reads or tag not in SLOW_TAGS]


def line_name(conidex: str) -> str:
    """The name of the line that a contract takes: the exchange makes no difference."""
    return conidex if combos.MARK in conidex else conidex.partition("@")[0]


def _tempo(wished: Any) -> float:
    """An undocumented wish for fewer frames, in milliseconds."""
    if isinstance(wished, bool) or not isinstance(wished, int | float):
        return 0.0
    return min(max(wished / 1000, _LEAST_TEMPO), _MOST_TEMPO)


def found(world: World, conidex: str) -> Instrument | None:
    """The contract or combination that a stream is asked for."""
    if combos.MARK in conidex:
        try:
            return combos.combination(_with_spread(conidex), world.catalogue.find)
        except RefusalError:
            return None
    number = whole(conidex.partition("@")[0])
    return None if number is None else world.catalogue.find(number)


def _with_spread(conidex: str) -> str:
    """A combination's text; streams are written with a nought where orders have the spread conid."""
    head, _, legs = conidex.partition(combos.MARK)
    return f"{'28812380' if head == '0' else head}{combos.MARK}{legs}"


def open_line(world: World, conidex: str, tags: list[str]) -> Stream | None:
    """The line of a contract, opened or with more tags; none when there is none left."""
    brokerage = world.sessions.brokerage
    if brokerage is None:
        return None
    name = line_name(conidex)
    line = brokerage.streams.get(name)
    if line is None:
        if len(brokerage.streams) >= world.options.market_data_lines:
            return None
        line = brokerage.streams[name] = Stream(opened=world.now)
    line.fields |= {tag: line.fields.get(tag, 0) for tag in tags}
    return line
