"""The endpoints of associations: read, make, end, and their labels."""

import re
from collections.abc import Iterator, Mapping, Sequence

from standins.hubspot.answers import Answer, Json, invalid, malformed, not_found
from standins.hubspot.ask import Ask, Route, batch_answer, cursor, read_cursor, routes, with_fields
from standins.hubspot.associations import AssociationType
from standins.hubspot.objects import found
from standins.hubspot.portal import Portal
from standins.hubspot.records import Record
from standins.hubspot.schema import Kind
from standins.hubspot.values import instant_text

# The client says /crm/v4/associations, the specification of the labels /crm/associations/v4.
PREFIXES = (
    "/crm/v4/associations",
    "/crm/associations/v4",
    "/crm/associations/2026-03",
    "/crm/associations/2026-09",
)
OBJECT_PREFIXES = ("/crm/v4/objects", "/crm/objects/2026-03", "/crm/objects/2026-09")

_READ_BATCH, _WRITE_BATCH = 1000, 2000


class Links:
    """Handlers of `/crm/v4/associations`, of `/crm/v4/objects`, and of their dated successors."""

    def routes(self) -> Iterator[Route]:
        """List the endpoints."""
        yield from routes(
            PREFIXES,
            ("POST", "/{from}/{to}/batch/read", self.batch_read),
            ("POST", "/{from}/{to}/batch/create", self.batch_create),
            ("POST", "/{from}/{to}/batch/associate/default", self.batch_default),
            ("POST", "/{from}/{to}/batch/archive", self.batch_archive),
            ("GET", "/{from}/{to}/labels", self.labels),
            ("POST", "/{from}/{to}/labels", self.create_label),
        )
        yield from routes(
            OBJECT_PREFIXES,
            ("PUT", "/{from}/{id}/associations/default/{to}/{to_id}", self.put_default),
            ("GET", "/{from}/{id}/associations/{to}", self.list_page),
            ("PUT", "/{from}/{id}/associations/{to}/{to_id}", self.put),
            ("DELETE", "/{from}/{id}/associations/{to}/{to_id}", self.archive),
        )

    def batch_read(self, ask: Ask) -> Answer:
        """Give the partners of up to a thousand records.

        One without partners is an error of a 207, which makes 207 the usual answer.
        """
        start, end = _pair(ask, "read")
        results, errors = [], []
        for each in ask.inputs(_READ_BATCH, "id"):
            partners = _partners(ask.portal, start, str(each["id"]), end)
            if partners:
                offset = read_cursor(each.get("after"))
                results.append(_with_page(ask, start, end, str(each["id"]), partners, offset))
            else:
                errors.append(_none_found(start, str(each["id"]), end))
        return batch_answer(_now(ask), results, errors)

    def list_page(self, ask: Ask) -> Answer:
        """Give one page of the partners of one record."""
        start, end = _pair(ask, "read")
        limit = ask.number("limit", ask.portal.association_page, 500)
        partners = _partners(ask.portal, start, ask.path["id"], end)
        return Answer(200, _page(ask, start, end, partners, ask.cursor(), limit, key="results"))

    def batch_create(self, ask: Ask) -> Answer:
        """Associate pairs of records through given types."""
        start, end = _pair(ask, "write")
        results, errors = [], []
        for each in ask.inputs(_WRITE_BATCH, "from", "to", "types"):
            records = _records(ask, start, end, each)
            if isinstance(records, dict):
                errors.append(records)
                continue
            chosen = _types(ask.portal, start, end, each["types"])
            _associate(ask, start, end, records, [one.type_id for one in chosen])
            results.append(_labels_between(start, end, records, chosen))
        return batch_answer(_now(ask), results, errors, status=201)

    def batch_default(self, ask: Ask) -> Answer:
        """Associate pairs of records without a label; harmless when repeated."""
        start, end = _pair(ask, "write")
        results, errors = [], []
        for each in ask.inputs(_WRITE_BATCH, "from", "to"):
            records = _records(ask, start, end, each)
            if isinstance(records, dict):
                errors.append(records)
            else:
                results.append(_default(ask, start, end, records))
        return batch_answer(_now(ask), results, errors)

    def batch_archive(self, ask: Ask) -> Answer:
        """End every association between pairs of records."""
        start, end = _pair(ask, "write")
        for each in ask.inputs(_WRITE_BATCH, "from", "to"):
            if not isinstance(each["to"], list):
                raise malformed("Cannot deserialize to")
            for partner in each["to"]:
                _unlink(ask.portal, start, _id(each["from"]), end, _id(partner))
        return Answer(204)

    def put_default(self, ask: Ask) -> Answer:
        """Associate two records without a label."""
        start, end = _pair(ask, "write")
        records = _two(ask, start, end)
        return batch_answer(_now(ask), [_default(ask, start, end, records)])

    def put(self, ask: Ask) -> Answer:
        """Associate two records through given types."""
        start, end = _pair(ask, "write")
        records = _two(ask, start, end)
        chosen = _types(ask.portal, start, end, ask.json_list())
        _associate(ask, start, end, records, [one.type_id for one in chosen])
        return Answer(201, _labels_between(start, end, records, chosen))

    def archive(self, ask: Ask) -> Answer:
        """End every association between two records."""
        start, end = _pair(ask, "write")
        _unlink(ask.portal, start, ask.path["id"], end, ask.path["to_id"])
        return Answer(204)

    def labels(self, ask: Ask) -> Answer:
        """List the types of a pair of objects."""
        start, end = _pair(ask, "read")
        types = ask.portal.associations.types(start.name, end.name).values()
        return Answer(200, {"results": [_type_json(one) for one in types]})

    def create_label(self, ask: Ask) -> Answer:
        """Define a label of the account's own; both directions come back."""
        start, end = _pair(ask, "write")
        body = ask.json("label", "name")
        name, label = str(body["name"]), str(body["label"])
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise invalid(f"name must be lower case letters, digits and underscores: {name}")
        associations = ask.portal.associations
        there, back = associations.add_label(start.name, end.name, name, label)
        types = [
            associations.types(start.name, end.name)[there],
            associations.types(end.name, start.name)[back],
        ]
        return Answer(200, {"results": [_type_json(one) for one in types]})


def _pair(ask: Ask, deed: str) -> tuple[Kind, Kind]:
    """Read both objects out of the path.

    Raises:
        Refusal: one does not exist, the token may not, or they cannot be associated.
    """
    start, end = ask.kind("from"), ask.kind("to")
    ask.need(f"{start.scope}.{deed}")
    ask.need(f"{end.scope}.{deed}")
    if not ask.portal.associations.types(start.name, end.name):
        raise invalid(f"No association types exist between {start.type_id} and {end.type_id}")
    return start, end


def _partners(portal: Portal, start: Kind, record_id: str, end: Kind) -> Mapping[int, list[int]]:
    """Give the live partners of a record; none when the record is not there."""
    record = found(portal, start, record_id)
    return {} if record is None else portal.partners(start, record, end)


def _with_page(
    ask: Ask, start: Kind, end: Kind, record_id: str, partners: Mapping[int, list[int]], offset: int
) -> Json:
    page = _page(ask, start, end, partners, offset, ask.portal.association_page, key="to")
    return {"from": {"id": record_id}} | page


def _page(
    ask: Ask,
    start: Kind,
    end: Kind,
    partners: Mapping[int, list[int]],
    offset: int,
    limit: int,
    *,
    key: str,
) -> Json:
    types = ask.portal.associations.types(start.name, end.name)
    shown = [
        # A number in recorded answers, though the specification says text.
        {"toObjectId": partner, "associationTypes": [_type_json(types[t]) for t in type_ids]}
        for partner, type_ids in sorted(partners.items())[offset : offset + limit]
    ]
    if offset + limit >= len(partners):
        return {key: shown}
    return {key: shown, "paging": {"next": {"after": cursor(offset + limit)}}}


def _type_json(one: AssociationType) -> Json:
    return {"category": one.category, "typeId": one.type_id, "label": one.label}


def _none_found(start: Kind, record_id: str, end: Kind) -> Json:
    return {
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
        "message": f"No {end.singular} is associated with {start.singular} {record_id}.",
        "context": {
            "fromObjectId": [record_id],
            "fromObjectType": [start.singular],
            "toObjectType": [end.singular],
        },
    }


Two = tuple[Record, Record]


def _records(ask: Ask, start: Kind, end: Kind, raw: Json) -> Two | Json:
    """Find both records of one input, or say which is missing as an item of `errors`."""
    pair = []
    for part, kind in (("from", start), ("to", end)):
        record_id = _id(raw[part])
        record = found(ask.portal, kind, record_id)
        if record is None:
            return {
                "status": "error",
                "category": "OBJECT_NOT_FOUND",
                "message": f"No {kind.singular} with id {record_id} exists.",
                "context": {f"{part}ObjectId": [record_id]},
            }
        pair.append(record)
    return pair[0], pair[1]


def _id(raw: object) -> str:
    if not isinstance(raw, dict):
        raise malformed("Cannot deserialize a record's id")
    return str(with_fields(raw, "id")["id"])


def _two(ask: Ask, start: Kind, end: Kind) -> Two:
    first = found(ask.portal, start, ask.path["id"])
    second = found(ask.portal, end, ask.path["to_id"])
    if first is None or second is None:
        raise not_found()
    return first, second


def _types(portal: Portal, start: Kind, end: Kind, listed: object) -> list[AssociationType]:
    known = portal.associations.types(start.name, end.name)
    chosen = []
    for each in listed if isinstance(listed, list) else [listed]:
        if not isinstance(each, dict):
            raise malformed("Cannot deserialize types")
        type_id = each.get("associationTypeId")
        one = known.get(type_id) if isinstance(type_id, int) else None
        if one is None or one.category != each.get("associationCategory"):
            raise invalid(
                f"No association type {type_id} exists between {start.type_id} and {end.type_id}"
            )
        chosen.append(one)
    if not chosen:
        raise malformed("Some required fields were not set: [types]")
    return chosen


def _associate(ask: Ask, start: Kind, end: Kind, records: Two, types: Sequence[int]) -> None:
    for type_id in types:
        ask.portal.link(start, records[0], end, records[1], type_id, at=ask.portal.clock())


def _default(ask: Ask, start: Kind, end: Kind, records: Two) -> Json:
    type_id = ask.portal.associations.unlabelled(start.name, end.name)
    _associate(ask, start, end, records, [type_id])
    return {
        "from": {"id": str(records[0].id)},
        "to": {"id": str(records[1].id)},
        "associationSpec": {
            "associationCategory": "HUBSPOT_DEFINED",
            "associationTypeId": type_id,
        },
    }


def _labels_between(
    start: Kind, end: Kind, records: Two, chosen: Sequence[AssociationType]
) -> Json:
    return {
        "fromObjectTypeId": start.type_id,
        "fromObjectId": str(records[0].id),
        "toObjectTypeId": end.type_id,
        "toObjectId": str(records[1].id),
        "labels": [one.label for one in chosen if one.label],
    }


def _unlink(portal: Portal, start: Kind, first: str, end: Kind, second: str) -> None:
    one, other = found(portal, start, first), found(portal, end, second)
    if one is not None and other is not None:
        portal.associations.unlink(start.name, one.id, end.name, other.id)


def _now(ask: Ask) -> str:
    return instant_text(ask.portal.clock())
