"""Account endpoints under ``/iserver``: the list, sums and partitioned profit.

The account list is the key to the rest: it must be asked once in every brokerage session. The
main summary has numbers, its four sub-paths have texts with commas and a unit.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ibkr_adapter.simulator import answers, nav_history
from ibkr_adapter.simulator.account import Standing
from ibkr_adapter.simulator.asset_classes import HEADINGS, CurrencySums, currency_sums
from ibkr_adapter.simulator.door import Answer
from ibkr_adapter.simulator.figures import grouped, number, with_unit
from ibkr_adapter.simulator.refusals import RefusalError
from ibkr_adapter.simulator.routes import Call, Needs, Route, get
from ibkr_adapter.simulator.sessions import SERVER
from ibkr_adapter.simulator.world import World

NOTHING = Decimal(0)
_FEATURES: dict[str, Any] = {
    "showGFIS": True,
    "showEUCostReport": False,
    "allowEventContract": True,
    "allowFXConv": True,
    "allowFinancialLens": False,
    "allowMTA": True,
    "allowTypeAhead": True,
    "allowEventTrading": True,
    "snapshotRefreshTimeout": 30,
    "liteUser": False,
    "showWebNews": True,
    "research": True,
    "debugPnl": True,
    "showTaxOpt": True,
    "showImpactDashboard": True,
    "allowDynAccount": False,
    "allowCrypto": True,
    "allowFA": False,
    "allowLiteUnderPro": False,
    "allowedAssetTypes": "STK,CFD,OPT,FOP,WAR,FUT,BAG,PDC,CASH,IND,BOND,BILL,FUND,SLB,News,CMDTY,IOPT,ICU,ICS,PHYSS,CRYPTO",
    "restrictTradeSubscription": False,
    "showUkUserLabels": False,
    "sideBySide": True,
}
_PERIODS = {
    "STK": ["*"],
    "CFD": ["*"],
    "OPT": ["2h", "1d", "2d", "1w", "1m"],
    "FOP": ["2h", "1d", "2d", "1w", "1m"],
    "WAR": ["*"],
    "IOPT": ["*"],
    "FUT": ["*"],
    "CASH": ["*"],
    "IND": ["*"],
    "BOND": ["*"],
    "FUND": ["*"],
    "CMDTY": ["*"],
    "PHYSS": ["*"],
    "CRYPTO": ["*"],
}
_VALUE_ROWS = (
    "options",
    "futures",
    "future_options",
    "funds",
    "dividends_receivable",
    "mutual_funds",
    "money_market",
    "bonds",
    "Govt Bonds",
    "t_bills",
    "warrants",
    "issuer_option",
    "commodity",
    "Notional CFD",
    "cfd",
    "Cryptocurrency",
)


class AccountEndpoints:
    """Serve the account endpoints of one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """The endpoints served here."""
        accounts = Needs.ACCOUNTS
        root = "/iserver/account/{accountId}/summary"
        return [
            get("/iserver/accounts", self.list_accounts, Needs.BROKERAGE),
            get("/iserver/account/pnl/partitioned", self.partitioned, accounts),
            get(root, self.summary, accounts),
            get(f"{root}/available_funds", self.available_funds, accounts),
            get(f"{root}/balances", self.balances, accounts),
            get(f"{root}/margins", self.margins, accounts),
            get(f"{root}/market_value", self.market_value, accounts),
        ]

    def list_accounts(self, _: Call) -> Answer:
        """List the accounts; this opens the rest of the session."""
        world = self._world
        brokerage = world.sessions.brokerage
        if brokerage is not None:
            brokerage.accounts_queried = True
        ids = list(world.accounts)
        advisor = world.options.advisor
        together = ["All", *world.groups] if advisor else []
        properties = {
            "hasChildAccounts": advisor,
            "supportsCashQty": True,
            "liteUnderPro": False,
            "noFXConv": False,
            "isProp": False,
            "supportsFractions": world.options.fractions,
            "allowCustomerTime": False,
            "autoFx": False,
        }
        return answers.json_answer(
            {
                "accounts": [*ids, *together],
                "acctProps": {one: dict(properties) for one in ids},
                "aliases": {one: one for one in (*ids, *together)},
                "allowFeatures": _FEATURES
                | {"allowDynAccount": world.options.dynamic_accounts, "allowFA": advisor},
                "chartPeriods": _PERIODS,
                "groups": together,
                "profiles": [],
                "selectedAccount": brokerage.selected if brokerage else world.main_account,
                "serverInfo": SERVER,
                "sessionId": world.sessions.token,
                "isFT": False,
                "isPaper": world.accounts[world.main_account].is_paper,
            }
        )

    def partitioned(self, _: Call) -> Answer:
        """Profit and loss of the selected account; empty on the first read of a session."""
        world = self._world
        brokerage = world.sessions.brokerage
        cold = brokerage is not None and "pnl" not in brokerage.warm
        if brokerage is not None:
            brokerage.warm.add("pnl")
        if (cold and world.options.first_reads_empty) or brokerage is None:
            return answers.json_answer({"upnl": {}})
        standing = world.standing(brokerage.selected)
        row = {
            "rowType": 1,
            "dpl": number(nav_history.of_today(world, brokerage.selected), 2),
            "nl": number(standing.net, 2),
            "upl": number(standing.unrealised, 2),
            "el": number(standing.available, 2),
            "mv": number(standing.holdings, 2),
        }
        return answers.json_answer({"upnl": {f"{brokerage.selected}.Core": row}})

    def _standing(self, call: Call) -> Standing:
        account = call.parts["accountId"]
        if account not in self._world.accounts:
            raise RefusalError(answers.bad_request(f"accountId is not valid: {account}"))
        return self._world.standing(account)

    def summary(self, call: Call) -> Answer:
        """Sums in whole dollars, as numbers."""
        sums = self._standing(call)
        account = self._world.accounts[call.parts["accountId"]]
        cash = [
            {"currency": one, "balance": number(amount, 0), "settledCash": number(amount, 0)}
            for one, amount in account.cash.items()
        ]
        total = {
            "currency": "Total (in USD)",
            "balance": number(sums.cash, 0),
            "settledCash": number(sums.cash, 0),
        }
        return answers.json_answer(
            {
                "accountType": "",
                "status": "",
                "balance": number(sums.net, 0),
                "SMA": number(sums.available, 0),
                "buyingPower": number(sums.buying_power, 0),
                "availableFunds": number(sums.available, 0),
                "excessLiquidity": number(sums.available, 0),
                "netLiquidationValue": number(sums.net, 0),
                "equityWithLoanValue": number(sums.net, 0),
                "regTLoan": 0.0,
                "securitiesGVP": number(sums.gross, 0),
                "totalCashValue": number(sums.cash, 0),
                "accruedInterest": 0.0,
                "regTMargin": 0.0,
                "initialMargin": number(sums.margin, 0),
                "maintenanceMargin": number(sums.margin, 0),
                "cashBalances": [*cash, total],
            }
        )

    def available_funds(self, call: Call) -> Answer:
        """Funds, as texts."""
        sums = self._standing(call)
        free, nothing = with_unit(sums.available, "USD"), with_unit(NOTHING, "USD")
        leverage = f"{sums.gross / sums.net:.2f}" if sums.net else "n/a"

        def segment(amount: str) -> dict[str, str]:
            return {
                "current_available": amount,
                "current_excess": amount,
                "Prdctd Pst-xpry Excss": nothing,
                "Lk Ahd Avlbl Fnds": amount,
                "Lk Ahd Excss Lqdty": amount,
                "overnight_available": amount,
                "overnight_excess": amount,
            }

        extra = {
            "SMA": free,
            "buying_power": with_unit(sums.buying_power, "USD"),
            "leverage": "n/a",
            "Lk Ahd Nxt Chng": "@ 16:00:00",
            "day_trades_left": "Unlimited",
        }
        return answers.json_answer(
            {
                "total": segment(free) | extra,
                "Crypto at Paxos": segment(nothing),
                "commodities": segment(nothing),
                "securities": segment(free) | {"SMA": free, "leverage": leverage},
            }
        )

    def balances(self, call: Call) -> Answer:
        """Balances, as texts."""
        sums = self._standing(call)
        nothing = with_unit(NOTHING, "USD")

        def segment(net: Decimal, cash: Decimal) -> dict[str, str]:
            return {
                "net_liquidation": with_unit(net, "USD"),
                "equity_with_loan": with_unit(net, "USD"),
                "cash": with_unit(cash, "USD"),
                "MTD Interest": nothing,
                "Pndng Dbt Crd Chrgs": nothing,
            }

        more = {
            "Prvs Dy Eqty Wth Ln Vl": with_unit(sums.net, "USD"),
            "Rg T Eqty Wth Ln Vl": with_unit(sums.net, "USD"),
            "sec_gross_pos_val": with_unit(sums.gross, "USD"),
        }
        own = segment(sums.net, sums.cash) | more
        return answers.json_answer(
            {
                "total": own | {"Nt Lqdtn Uncrtnty": nothing},
                "Crypto at Paxos": segment(NOTHING, NOTHING),
                "commodities": segment(NOTHING, NOTHING),
                "securities": own,
            }
        )

    def margins(self, call: Call) -> Answer:
        """Margins, as texts; the misspelt key is IBKR's."""
        sums = self._standing(call)
        nothing = with_unit(NOTHING, "USD")

        def segment(margin: Decimal) -> dict[str, str]:
            amount = with_unit(margin, "USD")
            return {
                "current_initial": amount,
                "Prdctd Pst-xpry Mrgn @ Opn": nothing,
                "current_maint": amount,
                "projected_liquidity_inital_margin": amount,
                "Prjctd Lk Ahd Mntnnc Mrgn": amount,
                "projected_overnight_initial_margin": amount,
                "Prjctd Ovrnght Mntnnc Mrgn": amount,
            }

        own = segment(sums.margin) | {"RegT Margin": with_unit(sums.margin * 2, "USD")}
        return answers.json_answer(
            {
                "total": own,
                "Crypto at Paxos": segment(NOTHING),
                "commodities": segment(NOTHING),
                "securities": own,
            }
        )

    def market_value(self, call: Call) -> Answer:
        """Values by currency, as texts without unit."""
        self._standing(call)
        account = self._world.accounts[call.parts["accountId"]]
        body: dict[str, dict[str, str]] = {}
        total = CurrencySums()
        for currency in account.currencies():
            rate = self._world.rate(currency)
            parts = currency_sums(account, currency, self._world.last)
            total.add(parts, rate)
            body[currency] = _value_rows(parts, f"{rate:.2f}")
        body["Total (in USD)"] = _value_rows(total, "1.00")
        return answers.json_answer(body)


def _value_rows(sums: CurrencySums, rate: str) -> dict[str, str]:
    values = {row: grouped(sums.values.get(sec_type, NOTHING)) for sec_type, (_, row) in HEADINGS.items()}
    return {
        "total_cash": grouped(sums.cash),
        "settled_cash": grouped(sums.cash),
        "MTD Interest": "0",
        **dict.fromkeys(_VALUE_ROWS, "0"),
        **values,
        "net_liquidation": grouped(sums.net),
        "unrealized_pnl": grouped(sums.unrealised),
        "realized_pnl": grouped(sums.realised),
        "Exchange Rate": rate,
    }
