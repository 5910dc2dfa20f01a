"""Interactive Brokers as a pluggable exchange adapter."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ibkr_adapter.exchange import IBKRExchange
    from ibkr_adapter.settings import Settings

__version__ = "0.1.0"

__all__ = ["IBKRExchange", "Settings"]

_ROOMS = {"IBKRExchange": "exchange", "Settings": "settings"}

# Type checkers would take any name for one that is there.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Load what is named when it is named: a command must be able to begin, and to be ended, before that."""
        from importlib import import_module  # noqa: PLC0415  (nor is this needed before)

        if name in _ROOMS:
            return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
        where = f"{__name__}.{name}"
        try:
            if not name.startswith("_"):
                return import_module(where)
        except ModuleNotFoundError as missing:
            if missing.name != where:
                raise
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
