"""Column types that give the same values on SQLite and PostgreSQL, and order text the same way."""

from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import BigInteger, Integer, String, Text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from agreement.frames import Table

# Compared by code point, as Python and SQLite do: a PostgreSQL database may sort by a language.
TEXT = Text().with_variant(Text(collation="C"), "postgresql")

# SQLite numbers rows by itself only for its own INTEGER.
ROW_NUMBER = BigInteger().with_variant(Integer(), "sqlite")

UTC_MICROSECONDS = "datetime64[us, UTC]"

_INSTANT_LENGTH = len("2026-01-02T03:04:05.000006Z")


def sqlite_instant(moment: datetime) -> str:
    """Write an instant as SQLite keeps it: UTC, microseconds, fixed width, so that it sorts."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


class Instant(TypeDecorator[datetime]):
    """A UTC instant with microseconds: ISO text on SQLite, `timestamptz` on PostgreSQL."""

    impl = String(_INSTANT_LENGTH)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the database's own type."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(TIMESTAMP(timezone=True))
        return dialect.type_descriptor(String(_INSTANT_LENGTH))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Refuse a time without a zone: nobody knows which instant it is."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return value.astimezone(UTC) if dialect.name == "postgresql" else sqlite_instant(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Give an aware UTC datetime."""
        if value is None:
            return None
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        return moment.astimezone(UTC)


class Json(TypeDecorator[Any]):
    """A JSON value kept as text with sorted keys, so that equal values are equal text."""

    impl = TEXT
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Write compact JSON."""
        return None if value is None else json_text(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Read it back."""
        return None if value is None else orjson.loads(value)


def types_of(table: type[Table]) -> dict[str, str]:
    """Give the pandas type of each column of a declared frame, in its order."""
    types = {name: str(column.dtype) for name, column in table.to_schema().columns.items()}
    return {name: "str" if dtype.startswith("str") else dtype for name, dtype in types.items()}


def json_text(value: Any) -> str:
    """Write a value as compact JSON with sorted keys; what JSON lacks is written as text."""
    options = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY
    return orjson.dumps(value, default=_plain, option=options).decode()


def _plain(value: Any) -> Any:
    if hasattr(value, "items"):
        return dict(value.items())
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)
