"""Streams: what IBKR sends by itself, over one line and one thread for each login."""
