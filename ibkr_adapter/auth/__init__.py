"""The three ways to log in to IBKR, behind one protocol."""
