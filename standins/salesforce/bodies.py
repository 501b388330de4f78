"""Request bodies, read with every digit that was sent."""

import json
from decimal import Decimal
from typing import Any

from standins.salesforce.answers import JsonObject, Unreadable


def json_object(body: bytes) -> JsonObject:
    """Read a body that has to be a JSON object.

    Raises:
        Unreadable: it is none.
    """
    try:
        found = json.loads(body, parse_float=Decimal)
    except ValueError:
        raise _no_object("Unexpected character or end of input") from None
    if not isinstance(found, dict):
        raise _no_object("the body must be an object")
    return found


def json_list(value: object, name: str) -> list[JsonObject]:
    """Read a part of a body that has to be a list of objects.

    Raises:
        Unreadable: it is none.
    """
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise _no_object(f"{name} must be a list of objects")
    found: list[dict[str, Any]] = value
    return found


def _no_object(message: str) -> Unreadable:
    return Unreadable("JSON_PARSER_ERROR", message)
