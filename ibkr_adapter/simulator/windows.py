"""When IBKR is away by plan: the nightly resets and the weekly maintenance of a region.

The outer session ends at the region's midnight, the brokerage session is reset at about one on the
nights of weekdays, and the whole API is away on Saturday evening. Arithmetic on moments only; who loses
what is for :mod:`.sessions` and :mod:`.tokens`.

Guesses: that the nights of weekdays are those that begin on them and end in the morning of the next
day's date (Tuesday to Saturday), how long a reset is felt, and the hours of the maintenance.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from ibkr_adapter.simulator import answers

if TYPE_CHECKING:
    from ibkr_adapter.simulator.door import Answer
    from ibkr_adapter.simulator.options import Options

ZONES = {"US": "America/New_York", "EU": "Europe/Zurich", "Asia": "Asia/Hong_Kong"}
_RESET_HOUR = 1
_SUNDAY, _MONDAY, _SATURDAY = 6, 0, 5
_MAINTENANCE_HOURS = (18, 24)
_PAGE = "<html><body><h1>Scheduled maintenance</h1></body></html>"


def _local(now: datetime, region: str) -> datetime:
    return now.astimezone(ZoneInfo(ZONES[region]))


def midnight(now: datetime, region: str) -> datetime:
    """The last midnight of the region."""
    return _local(now, region).replace(hour=0, minute=0, second=0, microsecond=0)


def last_reset(now: datetime, region: str) -> datetime:
    """The last moment at which the region's brokerage sessions were reset."""
    reset = midnight(now, region).replace(hour=_RESET_HOUR)
    while reset > now or reset.weekday() in {_SUNDAY, _MONDAY}:
        # By the calendar, not by 24 hours: a day may be longer or shorter.
        reset -= timedelta(days=1)
    return reset


def is_maintenance(now: datetime, region: str) -> bool:
    """Tell whether the whole API is away."""
    local = _local(now, region)
    return local.weekday() == _SATURDAY and _MAINTENANCE_HOURS[0] <= local.hour < _MAINTENANCE_HOURS[1]


def away(template: str, now: datetime, options: Options) -> Answer | None:
    """The answer of an endpoint that is away by plan now; none while it is there."""
    if not options.maintenance:
        return None
    in_reset = now - last_reset(now, options.region) < timedelta(seconds=options.reset_seconds)
    if is_maintenance(now, options.region) or (in_reset and template.startswith("/iserver/")):
        return _face(options.maintenance_face)
    return None


def _face(face: str) -> Answer:
    match face:
        case "401":
            return answers.unauthorised()
        case "no bridge":
            return answers.bad_request("no bridge")
        case "refused":
            return answers.fault(answers.BACK_END_DOWN, 503)
        case "html":
            return answers.page(_PAGE, 503)
        case _:
            return answers.unavailable(int(face))
