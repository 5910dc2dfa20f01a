"""Orders by an algorithm leave only as the contract's list and rules have them."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from ibkr_adapter.errors import InvalidOrder
from ibkr_adapter.model.order import OrderType, Side, Tif

D = Decimal
PLACE = "POST /iserver/account/{accountId}/orders"
LIMIT = {"side": Side.BUY, "order_type": OrderType.LIMIT, "quantity": D(10), "limit_price": D("164.50")}


def body(world, ending):
    sent = [content for _, path, content in world.doorway.sent if path.endswith(ending)]
    return json.loads(sent[-1])["orders"][0]


@pytest.mark.parametrize("ask", ["place", "preview"])
def test_an_algorithm_goes_out_with_the_order_and_with_its_preview(world, ibkr, ask):
    getattr(ibkr.orders, ask)("AAPL", **LIMIT, algo="Vwap", algo_parameters={"maxPctVol": D("12.5")})

    sent = body(world, "/orders" if ask == "place" else "/whatif")
    assert (sent["strategy"], sent["strategyParameters"]) == ("Vwap", {"maxPctVol": 12.5})


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"algo": "vwap"}, "Did you mean Vwap"),
        ({"algo": "Vwap", "algo_parameters": {"maxPctVol": D(60)}}, "between 0.01 and 50"),
        ({"algo_parameters": {"maxPctVol": D(10)}}, "need the algorithm"),
    ],
)
def test_what_the_contract_does_not_list_never_leaves(world, ibkr, given, why):
    with pytest.raises(InvalidOrder, match=why):
        ibkr.orders.place("AAPL", **LIMIT, **given)

    assert world.count(PLACE) == 0


def test_a_type_or_time_that_takes_no_algorithm_is_refused(world, ibkr):
    rules = ibkr.orders.terms("AAPL").rules
    refused = []
    for kind, tif in ((OrderType.MARKET, Tif.DAY), (OrderType.LIMIT, Tif.OPG)):
        takes = kind.value in rules.algo_types and rules.tifs[tif.value].algos
        if not takes:
            refused.append(kind)
            with pytest.raises(InvalidOrder, match="takes no algorithm"):
                ibkr.orders.place(
                    "AAPL",
                    side=Side.BUY,
                    order_type=kind,
                    quantity=D(1),
                    limit_price=D("164.50") if kind is OrderType.LIMIT else None,
                    tif=tif,
                    algo="Adaptive",
                )

    assert OrderType.MARKET in refused
    assert world.count(PLACE) == 0
