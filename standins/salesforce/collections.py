"""Records by the list: up to 200 written in one request, with a result for each in its place."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise

from standins.salesforce.answers import (
    Answer,
    JsonObject,
    Refused,
    Request,
    Unreadable,
    json_answer,
)
from standins.salesforce.bodies import json_object
from standins.salesforce.ids import is_id, long_id
from standins.salesforce.org import Org
from standins.salesforce.records import shape_of
from standins.salesforce.schema import Field, SObject
from standins.salesforce.values import from_json
from standins.salesforce.writes import Rules, Writer, external_id, in_rows, writable

_MOST_WRITTEN = 200
_MOST_RETRIEVED = 2000
_MOST_RUNS = 10


class Collections:
    """Answers about lists of records."""

    def __init__(self, org: Org, rules: Rules) -> None:
        self._org, self._rules = org, rules

    def create(self, request: Request, v: str) -> Answer:
        """Create up to 200 records."""
        body = json_object(request.body)
        writer = Writer(self._org, self._rules, request.headers)
        works = []
        for sobject, record in self._typed_rows(body):
            values = writer.read(sobject, record)
            works.append(partial(_inserted, writer, sobject, values))
        return self._results(works, body.get("allOrNone"))

    def update(self, request: Request, v: str) -> Answer:
        """Change up to 200 records."""
        body = json_object(request.body)
        writer, works, seen = Writer(self._org, self._rules, request.headers), [], set[str]()
        for sobject, record in self._typed_rows(body):
            values = writer.read(sobject, record)
            record_id = str(next((x for k, x in record.items() if k.lower() == "id"), ""))
            work = partial(_updated, writer, sobject, record_id, values)
            if record_id and long_id(record_id) in seen:
                work = partial(_twice, record_id)
            works.append(work)
            seen.add(long_id(record_id))
        return self._results(works, body.get("allOrNone"))

    def upsert(self, request: Request, v: str, sobject: str, field: str) -> Answer:
        """Change or create up to 200 records by a key."""
        body, one = json_object(request.body), writable(self._org, sobject)
        key = external_id(self._org, one, field)
        writer, works = Writer(self._org, self._rules, request.headers), []
        for other, record in self._typed_rows(body):
            if other is not one:
                raise Refused("INVALID_TYPE", f"all records must be of type {one.name}")
            values = writer.read(one, record)
            value = next((x for k, x in record.items() if k.lower() == key.name.lower()), None)
            works.append(partial(_upserted, writer, one, key, from_json(key, value), values))
        return self._results(works, body.get("allOrNone"))

    def delete(self, request: Request, v: str) -> Answer:
        """Delete up to 200 records."""
        ids = [one for one in request.query.get("ids", "").split(",") if one]
        _check_size(ids, _MOST_WRITTEN)
        writer = Writer(self._org, self._rules, request.headers)
        is_all = request.query.get("allOrNone", "false").lower() == "true"
        works = [partial(self._deleted_by_id, writer, one) for one in ids]
        return self._results(works, is_all)

    def _deleted_by_id(self, writer: Writer, record_id: str) -> JsonObject:
        kinds = self._org.by_prefix.get(record_id[:3], [])
        if not is_id(record_id) or not kinds:
            raise Refused("MALFORMED_ID", f"malformed id {record_id}")
        return {"id": writer.delete(kinds[0], record_id)}

    def retrieve(self, request: Request, v: str, sobject: str) -> Answer:
        """Give up to 2,000 records by id; null where there is none."""
        one = writable(self._org, sobject)
        if request.method == "POST":
            body = json_object(request.body)
            ids, fields = body.get("ids"), body.get("fields")
        else:
            ids, fields = (request.query.get(word, "").split(",") for word in ("ids", "fields"))
        if not isinstance(ids, list) or not isinstance(fields, list) or not fields:
            raise Refused("REQUIRED_FIELD_MISSING", "ids and fields are required")
        _check_size(ids, _MOST_RETRIEVED)
        shape = shape_of(self._org, one, v, ",".join(map(str, fields)))
        rows = self._org.tables[one.name].rows
        found = [rows.get(long_id(str(record_id))) for record_id in ids]
        return json_answer(
            [shape.show(row) if row and not row.get("IsDeleted") else None for row in found]
        )

    def _typed_rows(self, body: JsonObject) -> list[tuple[SObject, JsonObject]]:
        records = body.get("records")
        if not isinstance(records, list):
            raise Unreadable("REQUIRED_FIELD_MISSING", "records is required", fields=["records"])
        _check_size(records, _MOST_WRITTEN)
        rows = []
        for record in records:
            type_name = (record.get("attributes") or {}).get("type")
            if not isinstance(type_name, str):
                raise Unreadable("INVALID_TYPE", "attributes.type is required in each record")
            sobject = self._org.objects.get(type_name.lower())
            if sobject is None or sobject.is_tooling:
                raise Unreadable("INVALID_TYPE", f"sObject type '{type_name}' is not supported.")
            rows.append((sobject, record))
        runs = 1 + sum(a[0] is not b[0] for a, b in pairwise(rows))
        if runs > _MOST_RUNS:
            raise Unreadable("LIMIT_EXCEEDED", f"records come in more than {_MOST_RUNS} runs")
        return rows

    def _results(self, works: Sequence[Callable[[], JsonObject]], is_all: object) -> Answer:
        return json_answer(in_rows(self._org, works, is_all_or_none=bool(is_all)))


def _check_size(rows: Sequence[object], most: int) -> None:
    if len(rows) > most:
        raise Refused(
            "EXCEEDED_ID_LIMIT",
            f"record limit reached. cannot submit more than {most} records into this call",
        )


def _inserted(writer: Writer, sobject: SObject, values: Mapping[Field, object]) -> JsonObject:
    return {"id": writer.insert(sobject, values)}


def _updated(
    writer: Writer, sobject: SObject, record_id: str, values: Mapping[Field, object]
) -> JsonObject:
    if not record_id:
        raise Refused("MISSING_ARGUMENT", "Id not specified in an update call")
    return {"id": writer.update(sobject, record_id, values)}


def _upserted(
    writer: Writer, sobject: SObject, key: Field, value: object, values: Mapping[Field, object]
) -> JsonObject:
    record_id, is_new = writer.upsert(sobject, key, value, values)
    return {"id": record_id, "created": is_new}


def _twice(record_id: str) -> JsonObject:
    raise Refused("DUPLICATE_VALUE", f"Duplicate id specified: {record_id}", fields=["Id"])
