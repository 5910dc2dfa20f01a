"""Values of the trade: contracts, orders, accounts, prices; pure."""
