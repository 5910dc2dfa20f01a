"""Keep bars in files: pages on their way beside the file, and the file itself in one piece.

While a download runs, every page stands as a line in ``<file>.part``, on disk before the next one is
asked for. The file itself appears when all pages are there, complete or not at all. CSV and lines of
JSON hold exact figures and need nothing installed; parquet holds floats, needs pyarrow, and is the
smallest and fastest to read.
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

from ibkr_adapter.errors import ConfigurationError, InvalidRequest, MarketDataError, quoted
from ibkr_adapter.filelocks import lock
from ibkr_adapter.market.history import Stage, Wish
from ibkr_adapter.model.bars import COLUMNS, Bar, Bars, BarSize, BarSource
from ibkr_adapter.wire.history import Page

# Names the form of what follows; a later one has another name.
_FORMAT = "download-1"


class PartFile:
    """The pages of one download that is not finished, held by one process at a time."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self._file = file
        self.wish: Wish | None = None
        self.stages: list[Stage] = []

    def begin(self, asked: Mapping[str, str], wish: Wish) -> Wish:
        """Go on with what is there if it is the same wish, or begin with this one; tell the wish that holds.

        Args:
            asked: What was asked for, in words; a later run must ask for the same.
            wish: What that means now.

        Raises:
            InvalidRequest: The file is of another download, or damaged.
        """
        lines = self._whole_lines()
        if not lines:
            self._write({_FORMAT: dict(asked), "wish": _wish_out(wish)})
            return wish
        try:
            head = json.loads(lines[0])
            there, found = dict(head[_FORMAT]), _wish_in(head["wish"])
            self.stages = [_stage_in(json.loads(line)) for line in lines[1:]]
        except (ValueError, KeyError, TypeError, ArithmeticError) as damage:
            raise InvalidRequest(
                f"{self.path} is no unfinished download, or damaged; no bar was asked for.",
                remedy="Delete it to begin anew.",
            ) from damage
        differs = [
            f"{name} {there.get(name)} and not {word}"
            for name, word in asked.items()
            if there.get(name) != word
        ]
        if differs:
            raise InvalidRequest(
                f"{self.path} is an unfinished download of {', '.join(differs)}; no bar was asked for.",
                remedy="Ask for the same to go on with it, delete it, or name another file.",
            )
        return found

    def add(self, stage: Stage) -> None:
        """Write a page down, on disk before it goes on."""
        self._write(_stage_out(stage))
        self.stages.append(stage)

    def _whole_lines(self) -> list[bytes]:
        """All lines; one that a crash cut off is taken away."""
        self._file.seek(0)
        content = self._file.read()
        end = content.rfind(b"\n") + 1
        if end < len(content):
            self._file.truncate(end)
        self._file.seek(end)
        return content[:end].splitlines()

    def _write(self, content: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(content, separators=(",", ":")).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())


@contextmanager
def part_of(path: Path) -> Iterator[PartFile]:
    """Open the unfinished pages of a file; they stay there until :func:`forget`.

    Raises:
        MarketDataError: Another process has it, or it cannot be written.
    """
    part = _part(path)
    with told(part):
        number = os.open(part, os.O_RDWR | os.O_CREAT, 0o666)
    with os.fdopen(number, "r+b") as file:
        if not lock(number):
            raise MarketDataError(f"another process writes {part}; no bar was asked for.")
        with told(part):
            yield PartFile(part, file)


def put(path: Path, bars: Bars, write: Callable[[Path, Bars], None]) -> None:
    """Put a complete file in its place in one step."""
    fresh = path.with_name(f"{path.name}.new")
    with told(path):
        try:
            write(fresh, bars)
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)


def forget(path: Path) -> None:
    """Take the pages of a file away."""
    with told(path):
        _part(path).unlink(missing_ok=True)


def _part(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def writer(path: Path) -> Callable[[Path, Bars], None]:
    """Tell how a file of that name is written.

    Raises:
        InvalidRequest: Its ending is unknown.
        ConfigurationError: What it takes is not installed.
    """
    writers = {".csv": _csv, ".jsonl": _jsonl, ".parquet": _parquet}
    found = writers.get(path.suffix.lower())
    if found is None:
        raise InvalidRequest(
            f"bars are not written as {quoted(path.suffix or path.name)}; no bar was asked for.",
            remedy=f"The file's name ends in {', '.join(writers)}.",
        )
    if found is _parquet:
        _pyarrow()
    return found


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Name the file that the disk refuses."""
    try:
        yield
    except OSError as refusal:
        raise MarketDataError(
            f"{path} cannot be written: {refusal.strerror or refusal}.",
            remedy="What was read so far is kept; the same call goes on from there.",
        ) from refusal


# Formats ----------------------------------------------------------------------------------


def _csv(path: Path, bars: Bars) -> None:
    lines = (",".join(words.values()) for words in _texts(bars))
    _durably(path, "".join(f"{line}\n" for line in (",".join(COLUMNS), *lines)).encode())


def _jsonl(path: Path, bars: Bars) -> None:
    def line(words: Mapping[str, str]) -> str:
        begins, *figures = words.items()
        # Figures stand as they are: through a float they would not be exact.
        parts = [f'"{begins[0]}":"{begins[1]}"', *(f'"{name}":{word or "null"}' for name, word in figures)]
        return "{" + ",".join(parts) + "}\n"

    _durably(path, "".join(map(line, _texts(bars))).encode())


def _parquet(path: Path, bars: Bars) -> None:
    arrow, parquet = _pyarrow()
    rows = bars.records()
    kinds = {name: arrow.float64() for name in COLUMNS} | {"begins": arrow.timestamp("us", tz="UTC")}

    def column(name: str) -> Any:
        values = (row[name] for row in rows)
        return arrow.array(
            [float(value) if isinstance(value, Decimal) else value for value in values], kinds[name]
        )

    about = {"conid": bars.conid, "size": bars.size, "source": bars.source, "outside_rth": bars.outside_rth}
    schema = arrow.schema(list(kinds.items()), metadata={"ibkr_adapter": json.dumps(about)})
    parquet.write_table(arrow.table([column(name) for name in kinds], schema=schema), path)
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _pyarrow() -> tuple[Any, Any]:
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError as missing:
        raise ConfigurationError(
            "parquet files need pyarrow, which is not installed; no bar was asked for.",
            remedy="Install ibkr-adapter[pandas], or write a .csv or .jsonl file.",
        ) from missing


def _texts(bars: Bars) -> Iterator[dict[str, str]]:
    for row in bars.records():
        yield {
            name: value.isoformat() if name == "begins" else "" if value is None else format(value, "f")
            for name, value in row.items()
        }


def _durably(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


# Pages as lines ---------------------------------------------------------------------------


def _wish_out(wish: Wish) -> dict[str, Any]:
    return {
        "conid": wish.conid,
        "size": wish.size.value,
        "since": wish.since.isoformat(),
        "until": wish.until.isoformat(),
        "asked_at": wish.asked_at.isoformat(),
        "period": wish.period,
        "step": wish.step.total_seconds(),
        "source": wish.source.value,
        "outside_rth": wish.outside_rth,
        "exchange": wish.exchange,
    }


def _wish_in(content: Mapping[str, Any]) -> Wish:
    return Wish(
        conid=int(content["conid"]),
        size=BarSize(content["size"]),
        since=_moment(content["since"]),
        until=_moment(content["until"]),
        asked_at=_moment(content["asked_at"]),
        period=str(content["period"]),
        step=timedelta(seconds=content["step"]),
        source=BarSource(content["source"]),
        outside_rth=bool(content["outside_rth"]),
        exchange=content["exchange"],
    )


def _stage_out(stage: Stage) -> dict[str, Any]:
    page = stage.page
    return {
        "asked": stage.asked.isoformat(),
        "then": stage.then.isoformat(),
        "heard": stage.heard.isoformat(),
        "delay": page.delay,
        "cut": page.cut,
        "whole": page.whole_volumes,
        "bars": [
            [bar.begins.isoformat(), *(None if figure is None else str(figure) for figure in _figures(bar))]
            for bar in page.bars
        ],
    }


def _stage_in(content: Mapping[str, Any]) -> Stage:
    bars = tuple(
        Bar(
            _moment(begins),
            Decimal(opened),
            Decimal(high),
            Decimal(low),
            Decimal(closed),
            None if volume is None else Decimal(volume),
        )
        for begins, opened, high, low, closed, volume in content["bars"]
    )
    page = Page(
        bars=bars,
        delay=int(content["delay"]),
        cut=bool(content["cut"]),
        whole_volumes=bool(content["whole"]),
    )
    return Stage(
        asked=_moment(content["asked"]),
        then=_moment(content["then"]),
        heard=_moment(content["heard"]),
        page=page,
    )


def _figures(bar: Bar) -> tuple[Decimal | None, ...]:
    return (bar.open, bar.high, bar.low, bar.close, bar.volume)


def _moment(word: str) -> datetime:
    return datetime.fromisoformat(word).astimezone(UTC)
