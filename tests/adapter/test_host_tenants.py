"""Many users in one process: each their own account, and nobody another one's trouble."""

from __future__ import annotations

import itertools
import threading

import attrs
import pytest
from worlds import URL, World

from crowd import at_once
from ibkr_adapter.doors import Doors
from ibkr_adapter.errors import BrokerageUnavailable, ConfigurationError, IBKRError
from ibkr_adapter.host.adapter import TenantExchange, create
from ibkr_adapter.host.claims import Claims
from ibkr_adapter.host.factory import ExchangeFactory
from ibkr_adapter.host.registry import Adapter
from ibkr_adapter.host.tenants import Tenants
from ibkr_adapter.keeper import Keeper

BUY = {"action": "buy", "symbol": "AAPL", "orderType": "market", "quantity": 1}
# An account of a gateway is one user's as long as the process lives, so no two houses share a gateway.
_ports = itertools.count(6000)
CLOSE = {"action": "close", "symbol": "AAPL"}


class House:
    """A host with users, each at a gateway of their own."""

    def __init__(self, tmp_path, users=("ann", "bob"), **options):
        self.folder = tmp_path
        self.world = World(tmp_path)
        self.worlds = {}
        self.rows = {}
        for number, user in enumerate(users):
            url = f"http://127.0.0.1:{next(_ports)}/v1/api"
            world = World(tmp_path)
            world.gateway = world.doorway.gateway = type(world.gateway)(
                self.world.clock, account=f"DU{number + 1:07d}"
            )
            self.worlds[url] = world
            self.rows[user] = {
                "user_id": user,
                "exchange": "ibkr",
                "environment": "sandbox",
                "account_id": f"DU{number + 1:07d}",
                "extra_metadata": {"gatewayUrl": url, "stateDir": str(tmp_path)},
            }
        self.doors = Doors(
            clock=self.world.clock,
            transport=lambda settings, _clock: self.worlds[settings.base_url].doorway,
            new_id=self.world.doors.new_id,
            environ={},
        )
        self.tenants = Tenants(self.load, doors=self.doors, **options)

    def load(self, user, _exchange, _environment, _credential):
        return self.rows.get(user)

    def of(self, user):
        return self.worlds[self.rows[user]["extra_metadata"]["gatewayUrl"]]

    def webhook(self, user, payload=BUY, **more):
        return self.tenants.execute_webhook(payload, user, environment="sandbox", **more)

    def close(self):
        self.tenants.close()
        self.world.close()
        for world in self.worlds.values():
            world.close()


@pytest.fixture
def house(tmp_path):
    made = House(tmp_path)
    yield made
    made.close()


# Each their own ----------------------------------------------------------------------------------


def test_each_user_trades_their_own_account(house):
    assert house.webhook("ann")["action"] == "opened"
    assert house.webhook("bob", BUY | {"quantity": 2})["action"] == "opened"

    assert (house.of("ann").position(), house.of("bob").position()) == (1, 2)


def test_a_users_failure_is_an_answer_to_that_user_only(house):
    """Credentials that are wrong, a broker that is down: the others trade on."""
    house.rows["bob"]["extra_metadata"]["colour"] = "red"

    failed, fine = house.webhook("bob"), house.webhook("ann")

    assert failed == {
        "success": False,
        "action": "failed",
        "exchange": "ibkr",
        "error": "colour is not a setting.",
        "errorType": "ConfigurationError",
        "retryable": False,
    }
    assert fine["success"]
    assert house.webhook("nobody")["error"].startswith("No ibkr API credentials found.")


def test_a_user_whose_gateway_is_silent_keeps_nobody_waiting(house):
    house.of("bob").arm("F04", variant="silence", times=1000)
    results = {}

    at_once(
        house.world,
        lambda: results.update(bob=(house.webhook("bob"), house.world.clock.monotonic())),
        lambda: results.update(ann=(house.webhook("ann"), house.world.clock.monotonic())),
    )

    assert results["ann"][0]["success"]
    assert not results["bob"][0]["success"]


def test_limits_are_each_users_own(tmp_path):
    house = House(tmp_path, limits={"ann": {"max_position_size_usd": 100}, "bob": None}.get)

    refused, fine = house.webhook("ann"), house.webhook("bob")

    assert refused["errorType"] == "GuardrailRefused"
    assert fine["success"]
    house.close()


def test_another_brokers_webhooks_are_not_ours_to_carry_out(tmp_path):
    other = Adapter(name="other", title="Other", make=lambda *_: FakeExchange(), map_credentials=dict)
    factory = ExchangeFactory((other,), found=tuple)
    tenants = Tenants(lambda *_: {}, factory=factory, doors=Doors())

    answer = tenants.execute_webhook(BUY, "ann", exchange="other")
    with tenants.exchange("ann", "other") as found:
        assert isinstance(found, FakeExchange)
    tenants.close()

    assert answer["error"] == "webhooks for other are carried out elsewhere."


class FakeExchange:
    def close(self):
        """Hold nothing."""


# One account, one user ---------------------------------------------------------------------------


def test_an_account_that_the_login_does_not_have_is_refused_before_anything_is_read(house):
    """Its balance would be somebody else's, too."""
    house.rows["ann"]["account_id"] = "DU7777777"

    with (
        house.tenants.exchange("ann", environment="sandbox") as found,
        pytest.raises(
            ConfigurationError, match="DU7777777 is not among the accounts of this login"
        ) as refused,
    ):
        found.get_balance()

    assert "DU0000001" not in str(refused.value)
    assert not any("DU7777777" in path for _, path, _ in house.of("ann").doorway.sent)


def test_an_account_of_a_gateway_is_one_users(tmp_path):
    """Two users who name one gateway and one account would trade each other's positions."""
    world, claims = World(tmp_path), Claims()
    config = {"gateway_url": URL, "account_id": "DU1234567", "state_dir": str(tmp_path)}
    first = TenantExchange(config, user="ann", doors=world.doors, claims=claims)
    second = TenantExchange(config, user="bob", doors=world.doors, claims=claims)

    assert first.get_available_margin() > 0
    assert TenantExchange(config, user="ann", doors=world.doors, claims=claims).get_available_margin() > 0
    with pytest.raises(ConfigurationError, match="is another user's"):
        second.get_available_margin()
    with pytest.raises(ConfigurationError, match="is another user's"):
        second.place_market_order("AAPL", "buy", 1)

    assert world.orders() == []
    for each in (first, second):
        each.close()
    world.close()


def test_a_user_of_a_gateway_has_no_requests_of_any_kind(house):
    with (
        house.tenants.exchange("ann", environment="sandbox") as found,
        pytest.raises(ConfigurationError, match="shared gateway"),
    ):
        found.request("GET", "/portfolio/DU0000002/ledger")


def test_an_account_that_another_process_lets_its_user_trade_is_refused_here(tmp_path):
    """Two hosts, or two bridges, at one gateway."""
    world = World(tmp_path)
    doors = attrs.evolve(world.doors, across_processes=True)
    config = {"gateway_url": URL, "account_id": "DU1234567", "state_dir": str(tmp_path)}
    theirs, ours = Claims(), Claims()
    first = TenantExchange(config, user="ann", doors=doors, claims=theirs)
    second = TenantExchange(config, user="bob", doors=doors, claims=ours)
    first.get_available_margin()

    with pytest.raises(ConfigurationError, match="is another user's, in another process of this machine"):
        second.place_market_order("AAPL", "BUY", 1)

    assert world.orders() == []
    first.close()
    second.close()
    world.close()


def test_a_user_with_a_login_of_their_own_may_request_what_there_is(tmp_path):
    world = World(tmp_path, "oauth2")
    config = {"base_url": URL, "state_dir": str(tmp_path), **world.gateway.credentials}

    found = create(config, user="ann", doors=world.doors)

    assert "accounts" in found.request("GET", "/iserver/accounts")
    found.close()
    world.close()


# Open while used ---------------------------------------------------------------------------------


def test_an_idle_exchange_is_closed_by_the_keeper_and_nobody_is_logged_out(house):
    house.webhook("ann")
    house.webhook("bob")
    house.world.clock.sleep(600)
    house.webhook("bob", CLOSE)
    opened = house.tenants.open_exchanges
    house.world.clock.sleep(400)

    assert (opened, house.tenants.open_exchanges) == (2, 1)
    assert house.of("ann").doorway.closed
    assert house.of("ann").count("POST /logout") == 0
    assert not house.of("bob").doorway.closed


def test_a_user_who_comes_back_goes_on(house):
    house.webhook("ann")
    house.world.clock.sleep(1000)

    assert house.webhook("ann", CLOSE)["action"] == "closed"
    assert house.of("ann").position() == 0


def test_what_is_lent_is_not_closed(house):
    with house.tenants.exchange("ann", environment="sandbox") as found:
        found.get_available_margin()
        house.world.clock.sleep(2000)
        still = found.get_available_margin()

        assert (still > 0, house.tenants.open_exchanges) == (True, 1)
        house.tenants.close()
        assert not house.of("ann").doorway.closed
    assert house.of("ann").doorway.closed


def test_changed_credentials_count_at_once(house):
    """A user who has revoked a key must not trade with it any more."""
    with house.tenants.exchange("ann", environment="sandbox") as before:
        before.get_available_margin()
        house.rows["ann"]["extra_metadata"]["entryTif"] = "GTC"
        with house.tenants.exchange("ann", environment="sandbox") as after:
            assert after is not before
            assert after.settings.entry_tif == "GTC"
        with house.tenants.exchange("ann", environment="sandbox") as again:
            assert again is after

    assert house.tenants.open_exchanges == 1


def test_there_is_a_most_and_who_was_idle_for_longest_makes_room(tmp_path):
    house = House(tmp_path, users=("ann", "bob", "cid"), most=2)
    house.webhook("ann")
    house.world.clock.sleep(5)
    house.webhook("bob")

    third = house.webhook("cid")

    assert third["success"]
    assert house.tenants.open_exchanges == 2
    assert house.of("ann").doorway.closed
    with (
        house.tenants.exchange("bob", environment="sandbox"),
        house.tenants.exchange("cid", environment="sandbox"),
        pytest.raises(BrokerageUnavailable, match="the most"),
        house.tenants.exchange("ann", environment="sandbox"),
    ):
        pass
    house.close()


def test_users_share_one_keeper_thread(tmp_path):
    """A thread for each user would be a thousand."""
    house = House(tmp_path, users=[f"user-{number}" for number in range(12)])
    before = threading.active_count()

    for user in house.rows:
        assert house.webhook(user)["success"]
    during = threading.active_count()
    house.close()

    assert during - before <= 1
    assert threading.active_count() <= before


# The keeper --------------------------------------------------------------------------------------


class Session:
    """Something that is kept, and may be silent."""

    def __init__(self, clock, silent=0.0):
        self.clock = clock
        self.silent = silent
        self.at = []

    def tickle(self):
        self.at.append(self.clock.monotonic())
        if self.silent:
            self.clock.sleep(self.silent)
            raise IBKRError("nobody answers.")


def test_silent_sessions_keep_no_other_one_waiting(world):
    """A hundred gateways that are gone would else take the thread twenty minutes a round, and every session with it."""
    keeper = Keeper(world.clock, every=60.0)
    silent = [Session(world.clock, silent=12.0) for _ in range(100)]
    fine = [Session(world.clock) for _ in range(10)]
    for session in [*silent, *fine]:
        keeper.keep(session)

    world.clock.sleep(3600)
    for session in [*silent, *fine]:
        keeper.drop(session)

    # In the first round nobody knows yet who is silent.
    for session in fine:
        known = [moment for moment in session.at if moment > 1260]
        pauses = [later - earlier for earlier, later in itertools.pairwise(known)]
        assert len(known) >= 36
        assert max(pauses) <= 75
    assert all(session.at for session in silent)


def test_a_session_that_answers_again_is_kept_as_before(world):
    keeper = Keeper(world.clock, every=60.0)
    session = Session(world.clock, silent=12.0)
    keeper.keep(session)
    world.clock.sleep(61)
    session.silent = 0.0
    world.clock.sleep(600)
    keeper.drop(session)

    assert session.at[1] - session.at[0] == pytest.approx(132)
    assert session.at[3] - session.at[2] == pytest.approx(60)
