"""HubSpot's property definitions as our fields, and its texts as canonical text."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from agreement.records import FieldInfo, FieldKind, Record, canonical, parse_instant

Convert = Callable[[str], str | None]

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

# Stage timing properties exist without being listed, so that their type is known by name only.
UNLISTED = "hs_v2_"


def field_info(told: Mapping[str, Any]) -> FieldInfo:
    """Read one property definition; options are given when the list is closed."""
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
    return canonical(text, "number")


def _boolean(text: str) -> str | None:
    return text.lower()


def _instant(text: str) -> str | None:
    # Already canonical: 2026-01-02T03:04:05.678Z
    return text if len(text) == 24 and text[23] == "Z" else canonical(text, "datetime")


def _date(text: str) -> str | None:
    return canonical(text, "date")


# A kind that is not here is text that stays as it is.
_CONVERT: Mapping[FieldKind, Convert] = {
    "number": _number,
    "boolean": _boolean,
    "datetime": _instant,
    "date": _date,
}


class Reader:
    """Turns an object's raw records into ours; prepared once per pull, since there are millions."""

    def __init__(self, fields: Iterable[str], described: Mapping[str, FieldInfo]) -> None:
        kinds = {name: kind_of(name, described) for name in fields}
        self.fields: Sequence[str] = tuple(kinds)
        self._described = described
        self._converts = [
            (name, _CONVERT[kind]) for name, kind in kinds.items() if kind in _CONVERT
        ]

    def record(self, raw: Mapping[str, Any]) -> Record:
        """Read one record; a property that the answer leaves out is missing."""
        # The loops over properties run in C: half of a pull's own cost is here.
        given = list(map(raw["properties"].get, self.fields))
        values: dict[str, str | None] = dict(zip(self.fields, given, strict=True))
        if "" in given:
            values = {name: value or None for name, value in values.items()}
        for name, convert in self._converts:
            value = values[name]
            if value is not None:
                values[name] = convert(value)
        return Record(
            raw["id"],
            values,
            created_at=instant(raw.get("createdAt")),
            modified_at=instant(raw.get("updatedAt")),
        )

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
    return None if value is None else parse_instant(str(value))
