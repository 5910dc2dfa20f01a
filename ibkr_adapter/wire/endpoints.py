"""Know every call of the trading API: its address, its limits, and whether it may be repeated.

A table and nothing else. Sending is for :mod:`ibkr_adapter.client`, keeping the limits for
:mod:`ibkr_adapter.throttle`, opening the brokerage session for :mod:`ibkr_adapter.session`.

Addresses: the published interface description in its versions 2.28.0 and 2.39.0, and what
older ones had besides. Limits: the pacing table of the Web API documentation, which was last
complete in June 2024. Three entries differ from it on purpose: history runs four at once where
five are allowed, so that a person's own chart does not tip us over, and the two Portfolio
Analyst calls that the table forgot are paced like their sisters.
"""

from __future__ import annotations

import re
from functools import cache
from urllib.parse import quote, unquote

import attrs

from ibkr_adapter.errors import InvalidRequest, quoted

_MARK = re.compile(r"\{(\w+)\}")
_VERB = re.compile(r"[A-Za-z]{3,7}")
# What means the same encoded or not, and is decoded by whoever carries it.
_PLAIN = re.compile(r"%(?:2[DE]|3[0-9]|4[1-9A-F]|5[0-9AF]|6[1-9A-F]|7[0-9AE])", re.IGNORECASE)


@attrs.frozen(kw_only=True, cache_hash=True)
class Endpoint:
    """One call of the API.

    Attributes:
        method: The HTTP verb in capitals.
        template: The path below ``/v1/api``, its variable parts as ``{name}``.
        changes_state: Whether making the call twice could do at the broker what making it once
            does not: such a call is never repeated by the library.
        brokerage: Whether it needs the brokerage session, or the outer session is enough.
        window: At most so many calls in so many seconds, besides the global rate.
        concurrent: At most so many calls under way at one moment.
        paced_as: The listed endpoint with whose calls these are counted together, if it is not
            this one.
    """

    method: str
    template: str
    changes_state: bool
    brokerage: bool
    window: tuple[int, float] | None = None
    concurrent: int | None = None
    paced_as: Endpoint | None = None

    @property
    def name(self) -> str:
        """The verb and the template, as errors and counts show it; a path that nobody listed is cut."""
        return f"{self.method} {self.template:.200}"

    def path(self, **values: str | int) -> str:
        """Fill the template, each value encoded so that it stays one segment.

        Raises:
            ValueError: A part is missing, unknown, empty, neither text nor whole number, or
                would climb out of its folder.
        """
        if not values and "{" not in self.template:
            return self.template
        fixed, marks = _taken_apart(self.template)
        if values.keys() != set(marks):
            wanted = ", ".join(marks) or "no values"
            raise ValueError(f"{self.name} takes {wanted}, not {', '.join(sorted(values)) or 'none'}")
        filled = [fixed[0]]
        for mark, after in zip(marks, fixed[1:], strict=True):
            filled += (_segment(self.name, mark, values[mark]), after)
        return "".join(filled)


@cache
def _taken_apart(template: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    pieces = _MARK.split(template)
    return tuple(pieces[::2]), tuple(pieces[1::2])


def _segment(name: str, mark: str, value: object) -> str:
    # A bool is an int to Python, and None would become the word "None" in an address.
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"{name}: {mark} is {value!r}, neither text nor a whole number")  # noqa: TRY004 (one error for every bad part)
    text = str(value)
    # Whoever normalises the address later would drop these, and another endpoint would be met.
    if text in {"", ".", ".."}:
        raise ValueError(f"{name}: {mark} is {text!r}, which is no path segment")
    return quote(text, safe="")


# These three stand above the brokerage session: they open it or tell about it.
_OUTER = ("/iserver/auth/", "/iserver/reauthenticate")


def _needs_brokerage(path: str) -> bool:
    return path.startswith("/iserver/") and not path.startswith(_OUTER)


def _endpoint(
    method: str,
    template: str,
    window: tuple[int, float] | None = None,
    *,
    changes: bool = False,
    concurrent: int | None = None,
) -> Endpoint:
    return Endpoint(
        method=method,
        template=template,
        changes_state=changes,
        brokerage=_needs_brokerage(template),
        window=window,
        concurrent=concurrent,
    )


_EVERY_SECOND = (1, 1.0)
_EVERY_FIVE_SECONDS = (1, 5.0)
_EVERY_MINUTE = (1, 60.0)
_EVERY_QUARTER_HOUR = (1, 900.0)

# Session. Opening what is open already changes nothing; logging out by a repeat could end what a
# person has opened since.
TICKLE = _endpoint("POST", "/tickle", _EVERY_SECOND)
AUTH_STATUS = _endpoint("POST", "/iserver/auth/status")
# The same question in its other spelling.
AUTH_STATUS_READ = _endpoint("GET", "/iserver/auth/status")
SSODH_INIT = _endpoint("POST", "/iserver/auth/ssodh/init")
REAUTHENTICATE = _endpoint("POST", "/iserver/reauthenticate", changes=True)
SSO_VALIDATE = _endpoint("GET", "/sso/validate", _EVERY_MINUTE)
LOGOUT = _endpoint("POST", "/logout", changes=True)
WEBSOCKET = _endpoint("GET", "/ws")

# OAuth. A verifier and an assertion are used once; a second live session token only replaces
# the first, which nobody has seen. The last two stand at the origin's root, not below /v1/api.
OAUTH_REQUEST_TOKEN = _endpoint("POST", "/oauth/request_token", changes=True)
OAUTH_ACCESS_TOKEN = _endpoint("POST", "/oauth/access_token", changes=True)
OAUTH_LIVE_SESSION_TOKEN = _endpoint("POST", "/oauth/live_session_token")
OAUTH2_TOKEN = _endpoint("POST", "/oauth2/api/v1/token", changes=True)
OAUTH2_SSO_SESSION = _endpoint("POST", "/gw/api/v1/sso-sessions", changes=True)

# Accounts.
ACCOUNTS = _endpoint("GET", "/iserver/accounts")
SWITCH_ACCOUNT = _endpoint("POST", "/iserver/account", changes=True)
PNL = _endpoint("GET", "/iserver/account/pnl/partitioned", _EVERY_FIVE_SECONDS)
SEARCH_ACCOUNTS = _endpoint("GET", "/iserver/account/search/{pattern}")
DYNAMIC_ACCOUNT = _endpoint("POST", "/iserver/dynaccount", changes=True)
ACCOUNT_SUMMARY = _endpoint("GET", "/iserver/account/{accountId}/summary")
ACCOUNT_AVAILABLE_FUNDS = _endpoint("GET", "/iserver/account/{accountId}/summary/available_funds")
ACCOUNT_BALANCES = _endpoint("GET", "/iserver/account/{accountId}/summary/balances")
ACCOUNT_MARGINS = _endpoint("GET", "/iserver/account/{accountId}/summary/margins")
ACCOUNT_MARKET_VALUE = _endpoint("GET", "/iserver/account/{accountId}/summary/market_value")
SIGNATURES_AND_OWNERS = _endpoint("GET", "/acesws/{accountId}/signatures-and-owners")

# Portfolio: the outer session is enough. Invalidating only makes the next read a fresh one.
PORTFOLIO_ACCOUNTS = _endpoint("GET", "/portfolio/accounts", _EVERY_FIVE_SECONDS)
SUBACCOUNTS = _endpoint("GET", "/portfolio/subaccounts", _EVERY_FIVE_SECONDS)
SUBACCOUNTS2 = _endpoint("GET", "/portfolio/subaccounts2")
PORTFOLIO_META = _endpoint("GET", "/portfolio/{accountId}/meta")
PORTFOLIO_SUMMARY = _endpoint("GET", "/portfolio/{accountId}/summary")
LEDGER = _endpoint("GET", "/portfolio/{accountId}/ledger")
ALLOCATION = _endpoint("GET", "/portfolio/{accountId}/allocation")
ALLOCATION_OF_ACCOUNTS = _endpoint("POST", "/portfolio/allocation")
POSITIONS = _endpoint("GET", "/portfolio/{accountId}/positions/{page}")
POSITIONS2 = _endpoint("GET", "/portfolio2/{accountId}/positions")
COMBO_POSITIONS = _endpoint("GET", "/portfolio/{accountId}/combo/positions")
POSITION_BY_CONID = _endpoint("GET", "/portfolio/{accountId}/position/{conid}")
POSITIONS_OF_CONID = _endpoint("GET", "/portfolio/positions/{conid}")
INVALIDATE_POSITIONS = _endpoint("POST", "/portfolio/{accountId}/positions/invalidate")

# Portfolio Analyst: reads, although they are posted.
PA_PERFORMANCE = _endpoint("POST", "/pa/performance", _EVERY_QUARTER_HOUR)
PA_ALL_PERIODS = _endpoint("POST", "/pa/allperiods", _EVERY_QUARTER_HOUR)
PA_TRANSACTIONS = _endpoint("POST", "/pa/transactions", _EVERY_QUARTER_HOUR)
PA_ALLOCATION = _endpoint("POST", "/pa/allocation", _EVERY_QUARTER_HOUR)
PA_SUMMARY = _endpoint("POST", "/pa/summary", _EVERY_QUARTER_HOUR)

# Market data. A regulatory snapshot is a read that costs a cent each time, on paper too.
SNAPSHOT = _endpoint("GET", "/iserver/marketdata/snapshot", (10, 1.0))
HISTORY = _endpoint("GET", "/iserver/marketdata/history", concurrent=4)
UNSUBSCRIBE = _endpoint("POST", "/iserver/marketdata/unsubscribe")
UNSUBSCRIBE_ALL = _endpoint("GET", "/iserver/marketdata/unsubscribeall")
UNSUBSCRIBE_CONID = _endpoint("GET", "/iserver/marketdata/{conid}/unsubscribe")
REGULATORY_SNAPSHOT = _endpoint("GET", "/md/regsnapshot", changes=True)
MD_SNAPSHOT = _endpoint("GET", "/md/snapshot")
HMDS_INIT = _endpoint("POST", "/hmds/auth/init")
HMDS_HISTORY = _endpoint("GET", "/hmds/history")
SCANNER_PARAMS = _endpoint("GET", "/iserver/scanner/params", _EVERY_QUARTER_HOUR)
SCANNER_RUN = _endpoint("POST", "/iserver/scanner/run", _EVERY_SECOND)
HMDS_SCANNER_PARAMS = _endpoint("GET", "/hmds/scanner/params")
HMDS_SCANNER_RUN = _endpoint("POST", "/hmds/scanner/run")

# Contracts.
SECDEF_SEARCH = _endpoint("GET", "/iserver/secdef/search")
SECDEF_SEARCH_POSTED = _endpoint("POST", "/iserver/secdef/search")
STRIKES = _endpoint("GET", "/iserver/secdef/strikes")
SECDEF_INFO = _endpoint("GET", "/iserver/secdef/info")
BOND_FILTERS = _endpoint("GET", "/iserver/secdef/bond-filters")
CONTRACT_INFO = _endpoint("GET", "/iserver/contract/{conid}/info")
INFO_AND_RULES = _endpoint("GET", "/iserver/contract/{conid}/info-and-rules")
ALGOS = _endpoint("GET", "/iserver/contract/{conid}/algos")
CONTRACT_RULES = _endpoint("POST", "/iserver/contract/rules")
CURRENCY_PAIRS = _endpoint("GET", "/iserver/currency/pairs")
EXCHANGE_RATE = _endpoint("GET", "/iserver/exchangerate")
TRSRV_SECDEF = _endpoint("GET", "/trsrv/secdef")
TRSRV_SECDEF_POSTED = _endpoint("POST", "/trsrv/secdef")
TRSRV_ALL_CONIDS = _endpoint("GET", "/trsrv/all-conids")
TRSRV_FUTURES = _endpoint("GET", "/trsrv/futures")
TRSRV_STOCKS = _endpoint("GET", "/trsrv/stocks")
TRSRV_SCHEDULE = _endpoint("GET", "/trsrv/secdef/schedule")
TRADING_SCHEDULE = _endpoint("GET", "/contract/trading-schedule")

# Orders. Suppressing twice, and lifting it twice, leaves the same list of questions.
LIVE_ORDERS = _endpoint("GET", "/iserver/account/orders", _EVERY_FIVE_SECONDS)
ORDER_STATUS = _endpoint("GET", "/iserver/account/order/status/{orderId}")
TRADES = _endpoint("GET", "/iserver/account/trades", _EVERY_FIVE_SECONDS)
PLACE_ORDERS = _endpoint("POST", "/iserver/account/{accountId}/orders", changes=True)
WHATIF = _endpoint("POST", "/iserver/account/{accountId}/orders/whatif")
MODIFY_ORDER = _endpoint("POST", "/iserver/account/{accountId}/order/{orderId}", changes=True)
CANCEL_ORDER = _endpoint("DELETE", "/iserver/account/{accountId}/order/{orderId}", changes=True)
REPLY = _endpoint("POST", "/iserver/reply/{replyId}", changes=True)
SUPPRESS = _endpoint("POST", "/iserver/questions/suppress")
SUPPRESS_RESET = _endpoint("POST", "/iserver/questions/suppress/reset")
# Harmless to repeat, and yet they decide which orders of the session go through unasked.
ABOUT_QUESTIONS = frozenset({SUPPRESS, SUPPRESS_RESET})
NOTIFICATION = _endpoint("POST", "/iserver/notification", changes=True)
PLACE_ORDERS_FOR_GROUP = _endpoint("POST", "/iserver/account/orders/{faGroup}", changes=True)
PLACE_ORDER = _endpoint("POST", "/iserver/account/{accountId}/order", changes=True)
WHATIF_ORDER = _endpoint("POST", "/iserver/account/{accountId}/order/whatif")

# Alerts and watchlists.
ALERTS = _endpoint("GET", "/iserver/account/{accountId}/alerts")
ALERT_MTA = _endpoint("GET", "/iserver/account/mta")
ALERT = _endpoint("GET", "/iserver/account/alert/{alertId}")
ALERT_CREATE = _endpoint("POST", "/iserver/account/{accountId}/alert", changes=True)
ALERT_ACTIVATE = _endpoint("POST", "/iserver/account/{accountId}/alert/activate", changes=True)
ALERT_DELETE = _endpoint("DELETE", "/iserver/account/{accountId}/alert/{alertId}", changes=True)
WATCHLISTS = _endpoint("GET", "/iserver/watchlists")
WATCHLIST = _endpoint("GET", "/iserver/watchlist")
WATCHLIST_CREATE = _endpoint("POST", "/iserver/watchlist", changes=True)
WATCHLIST_DELETE = _endpoint("DELETE", "/iserver/watchlist", changes=True)

# Notices to the user ("FYI").
FYI_UNREAD = _endpoint("GET", "/fyi/unreadnumber", _EVERY_SECOND)
FYI_SETTINGS = _endpoint("GET", "/fyi/settings", _EVERY_SECOND)
FYI_SET = _endpoint("POST", "/fyi/settings/{typecode}", _EVERY_SECOND, changes=True)
FYI_DISCLAIMER = _endpoint("GET", "/fyi/disclaimer/{typecode}", _EVERY_SECOND)
FYI_DISCLAIMER_READ = _endpoint("PUT", "/fyi/disclaimer/{typecode}", _EVERY_SECOND, changes=True)
FYI_DELIVERY = _endpoint("GET", "/fyi/deliveryoptions", _EVERY_SECOND)
FYI_DELIVERY_EMAIL = _endpoint("PUT", "/fyi/deliveryoptions/email", _EVERY_SECOND, changes=True)
FYI_DELIVERY_DEVICE = _endpoint("POST", "/fyi/deliveryoptions/device", _EVERY_SECOND, changes=True)
FYI_DELIVERY_DELETE = _endpoint("DELETE", "/fyi/deliveryoptions/{deviceId}", _EVERY_SECOND, changes=True)
FYI_NOTIFICATIONS = _endpoint("GET", "/fyi/notifications", _EVERY_SECOND)
FYI_NOTIFICATIONS_MORE = _endpoint("GET", "/fyi/notifications/more", _EVERY_SECOND)
FYI_NOTIFICATION_READ = _endpoint("PUT", "/fyi/notifications/{notificationId}", _EVERY_SECOND, changes=True)

# Advisors: allocation groups, presets and models. Several reads are posted here too.
FA_ACCOUNTS = _endpoint("GET", "/iserver/account/allocation/accounts")
FA_GROUPS = _endpoint("GET", "/iserver/account/allocation/group")
FA_GROUP_ADD = _endpoint("POST", "/iserver/account/allocation/group", changes=True)
FA_GROUP_MODIFY = _endpoint("PUT", "/iserver/account/allocation/group", changes=True)
FA_GROUP = _endpoint("POST", "/iserver/account/allocation/group/single")
FA_GROUP_DELETE = _endpoint("POST", "/iserver/account/allocation/group/delete", changes=True)
FA_PRESETS = _endpoint("GET", "/iserver/account/allocation/presets")
FA_PRESETS_SET = _endpoint("POST", "/iserver/account/allocation/presets", changes=True)
FA_MODELS = _endpoint("POST", "/fa/model/list")
FA_MODEL_POSITIONS = _endpoint("POST", "/fa/model/positions")
FA_MODEL_SUMMARY = _endpoint("POST", "/fa/model/summary")
FA_MODEL_ACCOUNTS = _endpoint("POST", "/fa/model/accounts-details")
FA_MODEL_SAVE = _endpoint("POST", "/fa/model/save", changes=True)
FA_MODEL_INVEST = _endpoint("POST", "/fa/model/invest-divest", changes=True)
FA_MODEL_INVESTED = _endpoint("POST", "/fa/model/invest-divest-positions")
FA_MODEL_SUBMIT = _endpoint("POST", "/fa/model/submit-transfers", changes=True)
FA_MODEL_PRESET = _endpoint("POST", "/fa/fa-preset/get")
FA_MODEL_PRESET_SAVE = _endpoint("POST", "/fa/fa-preset/save", changes=True)

# Event contracts.
FORECAST_CATEGORIES = _endpoint("GET", "/forecast/category/tree")
FORECAST_MARKET = _endpoint("GET", "/forecast/contract/market")
FORECAST_RULES = _endpoint("GET", "/forecast/contract/rules")
FORECAST_DETAILS = _endpoint("GET", "/forecast/contract/details")
FORECAST_SCHEDULES = _endpoint("GET", "/forecast/contract/schedules")

ENDPOINTS: tuple[Endpoint, ...] = tuple(
    each for each in list(globals().values()) if isinstance(each, Endpoint)
)


@cache
def _by_length() -> dict[int, list[tuple[list[str], list[Endpoint]]]]:
    """Group the templates by number of segments, those with fixed words first."""
    by_template: dict[str, list[Endpoint]] = {}
    for endpoint in ENDPOINTS:
        by_template.setdefault(endpoint.template, []).append(endpoint)
    grouped: dict[int, list[tuple[list[str], list[Endpoint]]]] = {}
    for template, endpoints in by_template.items():
        segments = template.split("/")
        grouped.setdefault(len(segments), []).append((segments, endpoints))
    for group in grouped.values():
        # The first difference from the left decides, as it does for a web server's routes.
        group.sort(key=lambda entry: [segment.startswith("{") for segment in entry[0]])
    return grouped


def _fits(segments: list[str], given: list[str]) -> bool:
    return all(
        segment == part or (segment.startswith("{") and part != "")
        for segment, part in zip(segments, given, strict=True)
    )


def checked(method: object, path: object) -> tuple[str, str]:
    """Return a verb and a path that somebody wrote as they are met over there, or refuse them.

    What is sent must be the address that was looked at. On its way a path loses what stands after a
    ``#`` or a ``;``, its dots and its empty segments, and whatever need not be encoded is decoded: then
    ``order/x/../-1`` would cancel *everything* without having been taken for a cancel.

    Raises:
        InvalidRequest: They are no verb and no path; nothing was sent.
    """
    if not isinstance(method, str) or _VERB.fullmatch(method) is None:
        raise InvalidRequest(
            f"{quoted(method)} is no verb of HTTP; nothing was sent.",
            remedy="Write GET, POST, PUT or DELETE.",
        )
    if not isinstance(path, str) or not path.isprintable():
        raise InvalidRequest(
            f"{quoted(path, 80)} is no path; nothing was sent.",
            remedy="Write what stands below /v1/api, such as /iserver/accounts.",
        )
    bare = _PLAIN.sub(lambda found: unquote(found[0]), path.partition("?")[0]).strip("/")
    if set(bare) & set("#;\\") or not {"", ".", ".."}.isdisjoint(bare.split("/")):
        raise InvalidRequest(
            f"the path {quoted(path, 80)} is another one by the time it arrives; nothing was sent.",
            remedy="Leave out dots, empty segments and backslashes; write %23 for # and %3B for ;.",
        )
    verb = method.upper()
    if verb != "GET" and set("/\\") & set(unquote(bare).replace("/", "", bare.count("/"))):
        raise InvalidRequest(
            f"the path {quoted(path, 80)} has a slash that is encoded, and servers take that for a plain one;"
            " nothing was sent.",
        )
    return verb, f"/{bare}"


def find(method: str, path: str) -> Endpoint:
    """Tell which endpoint a concrete path meets; where two fit, fixed words win.

    An address that nobody listed is answered with an endpoint of its own: only the global rate
    holds for it, and unless it is a GET it counts as a change. A listed address under another
    verb is counted together with the listed one, and is harmless only if it is a GET and one of
    the listed ones is harmless.

    Args:
        method: The HTTP verb in any case.
        path: The path below ``/v1/api``; a query is ignored.
    """
    verb = method.upper()
    bare = "/" + path.partition("?")[0].strip("/")
    given = bare.split("/")
    listed: list[Endpoint] = []
    for segments, endpoints in _by_length().get(len(given), ()):
        if _fits(segments, given):
            for endpoint in endpoints:
                if endpoint.method == verb:
                    return endpoint
            listed = listed or endpoints
    if not listed:
        return _endpoint(verb, bare, changes=verb != "GET")
    return attrs.evolve(
        listed[0],
        method=verb,
        changes_state=verb != "GET" or all(each.changes_state for each in listed),
        # Without a limit there is nothing to count, and a refused read closes no cancel.
        paced_as=listed[0] if listed[0].window or listed[0].concurrent else None,
    )


def values(endpoint: Endpoint, path: str) -> dict[str, str]:
    """Take the variable parts out of a concrete path that ``endpoint`` was found for."""
    given = ("/" + path.partition("?")[0].strip("/")).split("/")
    return {
        mark[1]: unquote(segment)
        for part, segment in zip(endpoint.template.split("/"), given, strict=True)
        if (mark := _MARK.fullmatch(part))
    }
