"""Find instruments: the rooms behind :mod:`ibkr_adapter.conids`, one for each way of asking."""
