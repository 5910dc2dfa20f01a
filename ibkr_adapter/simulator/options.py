"""The switches of the simulated broker, each with the behaviour it starts with.

A switch exists where the real service is documented in two ways, where it differs between
accounts, or where a test needs the rarer case on demand. They are set when the broker is made
or later through ``POST /simulator/options``; every name and type is checked, so a misspelt
switch is refused instead of being believed.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs


class OptionError(ValueError):
    """A switch that does not exist, or a value that is none for it."""


@attrs.define(kw_only=True)
class Options:
    """All switches; seconds are market seconds unless said otherwise."""

    # The world.
    accounts: list[str] = attrs.field(factory=list)  # further accounts beside the first
    cash: float = 1_000_000.0
    walk: float = 0.004  # how far prices stray from their seed
    availability: dict[str, str] = attrs.field(factory=dict)  # conid (or "*") -> tag 6509
    price_prefix: dict[str, str] = attrs.field(factory=dict)  # conid -> "C" or "H"
    snapshot_delay: float = 0.3  # from the pre-flight until the first values
    market_data_lines: int = 100
    filler_positions: int = 0  # one share each of so many made-up stocks
    filler_orders: int = 0  # so many cancelled orders of the day
    filler_executions: int = 0  # so many fills of the day
    fractions: bool = True
    walk_order: str = "strict"  # or "search": strikes may be skipped; or "free"
    empty_strikes: int = 0  # so many reads of a month's strikes are empty
    search_expiries: bool = True  # whether a search tells exact expiries

    # Streams.
    stream_cookie: str = "free"  # or "wanted": whether a local gateway streams without a cookie
    stream_opening: float = 1.0  # until a stream hears what is written
    heartbeat: float = 10.0
    stream_backlog: int = 100_000  # frames that wait for a client before it is let go
    quote_interval: float = 0.5  # the least between two frames of a contract
    smd_life: float = 900.0  # until a subscription to quotes ends silently
    sor_replay: bool = False  # whether the orders of the day come on subscribing
    regulatory_snapshots: bool = True  # whether they are sold
    depth: bool = True  # whether the user may see the depth of a book
    bar_updates: bool = False  # whether bars on a stream go on
    history_seconds: float = 0.0  # how long a request for bars takes, on the wall clock

    # Sessions.
    logged_in: bool = True
    established_reads: int = 1  # status reads after init until the session counts
    established_after: float = 3.0  # or this long
    idle_timeout: float | None = 360.0
    region: str = "US"  # or "EU", "Asia": whose midnight, nights and maintenance
    nightly_reset: bool = False  # midnight ends the login, 01:00 the brokerage session
    maintenance: bool = False  # away for some time after 01:00, and on Saturday evening
    maintenance_face: str = "503"  # or "500", "401", "no bridge", "refused", "html"
    reset_seconds: float = 300.0  # how long a reset is felt
    tickle_without_login: str = "401"  # or "no session"
    first_reads_empty: bool = True  # live orders, trades, P&L and algos of a new session

    # Logins by tokens; how long they live is on the session clock.
    credentials_active: bool = True
    clock_tolerance: float = 60.0  # between a signature's or assertion's time and the wall clock
    token_lifetime: float = 86_400.0  # of a live session token or an SSO session
    keep_brokerage: bool = True  # a new token leaves the brokerage session alone
    third_party: bool = False  # the consumer may ask for request and access tokens
    query_signing: str = "lenient"  # a query may be left out, or be inside the URL; or "documented"
    timestamps_rise: bool = False  # a timestamp before the last accepted one is refused
    last_token_wins: bool = True  # a new live session token ends the one before
    secret_missing: bool = False  # IBKR has lost the access token's secret
    sign_byte: str = "any"  # or "with", "without": whether the shared number needs one
    short_response: bool = False  # its leading zeros are dropped, and it has some
    empty_responses: int = 0  # so many answers have no Diffie-Hellman response
    wrong_signatures: int = 0  # so many tokens come with a signature that does not fit
    lst_expiration: str = "ahead"  # or "issued": the moment of issue instead
    access_token_lifetime: float = 86_399.0
    bearer_idle: float | None = None  # idle seconds that end an SSO session
    assertion_audience: str = "path"  # or "either": the token endpoint's full address too
    oauth2_errors: str = "problem"  # or "rfc6749"
    public_ip: str | None = None  # where calls come from; the credentials' address unless set
    allowed_ips: list[str] = attrs.field(factory=list)  # that a client may claim

    # Pacing, on the wall clock.
    pacing: bool = True
    requests_per_second: int = 10
    penalty_seconds: float = 900.0

    # Orders.
    latency: float = 0.3  # until an accepted order reaches the market
    cancel_latency: float = 0.2
    fills: bool = True
    fill_chunk: float | None = None  # largest part filled at once
    fill_interval: float = 1.0  # between two parts
    scale_children: bool = True  # children follow partial fills of the parent
    late_parent: str = "accept"  # or "ignore", "refuse"
    buying_power: float | None = None  # instead of the computed one
    mkt_outside_rth: str = "reject"  # or "queue"
    us_futures_fields: str = "both"  # or "indicator", "none": what orders and cancels must bring
    virtual_pairs: bool = False  # whether trading a pair shows as a position
    duplicate_status: int = 200  # or 400
    ack_shape: str = "list"  # or "object", for single orders
    cancel_ack: str = "recorded"  # or "full", "list"
    missing_order_status: int = 400  # or 503
    orders_lag: float = 0.0  # until an order shows in live orders

    # Portfolio and accounts.
    positions_cache: float = 30.0
    stable_pages: bool = True  # whether unsorted pages of positions fit together
    twin_account: bool = False  # whether a position in all accounts is told twice, once with a "C"
    summary_style: str = "recorded"  # or "documented": milliseconds, money without a text
    none_as_text: bool = False  # whether combinations write "None" for nothing
    advisor: bool = False  # whether the first account is an advisor's, above the others
    dynamic_accounts: bool = False  # whether accounts may be searched and set
    alerts_by_token: bool = False  # whether a paper account that is logged in by token may make any
    missing_alert_status: int = 503  # or 500
    bogus_performance: bool = False  # whether long series begin with a row that nobody was worth
    fyi_cold: int = 423  # or 503: what a login's first question for notices is answered
    unread_interval: float = 0.0  # below which the count of unread notices is 423
    notices: int = 3  # so many FYI notices, every other one read

    # Questions.
    questions: bool = True
    market_order_question: bool = True
    swapped_ids: bool = False  # o10151/o10164 and o10153/o10223 change places
    several_messages: bool = False  # all texts of a ticket in one element
    child_price_questions: bool = False
    extra_questions: list[str] = attrs.field(factory=list)  # ids asked on every order
    cancel_question: bool = False
    price_management_prompt: bool = False
    prompts_by_stream: bool = False  # an accepted limit order draws that prompt on streams
    percentage_constraint: float = 3.0
    size_limit: float = 500.0
    value_limit: float = 100_000.0
    strict_dialogue: bool = False  # any other request kills an open question
    dead_reply: str = "400"  # or "503", "503-but-live"
    decline_status: int = 200  # or 400

    def update(self, changes: Mapping[str, Any]) -> None:
        """Set several switches, all or none.

        Raises:
            OptionError: A name is unknown or a value has the wrong type or is not allowed.
        """
        checked = {name: _checked(name, value) for name, value in changes.items()}
        for name, value in checked.items():
            setattr(self, name, value)

    def as_json(self) -> dict[str, Any]:
        """All switches and their values."""
        return attrs.asdict(self)


_TYPES = typing.get_type_hints(Options)
_CHOICES: dict[str, tuple[Any, ...]] = {
    "region": ("US", "EU", "Asia"),
    "stream_cookie": ("free", "wanted"),
    "maintenance_face": ("503", "500", "401", "no bridge", "refused", "html"),
    "us_futures_fields": ("both", "indicator", "none"),
    "walk_order": ("strict", "search", "free"),
    "late_parent": ("accept", "ignore", "refuse"),
    "mkt_outside_rth": ("reject", "queue"),
    "duplicate_status": (200, 400),
    "ack_shape": ("list", "object"),
    "summary_style": ("recorded", "documented"),
    "cancel_ack": ("recorded", "full", "list"),
    "missing_order_status": (400, 503),
    "missing_alert_status": (500, 503),
    "fyi_cold": (423, 503),
    "dead_reply": ("400", "503", "503-but-live"),
    "decline_status": (200, 400),
    "tickle_without_login": ("401", "no session"),
    "query_signing": ("documented", "lenient"),
    "sign_byte": ("any", "with", "without"),
    "lst_expiration": ("ahead", "issued"),
    "assertion_audience": ("path", "either"),
    "oauth2_errors": ("problem", "rfc6749"),
}


def _checked(name: str, value: Any) -> Any:
    if name not in _TYPES:
        raise OptionError(f"there is no option {name}")
    wanted = _TYPES[name]
    if name in _CHOICES:
        if value not in _CHOICES[name]:
            raise OptionError(f"{name} is one of {', '.join(map(str, _CHOICES[name]))}")
        return value
    allowed = typing.get_args(wanted) if typing.get_origin(wanted) is not dict else ()
    if value is None and type(None) in allowed:
        return None
    return _of_type(name, value, wanted)


def _of_type(name: str, value: Any, wanted: Any) -> Any:
    base = str if wanted == str | None else typing.get_origin(wanted) or wanted
    if wanted == float | None or base is float:
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            raise OptionError(f"{name} is a number")
        try:
            return float(value)
        except OverflowError:
            raise OptionError(f"{name} is too large") from None
    if base is int and isinstance(value, bool):
        raise OptionError(f"{name} is a whole number")
    if not isinstance(value, base):
        raise OptionError(f"{name} is {base.__name__}")
    return value
