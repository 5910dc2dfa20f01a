"""Read history: bars of any span, what is missing in them, and a download that an interruption does not spoil.

``main`` breaks its own download off and goes on; the file is the same as one without an interruption.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

from ibkr_adapter import IBKRExchange
from ibkr_adapter.model.bars import Bars


def main(ibkr: IBKRExchange) -> None:
    with tempfile.TemporaryDirectory() as name:
        read(ibkr, Path(name))


def read(ibkr: IBKRExchange, folder: Path) -> None:
    days = ibkr.market_data.history("AAPL", bar="1d", since="3m")
    print(repr(days))
    for gap in days.report.gaps or ():
        print("no bar:", gap.begins.date(), gap.kind)

    def download(name: str, progress: Callable[[int, int], None] | None = None) -> Bars:
        path, since, until = folder / name, "2026-09-01", "2026-11-20"
        return ibkr.market_data.download(
            "AAPL", path, bar="30min", since=since, until=until, progress=progress or False
        )

    download("whole.csv")

    def interrupt(done: int, total: int) -> None:
        if done > total / 2:
            raise KeyboardInterrupt

    try:
        download("torn.csv", interrupt)
    except KeyboardInterrupt:
        print("interrupted; what was read:", *(path.name for path in folder.glob("torn*")))
    bars = download("torn.csv")

    same = (folder / "torn.csv").read_bytes() == (folder / "whole.csv").read_bytes()
    print(len(bars), "bars,", "the same file" if same else "another file")
    print((folder / "torn.csv").read_text().splitlines()[1])


if __name__ == "__main__":
    with IBKRExchange.simulated() as exchange:
        main(exchange)
