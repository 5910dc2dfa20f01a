"""Let ``python -m ibkr_adapter`` do what the command ``ibkr-adapter`` does."""

from ibkr_adapter.cli import main

if __name__ == "__main__":
    main()
