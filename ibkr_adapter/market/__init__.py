"""The rooms behind ``ibkr.market_data``: lines, snapshots, history, downloads, scanners, chains."""
