"""Records one at a time: read, created, changed, deleted, by id or by key."""

from collections.abc import Sequence

from standins.salesforce.answers import Answer, Refused, Request, json_answer, not_found
from standins.salesforce.bodies import json_object
from standins.salesforce.ids import is_id, long_id
from standins.salesforce.org import Org
from standins.salesforce.schema import SObject
from standins.salesforce.scope import Scope
from standins.salesforce.shape import Shape
from standins.salesforce.soql import Path
from standins.salesforce.tables import Row
from standins.salesforce.values import from_json
from standins.salesforce.writes import Rules, Writer, external_id, writable


class Records:
    """Answers about single records."""

    def __init__(self, org: Org, rules: Rules) -> None:
        self._org, self._rules = org, rules

    def create(self, request: Request, v: str, sobject: str) -> Answer:
        """Create a record."""
        one, writer = writable(self._org, sobject), self._writer(request)
        record_id = writer.insert(one, writer.read(one, json_object(request.body)))
        return json_answer({"id": record_id, "success": True, "errors": []}, 201)

    def retrieve(self, request: Request, v: str, sobject: str, id: str) -> Answer:
        """Give a record, or some of its fields."""
        one = writable(self._org, sobject)
        row = self._row(one, id)
        return json_answer(shape_of(self._org, one, v, request.query.get("fields")).show(row))

    def retrieve_by_key(
        self, request: Request, v: str, sobject: str, field: str, value: str
    ) -> Answer:
        """Give the record that holds a key."""
        one = writable(self._org, sobject)
        key = external_id(self._org, one, field)
        ids = self._writer(request).live_ids(one, key.name, value)
        if not ids:
            raise not_found()
        if len(ids) > 1:
            return self._choices(one, v, ids)
        return json_answer(shape_of(self._org, one, v, None).show(self._row(one, ids[0])))

    def update(self, request: Request, v: str, sobject: str, id: str) -> Answer:
        """Change a record."""
        one, writer = writable(self._org, sobject), self._writer(request)
        values = writer.read(one, json_object(request.body))
        self._row(one, id)
        writer.update(one, id, values)
        return Answer(204)

    def delete(self, request: Request, v: str, sobject: str, id: str) -> Answer:
        """Delete a record."""
        one = writable(self._org, sobject)
        self._row(one, id)
        self._writer(request).delete(one, id)
        return Answer(204)

    def upsert(self, request: Request, v: str, sobject: str, field: str, value: str) -> Answer:
        """Change the record that holds a key, or create it."""
        one, writer = writable(self._org, sobject), self._writer(request)
        key = external_id(self._org, one, field)
        body = json_object(request.body)
        if any(name.lower() == key.name.lower() for name in body):
            raise Refused(
                "INVALID_FIELD",
                f"The {key.name} field should not be specified in the sobject data.",
            )
        values = writer.read(one, body)
        ids = writer.live_ids(one, key.name, value)
        if len(ids) > 1:
            return self._choices(one, v, ids)
        if not ids and request.query.get("updateOnly", "").lower() == "true":
            raise not_found()
        record_id, is_new = writer.upsert(one, key, from_json(key, value), values)
        said = {"id": record_id, "success": True, "errors": [], "created": is_new}
        return json_answer(said, 201 if is_new else 200)

    def _choices(self, sobject: SObject, version: str, ids: Sequence[str]) -> Answer:
        base = f"/services/data/{version}/sobjects/{sobject.name}"
        return json_answer([f"{base}/{one}" for one in ids], 300)

    def _row(self, sobject: SObject, record_id: str) -> Row:
        table = self._org.tables[sobject.name]
        row = table.rows.get(long_id(record_id))
        if (row and row.get("IsDeleted")) or (not row and long_id(record_id) in table.deleted_at):
            raise Refused("ENTITY_IS_DELETED", "entity is deleted", status=404)
        if row is None:
            if not is_id(record_id):
                raise Refused("NOT_FOUND", "Provided external ID field does not exist or is not "
                              f"accessible: {record_id}", status=404)  # fmt: skip
            raise not_found()
        return row

    def _writer(self, request: Request) -> Writer:
        return Writer(self._org, self._rules, request.headers)


def shape_of(org: Org, sobject: SObject, version: str, fields: str | None) -> Shape:
    """Give the shape of the fields named in a list with commas; of all of them without a list."""
    scope = Scope(org, sobject)
    shape = Shape(scope, version)
    names = [one.name for one in scope.fields.values()]
    for name in [name.strip() for name in fields.split(",")] if fields else names:
        shape.add(Path(tuple(name.split("."))))
    return shape
