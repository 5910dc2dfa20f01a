"""Endpoints of logging in, keeping alive and logging out.

Shapes after recorded status, init and tickle answers; most endpoints take GET and POST alike. A
lost competition for the brokerage session is status 200 with ``authenticated: false``.
"""

from __future__ import annotations

from typing import Any

from ibkr_adapter.simulator import answers, figures
from ibkr_adapter.simulator.door import Answer
from ibkr_adapter.simulator.routes import Call, Needs, Route, both, get, post
from ibkr_adapter.simulator.sessions import SSO_EXPIRES_MS, Sessions
from ibkr_adapter.simulator.world import World

_USER_ID = 45049960
# Not a set: what clients write there may be a list, which a set cannot be asked for.
_TRUE = (True, "true", "True")


def missing(sessions: Sessions, route: Route | None) -> Answer | None:
    """The answer when what an endpoint needs is not there; one that is unknown needs a login."""
    needs = route.needs if route else Needs.LOGIN
    if needs is Needs.NOTHING:
        return None
    if not sessions.is_logged_in:
        return answers.unauthorised()
    if needs is Needs.LOGIN:
        return None
    if sessions.brokerage is None or not sessions.is_up:
        return answers.bad_request("no bridge")
    if needs is Needs.ACCOUNTS and not sessions.brokerage.accounts_queried:
        return answers.bad_request("Please query /accounts first")
    return None


class SessionEndpoints:
    """Serve the session endpoints of one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """The endpoints served here."""
        return [
            both("/tickle", self.tickle, Needs.NOTHING),
            both("/iserver/auth/status", self.status),
            both("/iserver/auth/ssodh/init", self.initialise),
            both("/iserver/reauthenticate", self.reauthenticate),
            both("/logout", self.logout),
            both("/sso/validate", self.validate),
            both("/sso/ping", self.ping),
            post("/iserver/questions/suppress", self.suppress, Needs.BROKERAGE),
            post("/iserver/questions/suppress/reset", self.unsuppress, Needs.BROKERAGE),
            get("/one/user", self.user),
        ]

    def tickle(self, _: Call) -> Answer:
        """Keep both tiers alive and tell the session id."""
        world = self._world
        if not world.sessions.is_logged_in:
            if world.options.tickle_without_login == "no session":
                return answers.refusal("no session")
            return answers.unauthorised()
        body: dict[str, Any] = {"session": world.sessions.token}
        # Recorded: OAuth 1.0a has no SSO, and its tickle nothing about it.
        if world.auth != "oauth1a":
            body |= {"ssoExpires": SSO_EXPIRES_MS, "collission": False, "userId": _USER_ID}
        brokerage, status = world.sessions.brokerage, world.sessions.status()
        # Guess: once it is open the older bridge is told of like the other.
        is_open = brokerage is not None and "hmds" in brokerage.warm
        hmds = {"authStatus": status} if is_open else {"error": "no bridge"}
        body |= {"hmds": hmds, "iserver": {"authStatus": status}}
        return answers.json_answer(body)

    def status(self, _: Call) -> Answer:
        """Tell the state of the brokerage session."""
        self._world.sessions.read_status()
        return answers.json_answer(self._world.sessions.status(with_fail=True))

    def initialise(self, call: Call) -> Answer:
        """Open the brokerage session."""
        world, wishes = self._world, call.either()
        # Without publishing it fails unless a session is there already: both were seen. The portal's
        # own form names the machine instead, and has revived sessions.
        publishes = wishes.get("publish") in _TRUE or "machineId" in wishes
        if not publishes and not world.sessions.is_up:
            return answers.refusal("failed to generate sso dh token", 500)
        world.sessions.initialise(world.now, compete=wishes.get("compete") in _TRUE)
        return answers.json_answer(world.sessions.status())

    def reauthenticate(self, _: Call) -> Answer:
        """Open the brokerage session the old way; it does not compete."""
        self._world.sessions.initialise(self._world.now, compete=False)
        return answers.json_answer({"message": "triggered"})

    def logout(self, _: Call) -> Answer:
        """End the session."""
        self._world.sessions.log_out("asked", self._world.now)
        return answers.json_answer({"status": True})

    def validate(self, _: Call) -> Answer:
        """Tell about the outer session, where there is an SSO."""
        if self._world.auth == "oauth1a":
            # Guess: documented is only that it is not valid there.
            return answers.unauthorised()
        return answers.json_answer(self.validation())

    def validation(self) -> dict[str, Any]:
        """What there is to tell about the outer session; nothing without an SSO."""
        world = self._world
        if world.auth == "oauth1a":
            return {}
        login = world.sessions.login or world.now
        paper = world.accounts[world.main_account].is_paper
        return {
            "USER_ID": _USER_ID,
            "USER_NAME": "simulated",
            "RESULT": True,
            "AUTH_TIME": figures.milliseconds(login),
            "SF_ENABLED": False,
            "IS_FREE_TRIAL": False,
            "CREDENTIAL": "simulated",
            "IP": "127.0.0.1",
            "EXPIRES": SSO_EXPIRES_MS,
            "QUALIFIED_FOR_MOBILE_AUTH": None,
            "LANDING_APP": "UNIVERSAL",
            "IS_MASTER": False,
            "lastAccessed": figures.milliseconds(world.sessions.last_request),
            "LOGIN_TYPE": 2 if paper else 1,
            "PAPER_USER_NAME": "simulated",
            "features": {
                "env": "PROD",
                "wlms": True,
                "realtime": True,
                "bond": True,
                "optionChains": True,
                "calendar": True,
                "newMf": True,
            },
            "region": "NJ",
        }

    def ping(self, _: Call) -> Answer:
        """Keep the outer session alive."""
        return answers.json_answer({"result": "true"})

    def user(self, _: Call) -> Answer:
        """Tell the user name; the shape is a guess, no source prints it."""
        return answers.json_answer({"user": "simulated"})

    def suppress(self, call: Call) -> Answer:
        """Suppress questions for this brokerage session; the list replaces the former one."""
        body = call.json()
        ids = body.get("messageIds") if isinstance(body, dict) else None
        brokerage = self._world.sessions.brokerage
        if not isinstance(ids, list) or not ids or len(ids) > answers.MOST_SUPPRESSED or not brokerage:
            return answers.refusal("system error", 500)
        # Guess: resending is documented as "the complete array", so it replaces.
        brokerage.suppressed = {str(one) for one in ids}
        return answers.json_answer({"status": "submitted"})

    def unsuppress(self, _: Call) -> Answer:
        """Ask everything again."""
        if self._world.sessions.brokerage:
            self._world.sessions.brokerage.suppressed = set()
        return answers.json_answer({"status": "submitted"})
