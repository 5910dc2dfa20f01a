"""The contract battery: paper only, nothing left behind, findings by what was recorded."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime, timedelta

import pytest
from terminals import Person, Shell
from worlds import AAPL, World

from ibkr_adapter.cli.check import judges
from ibkr_adapter.cli.check.battery import demand_paper
from ibkr_adapter.cli.check.facts import IN_CHECKOUT, Fact, facts
from ibkr_adapter.cli.check.judges import JUDGES, Finding, judge
from ibkr_adapter.cli.check.recording import Exchanged, redacted
from ibkr_adapter.errors import ConfigurationError

ORDERS = "POST /iserver/account/{accountId}/orders"
AT = datetime(2026, 11, 24, 15, tzinfo=UTC)


@pytest.fixture
def shell(world, tmp_path):
    return Shell(world, tmp_path)


def checked(shell, *words, code=0, person=None):
    # Nobody reads the accounts twice within five seconds.
    shell.world.clock.sleep(6)
    given = {"person": person} if person else {}
    told = shell.run("check", "--paper", "--json", *words, **given)
    assert told.exit_code == code, told.stderr
    return json.loads(told.stdout) if told.stdout else told.stderr


# The battery ------------------------------------------------------------------------------


def test_the_battery_bears_out_what_the_simulator_was_built_on(shell, tmp_path):
    """Every judge that a recording can move says yes, nothing is left, and the recording tells nobody."""
    file = tmp_path / "recorded.json"

    told = checked(shell, "--yes", "--save", str(file))

    findings = {row["key"]: row["finding"] for row in told["findings"]}
    assert {row["outcome"] for row in told["steps"]} == {"done"}
    assert list(findings.values()).count("confirmed") >= 20
    assert "contradicted" not in findings.values()
    assert len(findings) == len(facts())
    assert shell.world.working() == []
    assert shell.world.position() == 0
    assert all(row["quantity"] == 1 for row in shell.world.ledger()["orders"])
    text = file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "DU1234567" not in text
    assert shell.world.gateway.world.sessions.token not in text
    assert len(json.loads(text)["recording"]) > 30


def test_a_closed_market_leaves_the_bracket_out(tmp_path):
    """Nothing is queued for another day's price."""
    world = World(tmp_path)
    world.clock.sleep(12 * 3600)
    world.gateway.change_session("login")
    shell = Shell(world, tmp_path)

    told = shell.run("check", "--paper", "--yes", "--json")
    market = [row for row in world.ledger()["orders"] if row["order_type"] == "MKT"]
    world.close()

    steps = {row["step"]: row["outcome"] for row in json.loads(told.stdout)["steps"]}
    assert "left out" in steps["bracket at the market"]
    assert market == []


@pytest.mark.parametrize(
    ("account", "environment"), [("U7654321", None), ("U7654321", "production"), ("DU1234567", "production")]
)
def test_a_live_account_is_refused(tmp_path, account, environment):
    """Whatever the settings say, and whatever is typed."""
    world = World(tmp_path, account=account)
    shell = Shell(world, tmp_path)
    if environment:
        shell.environ["IBKR_ADAPTER_ENVIRONMENT"] = environment

    said = checked(shell, "--yes", code=2)
    sent = world.count(ORDERS)
    world.close()

    assert "LIVE" in said or "production" in said
    assert sent == 0


class Said:
    """An account of which IBKR says that it is paper, or is not."""

    def __init__(self, account, *, is_paper):
        self._account = account
        self.is_paper = is_paper

    def __getattr__(self, name):
        return getattr(self._account, name)


@pytest.mark.parametrize(("account", "is_paper"), [("U7654321", True), ("DU1234567", False)])
def test_the_number_and_ibkrs_word_must_agree(tmp_path, account, is_paper):
    """Either of them may be wrong, and one of them is enough to refuse."""
    world = World(tmp_path, account=account)
    accounts = world.gateway.world.accounts
    accounts[account] = Said(accounts[account], is_paper=is_paper)

    with pytest.raises(ConfigurationError, match="LIVE"):
        demand_paper(world.exchange(environment="production").open())
    world.close()


def test_an_account_that_turns_live_is_refused_before_each_order(shell):
    """The second look: a login can change under our feet."""
    world = shell.world
    account = world.gateway.world.accounts["DU1234567"]

    def turn():
        world.gateway.world.accounts["DU1234567"] = Said(account, is_paper=False)
        world.gateway.change_session("drop")

    world.doorway.after["POST /iserver/account/DU1234567/orders/whatif"] = turn

    told = shell.run("check", "--paper", "--yes", "--json")

    steps = {row["step"]: row["outcome"] for row in json.loads(told.stdout)["steps"]}
    assert "LIVE" in steps["resting limit order"]
    assert "LIVE" in steps["bracket at the market"]
    assert world.count(ORDERS) == 0


def test_a_share_that_is_in_use_is_refused(shell):
    """Ending what was done here would end that, too."""
    shell.world.gateway.seed_position(AAPL, 5)

    said = checked(shell, "--yes", code=2)

    assert "--symbol" in said
    assert shell.world.count(ORDERS) == 0


def test_it_wants_the_option_and_a_word(shell):
    """Orders of one share are orders."""
    without = shell.run("check", "--yes")
    declined = checked(shell, person=Person("no"), code=5)
    silent = checked(shell, code=5)

    assert without.exit_code == 2
    assert "not agreed" in declined
    assert "--yes" in silent
    assert shell.world.count(ORDERS) == 0


def test_a_recording_is_never_written_over(shell, tmp_path):
    """It may be the only one of its kind."""
    file = tmp_path / "recorded.json"
    file.write_text("mine")

    said = checked(shell, "--yes", "--save", str(file), code=2)

    assert "there already" in said
    assert file.read_text() == "mine"


def test_what_fails_is_told_and_ended_and_the_rest_goes_on(shell):
    """An order that could not be cancelled at first is cancelled in the end."""
    shell.world.arm("F13", ORDERS, variant="error", times=1)

    told = checked(shell, "--yes", code=1)

    steps = {row["step"]: row["outcome"] for row in told["steps"]}
    assert steps["resting limit order"] != "done"
    assert steps["bracket at the market"] == "done"
    assert (shell.world.working(), shell.world.position()) == ([], 0)


def test_an_order_that_did_not_go_at_first_is_ended_in_the_end(shell):
    """Also while the market is closed, where no close of the share ends it on the way."""
    shell.world.clock.sleep(12 * 3600)
    shell.world.gateway.change_session("login")
    shell.world.arm("F24", "DELETE /iserver/account/{accountId}/order/{orderId}", variant="refused", times=2)

    checked(shell, "--yes", code=1)

    assert (shell.world.working(), shell.world.position()) == ([], 0)


def test_without_a_price_nothing_is_placed(shell):
    """Nor is one made up."""
    shell.world.gateway.set_options({"availability": {"*": "N"}})
    shell.world.gateway.set_options({"snapshot_delay": 100000.0})

    told = checked(shell, "--yes", "--symbol", "IBM", code=1)

    assert shell.world.count(ORDERS) == 0
    assert any("price" in row["outcome"] for row in told["steps"])


def test_people_see_the_steps_and_what_was_found(shell):
    """In tables, with the counts below."""
    told = shell.run("check", "--paper", person=Person("yes"))

    assert told.exit_code == 0
    assert "0 contradicted" in told.stdout
    assert "leaving nothing behind" in told.stdout


# The facts and the judges -----------------------------------------------------------------


def test_every_judge_has_its_fact():
    """A judge of a fact that was reworded would be silent for ever."""
    told = facts()

    for beginning in JUDGES:
        fitting = [fact for fact in told if fact.key == beginning or fact.text.startswith(beginning)]
        assert len(fitting) == 1, beginning


def test_every_row_of_the_page_is_a_fact():
    """Numbered ones and those of the tables."""
    if not IN_CHECKOUT.is_file():
        pytest.skip("these are the tests of a built wheel")
    lines = IN_CHECKOUT.read_text("utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| ")]
    heads = [line for line in lines if line.startswith("| ---")]
    numbered = [line for line in lines if line[:1].isdigit()]

    assert len(facts()) == len(rows) - 2 * len(heads) + len(numbered)
    assert len({fact.key for fact in facts()}) == len(facts())


def test_missing_facts_are_a_broken_installation(tmp_path):
    with pytest.raises(ConfigurationError, match="nowhere"):
        facts((tmp_path / "nowhere",))


def said(endpoint, content, *, status=200, body=None, after=0.0):
    return Exchanged(
        endpoint=endpoint,
        path="/x",
        query={},
        body=body,
        status=status,
        content=content,
        sent_at=AT + timedelta(seconds=after),
    )


ACK = [{"order_id": "1", "parent_order_id": "9"}, {"order_id": "9"}]
SENT = {"orders": [{"orderType": "STP", "price": 150, "cOID": "a"}, {"orderType": "MKT"}]}
OPENED = said(judges.INIT, {})


@pytest.mark.parametrize(
    ("beginning", "recording"),
    [
        ("The body of an order is", [said(judges.PLACE, "Missing order parameters", status=400)]),
        (
            "A plain stop's trigger goes into",
            [
                said(judges.PLACE, ACK, body=SENT),
                said(judges.LIVE, {"orders": [{"orderType": "Stop", "price": "n/a", "auxPrice": "151"}]}),
            ],
        ),
        ("Acknowledgements come children first", [said(judges.PLACE, ACK[::-1])]),
        ("A preview (", [said(judges.WHATIF, {"amount": {"amount": "1977.60"}})]),
        ("Today's profit (", [said(judges.PNL, {"upnl": {"DU1": {}}})]),
        ("The answer says that a cancel was asked for", [said(judges.CANCEL, {"msg": "cancelled"})]),
        ("The answer is an object with numbers", [said(judges.CANCEL, "done")]),
        ("An order that is gone is 400", [said(judges.CANCEL, "?", status=500)]),
        ("The first read of the live orders", [OPENED, said(judges.LIVE, {"orders": [{"orderId": 1}]})]),
        (
            "The client order id comes back as",
            [said(judges.PLACE, ACK, body=SENT), said(judges.LIVE, {"orders": [{"orderId": 9}]})],
        ),
        (
            "What is read back is not what was sent",
            [said(judges.PLACE, ACK), said(judges.LIVE, {"orders": [{"orderId": 9, "timeInForce": "DAY"}]})],
        ),
        ("The first snapshot of a contract", [OPENED, said(judges.SNAPSHOT, [{"conid": 1, "31": "165"}])]),
        ("6509 tells how fresh", [said(judges.SNAPSHOT, [{"6509": "xyz"}])]),
        ("The paged positions are a cache", [said(judges.POSITIONS, [{"conid": 265598}])]),
        (
            "both/1",
            [said(judges.PLACE, [{"id": "q", "message": ["This is a market order. Go on?"]}], body=SENT)],
        ),
        ("both/2", [said(judges.LIVE, {"orders": [{"orderType": "Stop Limit", "price": "1"}]})]),
        ("both/7", [said(judges.PLACE, ACK), said(judges.LIVE, {"orders": [{"orderId": 5}]}, after=20)]),
        (
            "both/22",
            [
                said(
                    judges.LIVE,
                    {"orders": [{"parentId": 9, "ocaGroupId": "9"}, {"parentId": 9, "ocaGroupId": "8"}]},
                )
            ],
        ),
    ],
)
def test_a_recording_can_contradict_a_fact(beginning, recording):
    """A judge that never says no is none."""
    fact = Fact(key=beginning, section="", text=beginning)

    assert judge([fact], recording)[0].finding is Finding.CONTRADICTED
    assert judge([fact], [])[0].finding is Finding.NOT_TRIED


def test_what_says_nothing_is_not_tried():
    """Old servers leave ``established`` out, and cancels are rarely asked about."""
    recording = [said(judges.STATUS, {"authenticated": True}), said(judges.CANCEL, {"msg": "x"})]
    told = [
        Fact(key=key, section="", text=key) for key in ("`established` is what counts", "both/4", "no judge")
    ]

    assert {one.finding for one in judge(told, recording)} == {Finding.NOT_TRIED}
    asked = [said(judges.CANCEL, [{"id": "q", "message": ["Really?"]}])]
    assert judge(told[1:2], asked)[0].finding is Finding.CONFIRMED


def test_a_recording_names_nobody():
    """The same account is the same made-up one throughout; tokens and logins are left out."""
    from decimal import Decimal

    rows = redacted(
        [
            said("POST /oauth/live_session_token", {"x": "secret"}),
            said(
                "GET /x",
                {
                    "U1234567": {"session": "abc", "price": Decimal("1.10")},
                    "note": "of U1234567 and DU765432",
                },
            ),
        ]
    )

    assert [row["endpoint"] for row in rows] == ["GET /x"]
    assert rows[0]["content"] == {
        "DU0000001": {"session": "***", "price": "1.10"},
        "note": "of DU0000001 and DU0000002",
    }
