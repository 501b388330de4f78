"""Working time: how long a calendar was open between two instants, and when a limit is used up.

One table of open intervals in UTC per calendar (rules.md 2), two binary searches per question.
Everything is whole microseconds inside, so that nothing is rounded before it is shown.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, Self
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agreement.policy import DAYS, Calendar

Micros = NDArray[np.int64]
Window = tuple[int, int]

_SECOND = 1_000_000
_DAY = 86_400
# How far a wall clock can be from UTC, with room for a zone that crossed the date line.
_MARGIN = timedelta(days=2)
# Changes of a zone's offset lie days apart; two looks a quarter of a day apart miss none.
_LOOK = timedelta(hours=6)
_EARLIEST = pd.Timestamp(1, 1, 1, tz=UTC).as_unit("us")
_LATEST = pd.Timestamp(9999, 1, 1, tz=UTC).as_unit("us")


@dataclass(frozen=True, slots=True, eq=False)
class OpenHours:
    """When one calendar is open, from the first to the end of the last UTC day that it covers.

    `starts` and `ends` are the open intervals in UTC microseconds, half-open, in order and apart;
    `opened` is how long the calendar was open before each of them.
    """

    starts: Micros
    ends: Micros
    opened: Micros
    covered: tuple[int, int]

    @classmethod
    def from_agreement(cls, calendar: Calendar, zone: str, first: date, last: date) -> Self:
        """Read the agreement's week and holidays on the wall clock of an owner's zone.

        Covers the UTC days from `first` to `last`, both inside.
        """
        week = {
            DAYS.index(day): [(start * 60, end * 60) for start, end in windows]
            for day, windows in calendar.week.items()
        }
        years = range((first - _MARGIN).year, (last + _MARGIN).year + 1)
        return cls.build(zone, week, calendar.holidays.expand(years), {}, first, last)

    @classmethod
    def build(
        cls,
        zone: str,
        week: Mapping[int, Sequence[Window]],
        closed: Collection[date],
        special: Mapping[date, Sequence[Window]],
        first: date,
        last: date,
    ) -> Self:
        """Lay out a calendar's open intervals over the UTC days from `first` to `last`.

        Args:
            zone: the IANA zone whose wall clock the windows are read on.
            week: windows per weekday (0 = Monday) in seconds since local midnight, [from, to);
                86,400 ends a day. Windows that overlap are open once.
            closed: holidays.
            special: days with windows of their own instead of the weekday's, also on a holiday.
            first: the first UTC day covered.
            last: the last UTC day covered.
        """
        local = _local_windows(week, frozenset(closed), special, first - _MARGIN, last + _MARGIN)
        begin, until = _midnight(first), _midnight(last) + _DAY
        pieces = [
            np.clip(local - offset, since, to) for since, to, offset in _offsets(zone, begin, until)
        ]
        return cls._of(np.concatenate([np.empty((0, 2), dtype=np.int64), *pieces]), (begin, until))

    @classmethod
    def _of(cls, seconds: Micros, covered: Window) -> Self:
        apart = _merged(seconds) * _SECOND
        starts, ends = np.ascontiguousarray(apart[:, 0]), np.ascontiguousarray(apart[:, 1])
        opened = np.cumsum(ends - starts) - (ends - starts)
        return cls(starts, ends, opened, (covered[0] * _SECOND, covered[1] * _SECOND))

    def opened_at(self, instants: Micros) -> Micros:
        """Tell how long the calendar was open from the start of its table up to each instant.

        Raises:
            ValueError: an instant is not covered; a time there would be counted as closed.
        """
        first, last = self.covered
        if len(instants) and (instants.min() < first or instants.max() > last):
            raise ValueError("an instant lies outside the days that the working calendar covers")
        if not len(self.starts):
            return np.zeros(len(instants), dtype=np.int64)
        # Before the first interval the place is -1: it is read as the first one, not yet begun.
        place = np.maximum(np.searchsorted(self.starts, instants, side="right") - 1, 0)
        inside = np.clip(instants - self.starts[place], 0, (self.ends - self.starts)[place])
        opened: Micros = self.opened[place] + inside
        return opened

    def reached_at(self, opened: Micros) -> tuple[Micros, NDArray[np.bool_]]:
        """Find the earliest instant by which the calendar was open for so long.

        The second array tells where that lies inside the table; elsewhere ignore the instant.
        """
        if not len(self.starts):
            return np.zeros(len(opened), dtype=np.int64), np.zeros(len(opened), dtype=bool)
        until = self.opened + (self.ends - self.starts)
        place = np.searchsorted(until, opened, side="left")
        is_known = place < len(until)
        place = np.minimum(place, len(until) - 1)
        return self.starts[place] + (opened - self.opened[place]), is_known


def working_seconds(
    calendars: Mapping[str, OpenHours], calendar: Any, start: Any, end: Any
) -> pd.Series:
    """Tell the working time from each start to its end, in whole seconds, fractions dropped.

    One number per row, in the index of `start`. An end before its start counts 0.

    Args:
        calendars: the open hours by name.
        calendar: per row, the name of the calendar that its clock runs in.
        start: instants (UTC); none may be missing.
        end: instants (UTC); none may be missing.

    Raises:
        ValueError: an instant is missing or outside the days that its calendar covers.
        KeyError: a calendar is not known.
    """
    micros = working_micros(calendars, calendar, start, end)
    return pd.Series(micros // _SECOND, index=_index_of(start), dtype="int64")


def working_micros(
    calendars: Mapping[str, OpenHours], calendar: Any, start: Any, end: Any
) -> Micros:
    """Tell the working time from each start to its end in microseconds, as `working_seconds`."""
    starts, ends = _micros(start), _micros(end)
    worked = np.zeros(len(starts), dtype=np.int64)
    for name, rows in _by_name(calendar):
        hours = calendars[name]
        worked[rows] = hours.opened_at(ends[rows]) - hours.opened_at(starts[rows])
    return np.maximum(worked, 0)


def due_at(
    calendars: Mapping[str, OpenHours], calendar: Any, start: Any, limit_seconds: Any
) -> pd.Series:
    """Find the earliest instant at which the working time since each start equals its limit.

    One instant (UTC) per row, in the index of `start`. A limit that is used up when the calendar
    closes is due at that closing, not at the next opening; a limit of 0 is due at the start.
    Missing when the table ends before (give it days enough) or the calendar never opens.

    Args:
        calendars: the open hours by name.
        calendar: per row, the name of the calendar that its clock runs in.
        start: instants (UTC); none may be missing.
        limit_seconds: working time, one number or one per row.

    Raises:
        ValueError: an instant is missing or outside the days that its calendar covers.
        KeyError: a calendar is not known.
    """
    starts = _micros(start)
    limits = np.asarray(limit_seconds, dtype=np.int64) * _SECOND
    due = _due_micros(calendars, calendar, starts, np.broadcast_to(limits, starts.shape))
    return pd.Series(pd.to_datetime(due, unit="us", utc=True), index=_index_of(start)).astype(
        "datetime64[us, UTC]"
    )


def _due_micros(
    calendars: Mapping[str, OpenHours], calendar: Any, starts: Micros, limits: Micros
) -> Micros:
    """Find due instants; the smallest whole number, which is pandas' NaT, where there is none."""
    due = np.full(len(starts), np.iinfo(np.int64).min)
    for name, rows in _by_name(calendar):
        hours, limit = calendars[name], limits[rows]
        found, is_known = hours.reached_at(hours.opened_at(starts[rows]) + limit)
        due[rows] = np.where(is_known, found, due[rows])
    at_once = limits <= 0
    return np.where(at_once, starts, due)


def running_pieces(segments: pd.DataFrame, pauses: pd.DataFrame) -> pd.DataFrame:
    """Cut clocks into the pieces during which they run: their segments less their pauses.

    One row per piece with `clock`, `calendar`, `start`, `end`, by clock and start. Pauses of one
    clock may touch or overlap; an hour that is paused twice is paused once.

    Args:
        segments: `clock` (any key), `calendar` of its owner, `start`, `end` (UTC).
        pauses: `clock`, `start`, `end` (UTC).
    """
    free = _between_pauses(pauses, segments["clock"])
    pieces = segments.merge(free, on="clock")
    pieces = pieces.assign(
        start=pieces["start"].where(pieces["start"] > pieces["free_from"], pieces["free_from"]),
        end=pieces["end"].where(pieces["end"] < pieces["free_to"], pieces["free_to"]),
    )
    kept = pieces.loc[pieces["start"] < pieces["end"], ["clock", "calendar", "start", "end"]]
    return kept.sort_values(["clock", "start", "end"], kind="stable", ignore_index=True)


def clock_seconds(
    calendars: Mapping[str, OpenHours], segments: pd.DataFrame, pauses: pd.DataFrame
) -> pd.Series:
    """Tell how long each clock has run: the sum of its segments, pauses not counted.

    Whole seconds, fractions of the sum dropped; one number per clock, in the order of the clocks'
    first segments. Arguments as `running_pieces`.
    """
    pieces = running_pieces(segments, pauses)
    worked = _worked(calendars, pieces).groupby(pieces["clock"]).sum()
    clocks = segments["clock"].drop_duplicates()
    return worked.reindex(pd.Index(clocks), fill_value=0) // _SECOND


def clock_due_at(
    calendars: Mapping[str, OpenHours],
    segments: pd.DataFrame,
    pauses: pd.DataFrame,
    limit_seconds: pd.Series,
) -> pd.Series:
    """Find when each clock's limit is used up, whatever its end: the last owner's clock runs on.

    One instant (UTC) per clock of `limit_seconds`, in its order; missing as in `due_at`. Segments
    follow each other by their start. A limit of 0 is due at the start of the first one.
    """
    begun = segments.groupby("clock")["start"].min().reindex(limit_seconds.index)
    pieces = running_pieces(_open_ended(calendars, segments), pauses)
    worked = _worked(calendars, pieces)
    run_before = worked.groupby(pieces["clock"]).cumsum() - worked
    left = pieces["clock"].map(limit_seconds) * _SECOND - run_before
    is_last = (left > 0) & (left <= worked)
    reached = pieces[is_last]
    due = _due_micros(
        calendars, reached["calendar"], _micros(reached["start"]), left[is_last].to_numpy()
    )
    found = pd.Series(pd.to_datetime(due, unit="us", utc=True), index=pd.Index(reached["clock"]))
    found = found.reindex(limit_seconds.index).astype("datetime64[us, UTC]")
    return found.where(limit_seconds > 0, begun)


def _open_ended(calendars: Mapping[str, OpenHours], segments: pd.DataFrame) -> pd.DataFrame:
    """Let the last segment of each clock run to the end of its calendar's table."""
    ordered = segments.sort_values(["clock", "start"], kind="stable", ignore_index=True)
    until = {name: hours.covered[1] for name, hours in calendars.items()}
    table_end = pd.to_datetime(ordered["calendar"].map(until), unit="us", utc=True)
    is_last = ~ordered.duplicated("clock", keep="last")
    ends = ordered["end"].mask(is_last, table_end.astype("datetime64[us, UTC]"))
    return ordered.assign(end=ends)


def _worked(calendars: Mapping[str, OpenHours], pieces: pd.DataFrame) -> pd.Series:
    worked = working_micros(calendars, pieces["calendar"], pieces["start"], pieces["end"])
    return pd.Series(worked, index=pieces.index)


def _between_pauses(pauses: pd.DataFrame, clocks: pd.Series) -> pd.DataFrame:
    """Give the stretches of each clock that no pause covers: `clock`, `free_from`, `free_to`.

    With pauses by start, a stretch runs from the latest end so far to the next start. It is empty,
    and meets no segment, where a pause touches, overlaps or lies inside an earlier one.
    """
    real = (pauses["start"] < pauses["end"]) & pauses["clock"].isin(clocks)
    ordered = pauses[real].sort_values(["clock", "start"], kind="stable")
    reached = ordered.groupby("clock")["end"].cummax()
    every = clocks.drop_duplicates()
    free_from = _stacked(ordered["clock"], reached, every, _EARLIEST)
    free_to = _stacked(ordered["clock"], ordered["start"], every, _LATEST)
    return pd.DataFrame(
        {"clock": free_from["clock"], "free_from": free_from["at"], "free_to": free_to["at"]}
    )


def _stacked(
    clock: pd.Series, at: pd.Series, every: pd.Series, bound: pd.Timestamp
) -> pd.DataFrame:
    """Put one more instant to those of each clock; sorted."""
    rows = pd.DataFrame({"clock": clock, "at": at.astype("datetime64[us, UTC]")})
    bounds = pd.DataFrame({"clock": every}).assign(at=bound)
    both = pd.concat([rows, bounds]).astype({"at": "datetime64[us, UTC]"})
    return both.sort_values(["clock", "at"], kind="stable", ignore_index=True)


def _local_windows(
    week: Mapping[int, Sequence[Window]],
    closed: Collection[date],
    special: Mapping[date, Sequence[Window]],
    first: date,
    last: date,
) -> Micros:
    """List open windows as seconds of a wall clock that never changes, since 1970."""
    windows = [
        (_midnight(day) + start, _midnight(day) + end)
        for day in _days(first, last)
        for start, end in _windows_of(day, week, closed, special)
    ]
    return np.array(windows, dtype=np.int64).reshape(-1, 2)


def _windows_of(
    day: date,
    week: Mapping[int, Sequence[Window]],
    closed: Collection[date],
    special: Mapping[date, Sequence[Window]],
) -> Sequence[Window]:
    if day in special:
        return special[day]
    return () if day in closed else week.get(day.weekday(), ())


def _days(first: date, last: date) -> Iterator[date]:
    return (first + timedelta(days=count) for count in range((last - first).days + 1))


def _midnight(day: date) -> int:
    return (day - date(1970, 1, 1)).days * _DAY


@lru_cache(maxsize=256)
def _offsets(zone: str, begin: int, until: int) -> tuple[tuple[int, int, int], ...]:
    """List (from, to, seconds east of UTC) of a zone, in UTC seconds: the offset changes between.

    A wall clock window is open in UTC wherever one of these shows it: never in a spring gap, twice
    in an autumn fold.
    """
    info = ZoneInfo(zone)
    changes = [begin]
    look = int(_LOOK.total_seconds())
    for early in range(begin, until, look):
        late = min(early + look, until)
        if _offset(info, early) != _offset(info, late):
            changes.append(_change_between(info, early, late))
    stops = [*changes[1:], until]
    return tuple(
        (since, to, _offset(info, since)) for since, to in zip(changes, stops, strict=True)
    )


def _change_between(info: ZoneInfo, early: int, late: int) -> int:
    """Find the second at which the offset of a zone changes."""
    before = _offset(info, early)
    while late - early > 1:
        middle = (early + late) // 2
        early, late = (middle, late) if _offset(info, middle) == before else (early, middle)
    return late


def _offset(info: ZoneInfo, seconds: int) -> int:
    offset = datetime.fromtimestamp(seconds, tz=info).utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0


def _merged(intervals: Micros) -> Micros:
    """Sort intervals, drop empty ones, and join those that touch or overlap."""
    kept = intervals[intervals[:, 0] < intervals[:, 1]]
    kept = kept[np.lexsort((kept[:, 1], kept[:, 0]))]
    reach = np.maximum.accumulate(kept[:, 1]) if len(kept) else kept[:, 1]
    is_new = np.r_[True, kept[1:, 0] > reach[:-1]][: len(kept)]
    is_last = np.r_[is_new[1:], True][: len(kept)]
    merged: Micros = np.column_stack([kept[is_new, 0], reach[is_last]])
    return merged


def _by_name(names: Any) -> Iterator[tuple[str, Any]]:
    """Give each calendar's name with the rows that it holds for."""
    codes, found = pd.factorize(names if isinstance(names, pd.Series) else pd.Series(names))
    if len(found) == 1 and codes.min() >= 0:
        yield str(found[0]), slice(None)
        return
    for code, name in enumerate(found):
        yield str(name), np.flatnonzero(codes == code)
    if len(codes) and codes.min() < 0:
        raise KeyError("a row names no calendar")


def _micros(instants: Any) -> Micros:
    values = pd.Series(instants)
    if values.isna().any():
        raise ValueError("an instant is missing; a clock needs a start and an end")
    micros: Micros = values.astype("datetime64[us, UTC]").astype("int64").to_numpy()
    return micros


def _index_of(values: Any) -> pd.Index | None:
    return values.index if isinstance(values, pd.Series) else None
