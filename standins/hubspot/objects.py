"""The endpoints of records: list, read, search, write, archive, merge."""

from collections.abc import Iterable, Iterator, Sequence

from standins.hubspot.answers import Answer, Json, invalid, malformed, not_found, refused
from standins.hubspot.ask import Ask, Route, batch_answer, cursor, names_in, routes
from standins.hubspot.portal import Portal
from standins.hubspot.records import Record
from standins.hubspot.schema import Kind
from standins.hubspot.search import Index
from standins.hubspot.values import instant_text
from standins.hubspot.writes import Row, Writer

PREFIXES = ("/crm/v3/objects", "/crm/objects/2026-03", "/crm/objects/2026-09")

_PAGE, _HISTORY_PAGE, _BATCH, _HISTORY_BATCH = 100, 50, 100, 50
_EMAIL_CONTENT = frozenset({"hs_email_text", "hs_email_html", "hs_email_headers"})


class View:
    """Shows records of one object with the properties that a request names.

    Names that the object does not have are passed over; one that has no value is null.
    """

    def __init__(
        self, ask: Ask, kind: Kind, properties: Iterable[str], history: Iterable[str] = ()
    ) -> None:
        portal = self._portal = ask.portal
        self._kind = kind
        names = list(properties) or kind.defaults
        shown = {name for name in names if self._is_shown(ask, name)}
        shown |= {kind.created, kind.modified, "hs_object_id"}
        computed = {name: portal.computed(kind, name) for name in shown}
        self._stored = sorted(name for name, compute in computed.items() if compute is None)
        self._computed = {name: compute for name, compute in computed.items() if compute}
        self._history = [name for name in history if self._is_shown(ask, name)]
        self._has_history = bool(list(history))
        self._url = f"https://app.hubspot.com/contacts/{portal.portal_id}/record/{kind.type_id}/"

    def _is_shown(self, ask: Ask, name: str) -> bool:
        if name in _EMAIL_CONTENT and not ask.has("sales-email-read"):
            return False
        return self._portal.definition(self._kind, name) is not None

    def of(self, record: Record) -> Json:
        """Show one record."""
        values = record.values
        properties = {name: values.get(name) for name in self._stored}
        for name, compute in self._computed.items():
            properties[name] = compute(record)
        shown: Json = {
            "id": str(record.id),
            "properties": properties,
            "createdAt": instant_text(record.created),
            "updatedAt": values[self._kind.modified],
            "archived": record.archived_at is not None,
            "url": f"{self._url}{record.id}",
        }
        if record.archived_at is not None:
            shown["archivedAt"] = instant_text(record.archived_at)
        if self._has_history:
            shown["propertiesWithHistory"] = {
                name: list(self._versions(record, name)) for name in self._history
            }
        return shown

    def _versions(self, record: Record, name: str) -> Iterator[Json]:
        for version in record.history(name)[: self._portal.longest_history]:
            shown: Json = {
                "value": version.value,
                "timestamp": instant_text(version.at),
                "sourceType": version.source,
            }
            if version.source_id is not None:
                shown["sourceId"] = version.source_id
            if version.user_id is not None:
                shown["updatedByUserId"] = version.user_id
            yield shown


class Objects:
    """Handlers of `/crm/v3/objects` and its dated successors."""

    def __init__(self, portal: Portal) -> None:
        self._index = Index(portal)

    def routes(self) -> Iterator[Route]:
        """List the endpoints."""
        return routes(
            PREFIXES,
            ("GET", "/{type}", self.list_page),
            ("POST", "/{type}", self.create),
            ("POST", "/{type}/search", self.search),
            ("POST", "/{type}/batch/read", self.batch_read),
            ("POST", "/{type}/batch/create", self.batch_create),
            ("POST", "/{type}/batch/update", self.batch_update),
            ("POST", "/{type}/batch/upsert", self.batch_upsert),
            ("POST", "/{type}/batch/archive", self.batch_archive),
            ("POST", "/{type}/merge", self.merge),
            ("POST", "/{type}/gdpr-delete", self.gdpr_delete),
            ("GET", "/{type}/{id}", self.read),
            ("PATCH", "/{type}/{id}", self.update),
            ("DELETE", "/{type}/{id}", self.archive),
        )

    # Reading.

    def list_page(self, ask: Ask) -> Answer:
        """Give one page of the live or of the archived records, by id."""
        kind = _readable(ask)
        history = ask.listed("propertiesWithHistory")
        limit = ask.number("limit", 10, _HISTORY_PAGE if history else _PAGE)
        table = ask.portal.tables[kind.name]
        page = table.page(ask.cursor(), limit + 1, is_archived=ask.flag("archived"))
        view = View(ask, kind, ask.listed("properties"), history)
        ends = _ends(ask)
        body: Json = {
            "results": [
                view.of(record) | _associations(ask.portal, kind, record, ends)
                for record in page[:limit]
            ]
        }
        if len(page) > limit:
            after = cursor(page[limit - 1].id)
            link = f"https://api.hubapi.com/crm/v3/objects/{kind.name}?after={after}"
            body["paging"] = {"next": {"after": after, "link": link}}
        return Answer(200, body)

    def read(self, ask: Ask) -> Answer:
        """Give one record, by id, by the id of a record merged into it, or by a unique property."""
        kind = _readable(ask)
        record = self._asked(ask, kind, is_archived=ask.flag("archived"))
        view = View(ask, kind, ask.listed("properties"), ask.listed("propertiesWithHistory"))
        return Answer(200, view.of(record) | _associations(ask.portal, kind, record, _ends(ask)))

    def _asked(self, ask: Ask, kind: Kind, *, is_archived: bool = False) -> Record:
        key = ask.text("idProperty")
        record = found(ask.portal, kind, ask.path["id"], key, is_archived=is_archived)
        if record is None:
            raise not_found()
        return record

    def search(self, ask: Ask) -> Answer:
        """Give one page of the live records that match, without history or associations."""
        kind = _readable(ask)
        body = ask.json()
        page = self._index.search(kind, body)
        view = View(ask, kind, names_in(body, "properties"))
        answer: Json = {
            "total": page.total,
            "results": [view.of(record) for record in page.records],
        }
        if page.after is not None:
            answer["paging"] = {"next": {"after": page.after}}
        return Answer(200, answer)

    def batch_read(self, ask: Ask) -> Answer:
        """Give the records of some ids, in an order of its own; 207 when some are missing."""
        kind = _readable(ask)
        body = ask.json()
        ids = [str(each["id"]) for each in ask.inputs(_BATCH, "id")]
        history = names_in(body, "propertiesWithHistory")
        if history and len(ids) > _HISTORY_BATCH:
            raise invalid(
                "The maximum number of inputs supported in a batch request for property histories "
                f"is {_HISTORY_BATCH}"
            )
        key, is_archived = body.get("idProperty"), ask.flag("archived")
        records = {
            record_id: found(ask.portal, kind, record_id, key, is_archived=is_archived)
            for record_id in ids
        }
        view = View(ask, kind, names_in(body, "properties"), history)
        there = {record.id: record for record in records.values() if record is not None}
        missing = [record_id for record_id, record in records.items() if record is None]
        errors = [_missing(kind, missing)] if missing else []
        results = [view.of(record) for record in scattered(there.values())]
        return batch_answer(_now(ask), results, errors)

    # Writing.

    def create(self, ask: Ask) -> Answer:
        """Create one record, with its associations."""
        kind = _writable(ask)
        writer = Writer(ask.portal, kind)
        row = writer.to_create(ask.json("properties"))
        return Answer(201, self._shown(ask, kind, writer, row))

    def update(self, ask: Ask) -> Answer:
        """Change one record."""
        kind = _writable(ask)
        record = self._asked(ask, kind)
        writer = Writer(ask.portal, kind)
        row = writer.to_update(ask.json("properties"), record)
        return Answer(200, self._shown(ask, kind, writer, row))

    def _shown(self, ask: Ask, kind: Kind, writer: Writer, row: Row) -> Json:
        if row.refusal is not None:
            raise row.refusal
        return View(ask, kind, row.values).of(writer.apply(row))

    def batch_create(self, ask: Ask) -> Answer:
        """Create up to a hundred records."""
        kind = _writable(ask)
        writer = Writer(ask.portal, kind)
        rows = [writer.to_create(each) for each in ask.inputs(_BATCH, "properties")]
        return self._written(ask, kind, writer, rows, status=201)

    def batch_update(self, ask: Ask) -> Answer:
        """Change up to a hundred records."""
        kind = _writable(ask)
        writer = Writer(ask.portal, kind)
        inputs = ask.inputs(_BATCH, "id", "properties")
        keyed = [
            (each, found(ask.portal, kind, str(each["id"]), each.get("idProperty")))
            for each in inputs
        ]
        refuse_duplicates(kind, keyed)
        rows = [writer.to_update(each, record) for each, record in keyed if record is not None]
        missing = [str(each["id"]) for each, record in keyed if record is None]
        return self._written(ask, kind, writer, rows, missing)

    def batch_upsert(self, ask: Ask) -> Answer:
        """Change up to a hundred records found by a unique property, or create them."""
        kind = _writable(ask)
        writer = Writer(ask.portal, kind)
        inputs = ask.inputs(_BATCH, "id", "properties")
        keyed = [
            (each, found(ask.portal, kind, str(each["id"]), each.get("idProperty")))
            for each in inputs
        ]
        refuse_duplicates(kind, keyed)
        rows, missing = [], []
        for each, record in keyed:
            if record is not None or each.get("idProperty"):
                rows.append(writer.to_upsert(each, record))
            else:
                missing.append(str(each["id"]))
        collided = [row.refusal for row in rows if row.refusal and row.refusal.answer.status == 409]
        if collided and ask.portal.is_upsert_conflict_fatal:
            raise collided[0]
        return self._written(ask, kind, writer, rows, missing, is_upsert=True)

    def _written(
        self,
        ask: Ask,
        kind: Kind,
        writer: Writer,
        rows: Sequence[Row],
        missing: Sequence[str] = (),
        *,
        status: int = 200,
        is_upsert: bool = False,
    ) -> Answer:
        """Write the good rows and report the bad ones, or fail as a whole without trace ids."""
        refusals = [row.refusal for row in rows if row.refusal is not None]
        if refusals and not writer.are_traced(rows):
            raise refusals[0]
        results = []
        for row in rows:
            if row.refusal is None:
                is_new = {"new": row.record is None} if is_upsert else {}
                results.append(View(ask, kind, row.values).of(writer.apply(row)) | is_new)
        errors = [row.as_error(row.refusal) for row in rows if row.refusal is not None]
        if missing:
            errors.append(_missing(kind, missing))
        ordered = sorted(results, key=lambda shown: _scatter(int(shown["id"])))
        return batch_answer(_now(ask), ordered, errors, status)

    # Ending.

    def archive(self, ask: Ask) -> Answer:
        """Archive one record; one that is not there is fine too."""
        kind = _writable(ask)
        self._archive(ask, kind, ask.path["id"])
        return Answer(204)

    def batch_archive(self, ask: Ask) -> Answer:
        """Archive up to a hundred records; those that are not there are fine too."""
        kind = _writable(ask)
        for each in ask.inputs(_BATCH, "id"):
            self._archive(ask, kind, str(each["id"]))
        return Answer(204)

    def _archive(self, ask: Ask, kind: Kind, record_id: str) -> None:
        record = found(ask.portal, kind, record_id)
        if record is not None:
            ask.portal.put_away(kind, record, at=ask.portal.clock())

    def merge(self, ask: Ask) -> Answer:
        """Merge two records into a new one."""
        kind = _writable(ask)
        body = ask.json("primaryObjectId", "objectIdToMerge")
        primary = found(ask.portal, kind, str(body["primaryObjectId"]))
        other = found(ask.portal, kind, str(body["objectIdToMerge"]))
        if primary is None or other is None:
            raise not_found()
        if primary is other:
            raise invalid("Cannot merge an object into itself")
        merged = ask.portal.join(kind, primary, other, at=ask.portal.clock())
        return Answer(200, View(ask, kind, ()).of(merged))

    def gdpr_delete(self, ask: Ask) -> Answer:
        """Delete a contact for good; an address that nobody has is only blocked."""
        kind = _writable(ask)
        if kind.name != "contacts":
            raise not_found()
        body = ask.json("objectId")
        key = body.get("idProperty")
        record = found(ask.portal, kind, str(body["objectId"]), key)
        if record is None:
            record = found(ask.portal, kind, str(body["objectId"]), key, is_archived=True)
        if record is None and key is None:
            raise not_found()
        if record is not None:
            ask.portal.purge(kind, record)
        return Answer(204)


def found(
    portal: Portal, kind: Kind, value: str, key: object = None, *, is_archived: bool = False
) -> Record | None:
    """Find a record by id, or by a unique property; e-mails in any case, further ones included.

    Raises:
        Refusal: the property is not unique.
    """
    table = portal.tables[kind.name]
    if key in (None, "hs_object_id"):
        record_id = int(value) if value.isdecimal() else -1
        return table.archived.get(record_id) if is_archived else table.find(record_id)
    if not isinstance(key, str):
        raise malformed("Cannot deserialize idProperty")
    if key not in table.keys:
        what = f"{kind.type_id} property {key}"
        raise invalid(f"Unable to perform update/upsert by non-unique {what}")
    return portal.find_by(kind, key, value)


def refuse_duplicates(kind: Kind, keyed: Sequence[tuple[Json, Record | None]]) -> None:
    """Refuse a batch in which one record stands twice, under whatever id or address.

    Raises:
        Refusal: it does.
    """
    seen: set[object] = set()
    twice = []
    for each, record in keyed:
        name = str(each["id"]).lower()
        if {name, record and record.id} & seen:
            twice.append(str(each["id"]))
        seen |= {name, record.id} if record else {name}
    if twice:
        raise invalid(
            f"Duplicate IDs found in batch input: [{', '.join(twice)}]. IDs must be unique",
            context={"ids": twice},
        )


def scattered(records: Iterable[Record]) -> list[Record]:
    """Order records as if by chance: the vendor keeps no order, so nobody may count on one."""
    return sorted(records, key=lambda record: _scatter(record.id))


def _scatter(record_id: int) -> int:
    return record_id * 2_654_435_761 % (1 << 32)


def _readable(ask: Ask) -> Kind:
    kind = ask.kind()
    ask.need(f"{kind.scope}.read")
    return kind


def _writable(ask: Ask) -> Kind:
    kind = ask.kind()
    ask.need(f"{kind.scope}.write")
    return kind


def _now(ask: Ask) -> str:
    return instant_text(ask.portal.clock())


def _missing(kind: Kind, ids: Sequence[str]) -> Json:
    name = kind.singular.upper()
    return {
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "message": f"Could not get some {name} objects, they may be deleted or not exist. "
        "Check that ids are valid.",
        "context": {"ids": list(ids)},
    }


def _ends(ask: Ask) -> list[Kind]:
    ends = []
    for name in ask.listed("associations"):
        end = ask.portal.kind(name)
        if end is None:
            raise refused(400, None, f"Unable to infer object type from: {name}")
        ends.append(end)
    return ends


def _associations(portal: Portal, kind: Kind, record: Record, ends: Sequence[Kind]) -> Json:
    """Show a record's associations: each partner once per type."""
    shown: Json = {}
    for end in ends:
        types = portal.associations.types(kind.name, end.name)
        partners = portal.partners(kind, record, end)
        results = [
            {"id": str(partner), "type": types[type_id].name}
            for partner, type_ids in partners.items()
            for type_id in sorted(type_ids)
        ]
        if results:
            shown[end.name] = {"results": results}
    return {"associations": shown} if shown else {}
