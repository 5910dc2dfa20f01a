"""Interactive Brokers as a pluggable exchange adapter."""

from ibkr_adapter.exchange import IBKRExchange
from ibkr_adapter.settings import Settings

__version__ = "0.1.0"

__all__ = ["IBKRExchange", "Settings"]
