"""HubSpot's property definitions as our fields, and its texts as canonical text."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from agreement.records import FieldInfo, FieldKind, Record, canonical, parse_instant

_KINDS: Mapping[str, FieldKind] = {
    "bool": "boolean",
    "date": "date",
    "datetime": "datetime",
    "enumeration": "enumeration",
    "number": "number",
}
_LONG_TEXT = {"textarea", "html"}

# Type, field type and what else a new property of ours needs.
_NEW: Mapping[FieldKind, Mapping[str, Any]] = {
    "string": {"type": "string", "fieldType": "text"},
    "text": {"type": "string", "fieldType": "textarea"},
    "number": {"type": "number", "fieldType": "number", "numberDisplayHint": "formatted"},
    "boolean": {
        "type": "bool",
        "fieldType": "booleancheckbox",
        "options": [
            {"label": "Yes", "value": "true", "displayOrder": 0, "hidden": False},
            {"label": "No", "value": "false", "displayOrder": 1, "hidden": False},
        ],
    },
    "date": {"type": "date", "fieldType": "date"},
    "datetime": {"type": "datetime", "fieldType": "date"},
    "enumeration": {"type": "enumeration", "fieldType": "select"},
}

# What `canonical` leaves as it is; a leading zero is its business, as in 0.50 and -0.
_PLAIN_NUMBER = re.compile(r"-?[1-9][0-9]*(\.[0-9]*[1-9])?")
_BOOLEANS = frozenset({None, "true", "false"})

# Stage timing properties exist without being listed, so that their type is known by name only.
UNLISTED = "hs_v2_"


def field_info(told: Mapping[str, Any], settled: Collection[str] = ()) -> FieldInfo:
    """Read one property definition; options are given when the list is closed.

    The `settled` properties are calculated from the record's own.
    """
    rights = told.get("modificationMetadata") or {}
    is_calculated = bool(told.get("calculated"))
    kind = _KINDS.get(told.get("type", ""), "string")
    if kind == "string" and told.get("fieldType") in _LONG_TEXT:
        kind = "text"
    is_closed = kind == "enumeration" and not told.get("externalOptions")
    return FieldInfo(
        name=told["name"],
        kind=kind,
        label=told.get("label") or "",
        is_writable=not rights.get("readOnlyValue") and not is_calculated,
        is_calculated=is_calculated,
        follows_record=told["name"] in settled,
        options=tuple(option["value"] for option in told.get("options") or ()) if is_closed else (),
        help=told.get("description") or "",
    )


def new_property(field: FieldInfo, group: str) -> dict[str, Any]:
    """Write the definition of a property to create."""
    told = {
        "name": field.name,
        "label": field.label or field.name,
        "groupName": group,
        "description": field.help,
        "formField": False,
        "hasUniqueValue": False,
        **_NEW[field.kind],
    }
    if field.options:
        told["options"] = [
            {"label": option, "value": option, "displayOrder": place, "hidden": False}
            for place, option in enumerate(field.options)
        ]
    return told


@lru_cache(maxsize=65_536)
def _number(text: str) -> str | None:
    return text if _PLAIN_NUMBER.fullmatch(text) else canonical(text, "number")


@lru_cache(maxsize=65_536)
def _date(text: str) -> str | None:
    return canonical(text, "date")


class _Shape(NamedTuple):
    """The properties that an answer's records bring, and how these differ from the asked ones."""

    names: tuple[str, ...]
    surplus: tuple[str, ...]
    missing: tuple[str, ...]


class Reader:
    """Turns an object's raw records into ours; prepared once per pull, since there are millions."""

    def __init__(self, fields: Iterable[str], described: Mapping[str, FieldInfo]) -> None:
        kinds = {name: kind_of(name, described) for name in fields}
        self.fields: Sequence[str] = tuple(kinds)
        self._described = described
        self._numbers = [name for name, kind in kinds.items() if kind == "number"]
        self._dates = [name for name, kind in kinds.items() if kind == "date"]
        self._instants = [name for name, kind in kinds.items() if kind == "datetime"]
        self._booleans = [name for name, kind in kinds.items() if kind == "boolean"]
        self._shape = _Shape((), (), self.fields)

    def record(self, raw: Mapping[str, Any]) -> Record:
        """Read one record; a property that the answer leaves out is missing.

        The raw record is used up: its properties become the record's values, since to copy them
        would double the cost of a pull.
        """
        values: dict[str, str | None] = raw["properties"]
        self._fit(values)
        if "" in values.values():
            values |= {name: None for name, value in values.items() if value == ""}
        for name in self._numbers:
            if (text := values[name]) is not None:
                values[name] = _number(text)
        for name in self._dates:
            if (text := values[name]) is not None:
                values[name] = _date(text)
        for name in self._instants:
            text = values[name]
            if text is not None and not (len(text) == 24 and text[23] == "Z"):
                values[name] = canonical(text, "datetime")
        for name in self._booleans:
            if (text := values[name]) not in _BOOLEANS:
                values[name] = canonical(text, "boolean")
        return Record(
            raw["id"],
            values,
            created_at=instant(raw.get("createdAt")),
            modified_at=instant(raw.get("updatedAt")),
        )

    def _fit(self, values: dict[str, str | None]) -> None:
        """Drop what was not asked and fill in what did not come; HubSpot always adds some."""
        names = tuple(values)
        shape = self._shape
        # All records of an answer have one shape, so that looking closely is rare.
        if names != shape.names:
            asked, given = set(self.fields), set(names)
            surplus = tuple(name for name in names if name not in asked)
            missing = tuple(name for name in self.fields if name not in given)
            shape = self._shape = _Shape(names, surplus, missing)
        for name in shape.surplus:
            del values[name]
        for name in shape.missing:
            values[name] = None

    def text(self, field: str, value: object) -> str | None:
        """Write one value of any field as canonical text."""
        return canonical(value, kind_of(field, self._described))


def kind_of(name: str, described: Mapping[str, FieldInfo]) -> FieldKind:
    """Give a property's kind, also of those that HubSpot has without listing them."""
    if name in described:
        return described[name].kind
    is_date = name.startswith((UNLISTED + "date_entered_", UNLISTED + "date_exited_"))
    return "datetime" if is_date else "number" if name.startswith(UNLISTED) else "string"


def known(fields: Iterable[str], described: Mapping[str, FieldInfo]) -> list[str]:
    """Keep the fields that the portal has, each once, in order."""
    return [
        name for name in dict.fromkeys(fields) if name in described or name.startswith(UNLISTED)
    ]


def instant(value: object) -> datetime | None:
    """Read an ISO 8601 instant or epoch milliseconds; None when it is neither."""
    if type(value) is str and len(value) == 24 and value[23] == "Z":
        with suppress(ValueError):
            return datetime.fromisoformat(value)
    return None if value is None else parse_instant(str(value))
