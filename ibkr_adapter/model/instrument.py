"""What a search for instruments brings: candidates for a name, and what there is under a symbol.

Which of them is meant is for :mod:`ibkr_adapter.conids`; how IBKR writes them is for
:mod:`ibkr_adapter.wire.discovery`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

import attrs

from ibkr_adapter.model.contract import SecType
from ibkr_adapter.model.shown import Shown


@attrs.frozen(kw_only=True)
class Candidate(Shown):
    """One contract among those that a name fits; ``note`` says what sets it apart."""

    conid: int = attrs.field(validator=attrs.validators.gt(0))
    symbol: str
    name: str
    exchange: str
    currency: str | None = None
    is_us: bool | None = None
    sec_type: SecType = SecType.STOCK
    note: str = ""
    spelling: str | None = None

    @property
    def write(self) -> str:
        """What to write to mean this one."""
        return self.spelling or self.for_host

    @property
    def for_host(self) -> str:
        """What a host may write, that cuts off everything before a colon."""
        return self.spelling if self.spelling and ":" not in self.spelling else f"{self.conid}@SMART"


@attrs.frozen(kw_only=True)
class Section(Shown):
    """One kind of instrument that a search found under a name.

    ``months`` are IBKR's month codes (``DEC26``), ``conid`` is there where the kind has one itself.
    """

    sec_type: SecType
    months: tuple[str, ...] = ()
    exchanges: tuple[str, ...] = ()
    conid: int | None = None


@attrs.frozen(kw_only=True)
class SearchHit(Shown):
    """One row of a search: a company, an index, an issuer of bonds (which has no conid).

    ``expiries`` are the days on which its options end, where IBKR lists them; ``issuers`` are
    the ids and names of those who issue bonds.
    """

    conid: int | None
    symbol: str | None
    name: str | None = None
    exchange: str | None = None
    sections: tuple[Section, ...] = ()
    expiries: tuple[str, ...] = ()
    issuers: tuple[tuple[str, str], ...] = ()

    def section(self, kind: SecType) -> Section | None:
        """What it has of one kind of instrument, if any."""
        return next((section for section in self.sections if section.sec_type is kind), None)

    @property
    def kinds(self) -> str:
        """The kinds of instruments under it, in IBKR's words."""
        return " ".join(section.sec_type.value for section in self.sections if section.sec_type.value)


CANDIDATE_COLUMNS: Mapping[str, Callable[[Candidate], Any]] = {
    name: attrgetter(name)
    for name in ("write", "sec_type", "symbol", "name", "exchange", "currency", "note", "conid")
}
HIT_COLUMNS: Mapping[str, Callable[[SearchHit], Any]] = {
    name: attrgetter(name) for name in ("symbol", "name", "exchange", "kinds", "conid")
}
