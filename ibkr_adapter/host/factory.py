"""Find exchanges by name and make them: the host's factory.

Ours is registered like any other package's, by the entry point group ``ibkr_adapter.exchanges``, and is there
where nothing is installed, too. A package is loaded when its name is asked for, so that a broken one
costs nobody else anything, and none can take a name that is taken. Making an object asks nobody.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from ibkr_adapter import setting_readers as read
from ibkr_adapter.errors import ConfigurationError, IBKRError

from .adapter import ADAPTER
from .contract import BaseExchange
from .credentials import check_exchange_name, check_owner, of_another
from .registry import GROUP, Adapter

log = logging.getLogger(__name__)

# (user id, exchange, environment, credential id) -> a row of credentials, or None.
Loader = Callable[[str, str, str, str | None], Mapping[str, Any] | None]


class ExchangeFactory:
    """A registry of named adapters.

    Args:
        adapters: What is known beside the packages that are installed.
        found: The entry points of those packages; tests put in others.
        doors: What exchanges reach the world through, for tests.
    """

    def __init__(
        self,
        adapters: Iterable[Adapter] = (ADAPTER,),
        *,
        found: Callable[[], Iterable[EntryPoint]] | None = None,
        doors: Any = None,
    ) -> None:
        self._adapters: dict[str, Adapter] = {}
        self._found = found or _installed
        self._doors = doors
        for adapter in adapters:
            self.register(adapter)

    def register(self, adapter: Adapter) -> None:
        """Make an adapter known under its name and its aliases.

        Raises:
            ConfigurationError: A name is another one's.
        """
        names = [name.lower() for name in (adapter.name, *adapter.aliases)]
        for name in names:
            if self._adapters.get(name, adapter) != adapter:
                raise ConfigurationError(
                    f"the exchange name {name} is taken by {self._adapters[name].title}."
                )
        self._adapters.update(dict.fromkeys(names, adapter))

    def supported_exchanges(self) -> list[str]:
        """All names, aliases among them."""
        return sorted({*self._adapters, *(point.name.lower() for point in self._found())})

    def create_exchange(self, name: str, config: Mapping[str, Any]) -> BaseExchange:
        """Make an exchange; synchronous, asks nobody.

        Raises:
            ConfigurationError: Nobody knows the name, or its configuration lacks something.
        """
        return self._adapter(name).make(config, None, self._doors)

    def create_all_exchanges(self, full_config: Mapping[str, Any]) -> dict[str, BaseExchange]:
        """Make the exchange of each section that is one's name; who cannot be made is logged and left out."""
        made: dict[str, BaseExchange] = {}
        for name in self.supported_exchanges():
            section = full_config.get(name)
            if not isinstance(section, Mapping):
                continue
            try:
                exchange = self.create_exchange(name, section)
            except IBKRError as error:
                log.warning("the exchange %s of the configuration cannot be made: %s", name, error)
            else:
                made[exchange.get_exchange_name()] = exchange
        return made

    def map_credentials_to_config(self, name: str, credentials: Any) -> dict[str, Any] | None:
        """Map a host's row for an exchange; ``None`` where there is none, or nobody knows the name."""
        adapter = self._known(name)
        return None if adapter is None else adapter.map_credentials(credentials)

    def create_exchange_for_user(
        self,
        user_id: str,
        exchange: str,
        environment: str = "production",
        credential_id: str | None = None,
        *,
        load: Loader,
    ) -> BaseExchange | None:
        """Make the exchange of one user of many from that user's credentials.

        Args:
            user_id: Whose it is.
            exchange: A name or an alias.
            environment: Which of the user's credentials; the row's own goes into the configuration.
            credential_id: One row among several.
            load: Finds the row; it is called once.

        Returns:
            The exchange, or ``None`` where the user has no credentials.

        Raises:
            ConfigurationError: The row is another user's or another exchange's, or lacks something;
                nothing was sent.
        """
        adapter = self._adapter(exchange)
        row = load(str(user_id), adapter.name, environment, credential_id)
        # A list of rows, or none, is not a row that could be looked into.
        config = adapter.map_credentials(row) if isinstance(row, Mapping) else None
        if row is None or config is None:
            return None
        _check_row(row, str(user_id), environment, {adapter.name, *adapter.aliases})
        return adapter.make(config, str(user_id), self._doors)

    def _adapter(self, name: str) -> Adapter:
        adapter = self._known(name)
        if adapter is None:
            raise ConfigurationError(
                f"Unknown exchange: {name!s:.40}. Supported exchanges: {', '.join(self.supported_exchanges())}."
            )
        return adapter

    def _known(self, name: Any) -> Adapter | None:
        wanted = str(name).strip().lower()
        if wanted in self._adapters:
            return self._adapters[wanted]
        for point in self._found():
            if point.name.lower() == wanted:
                adapter = point.load()
                if not isinstance(adapter, Adapter):
                    raise ConfigurationError(
                        f"{point.value} is registered as exchange {wanted} and is no Adapter."
                    )
                self.register(adapter)
                return adapter
        return None


def create_exchange(name: str, config: Mapping[str, Any]) -> BaseExchange:
    """Make an exchange by name; see :meth:`ExchangeFactory.create_exchange`."""
    return ExchangeFactory().create_exchange(name, config)


def create_all_exchanges(full_config: Mapping[str, Any]) -> dict[str, BaseExchange]:
    """Make all exchanges of a configuration; see :meth:`ExchangeFactory.create_all_exchanges`."""
    return ExchangeFactory().create_all_exchanges(full_config)


def create_exchange_for_user(
    user_id: str,
    exchange: str,
    environment: str = "production",
    credential_id: str | None = None,
    *,
    load: Loader,
) -> BaseExchange | None:
    """Make a user's exchange; see :meth:`ExchangeFactory.create_exchange_for_user`."""
    return ExchangeFactory().create_exchange_for_user(
        user_id, exchange, environment, credential_id, load=load
    )


def _installed() -> Iterable[EntryPoint]:
    return entry_points(group=GROUP)


def _check_row(row: Mapping[str, Any], user_id: str, environment: str, names: set[str]) -> None:
    """See that the row is the one that was asked for: a loader by id may find anybody's."""
    check_owner(row, user_id)
    check_exchange_name(row, names)
    if row.get("environment") is None:
        return
    try:
        same = read.environment(row["environment"]) is read.environment(environment)
    except ValueError:
        same = False
    if not same:
        raise of_another("environment")
