"""The addresses of the REST API and who answers at each."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from standins.salesforce.answers import Answer, Refused, Request, json_answer, not_found
from standins.salesforce.bodies import json_object
from standins.salesforce.bulk import Jobs
from standins.salesforce.collections import Collections
from standins.salesforce.composite import Composite
from standins.salesforce.cursors import Cursors
from standins.salesforce.directory import VERSIONS, Directory
from standins.salesforce.records import Records
from standins.salesforce.tooling import create_custom_field

if TYPE_CHECKING:
    from standins.salesforce.standin import SalesforceStandIn

Handler = Callable[..., Answer]

_DATA = "/services/data/{v}"


class Api:
    """The REST API of one stand-in."""

    def __init__(self, standin: "SalesforceStandIn") -> None:
        self._org = standin.org
        self._routes: dict[tuple[str, int], list[tuple[str, Handler]]] = {}
        directory, cursors = Directory(standin), Cursors(standin)
        composite = Composite(standin.org, self.answer)
        self._open(_directory_routes(directory))
        self._open(_query_routes(cursors))
        self._open(_record_routes(Records(standin.org, standin.rules)))
        self._open(_collection_routes(Collections(standin.org, standin.rules)))
        self._open(_job_routes(standin.jobs))
        self._open(
            {
                f"POST {_DATA}/composite": composite.composite,
                f"POST {_DATA}/tooling/composite": composite.composite,
                f"POST {_DATA}/tooling/sobjects/CustomField": self._create_field,
            }
        )

    def _open(self, table: Mapping[str, Handler]) -> None:
        for template, handler in table.items():
            method, path = template.split(" ")
            self._routes.setdefault((method, path.count("/")), []).append((template, handler))

    def match(self, request: Request) -> tuple[str, Handler, dict[str, str]] | None:
        """Find the template, the work and the variable parts of an address."""
        for template, handler in self._routes.get((request.method, len(request.path)), ()):
            found = _parts(template.split(" ")[1].split("/")[1:], request.path)
            if found is not None:
                return template, handler, found
        return None

    def answer(self, request: Request) -> Answer:
        """Answer a request whose token is good."""
        try:
            matched = self.match(request)
            if matched is None:
                raise self._unknown(request)
            _, handler, parts = matched
            version = parts.get("v", "v66.0")
            if not _is_served(version):
                raise not_found()
            return handler(request, **parts)
        except Refused as refused:
            return refused.as_answer()

    def _unknown(self, request: Request) -> Refused:
        allowed = [
            method
            for (method, size), routes in self._routes.items()
            if size == len(request.path)
            for template, _ in routes
            if _parts(template.split(" ")[1].split("/")[1:], request.path) is not None
        ]
        if not allowed:
            return not_found()
        return Refused(
            "METHOD_NOT_ALLOWED",
            f"HTTP Method '{request.method}' not allowed. Allowed are {','.join(sorted(allowed))}",
            status=405,
        )

    def _create_field(self, request: Request, v: str) -> Answer:
        return json_answer(create_custom_field(self._org, json_object(request.body)), 201)


def _directory_routes(directory: Directory) -> dict[str, Handler]:
    one = f"{_DATA}/sobjects/{{sobject}}"
    return {
        "GET /services/data": directory.versions,
        f"GET {_DATA}": directory.resources,
        f"GET {_DATA}/limits": directory.limits,
        f"GET {_DATA}/limits/recordCount": directory.record_count,
        f"GET {_DATA}/sobjects": directory.objects,
        f"GET {one}": directory.basic,
        f"GET {one}/describe": directory.describe,
        f"GET {one}/updated": directory.updated,
        f"GET {one}/deleted": directory.deleted,
    }


def _query_routes(cursors: Cursors) -> dict[str, Handler]:
    return {
        f"GET {_DATA}/query": cursors.query,
        f"GET {_DATA}/queryAll": partial(cursors.query, with_deleted=True),
        f"GET {_DATA}/query/{{locator}}": cursors.more,
        f"GET {_DATA}/tooling/query": partial(cursors.query, is_tooling=True),
    }


def _record_routes(records: Records) -> dict[str, Handler]:
    one = f"{_DATA}/sobjects/{{sobject}}"
    return {
        f"POST {one}": records.create,
        f"GET {one}/{{id}}": records.retrieve,
        f"PATCH {one}/{{id}}": records.update,
        f"DELETE {one}/{{id}}": records.delete,
        f"GET {one}/{{field}}/{{value}}": records.retrieve_by_key,
        f"PATCH {one}/{{field}}/{{value}}": records.upsert,
    }


def _collection_routes(collections: Collections) -> dict[str, Handler]:
    base = f"{_DATA}/composite/sobjects"
    return {
        f"POST {base}": collections.create,
        f"PATCH {base}": collections.update,
        f"DELETE {base}": collections.delete,
        f"GET {base}/{{sobject}}": collections.retrieve,
        f"POST {base}/{{sobject}}": collections.retrieve,
        f"PATCH {base}/{{sobject}}/{{field}}": collections.upsert,
    }


def _job_routes(jobs: Jobs) -> dict[str, Handler]:
    table: dict[str, Handler] = {}
    for kind in ("query", "ingest"):
        base = f"{_DATA}/jobs/{kind}"
        table[f"GET {base}"] = lambda request, v, kind=kind: jobs.all(kind)
        table[f"POST {base}"] = lambda request, v, kind=kind: jobs.create(
            kind, v, json_object(request.body)
        )
        table[f"GET {base}/{{job}}"] = lambda request, v, job, kind=kind: jobs.look(kind, job)
        table[f"PATCH {base}/{{job}}"] = lambda request, v, job, kind=kind: jobs.set_state(
            kind, job, json_object(request.body).get("state")
        )
        table[f"DELETE {base}/{{job}}"] = lambda request, v, job, kind=kind: jobs.delete(kind, job)
    ingest = f"{_DATA}/jobs/ingest/{{job}}"
    table[f"GET {_DATA}/jobs/query/{{job}}/results"] = lambda request, v, job: jobs.results(
        job, v, request.query
    )
    table[f"PUT {ingest}/batches"] = lambda request, v, job: jobs.upload(
        job, request.headers.get("content-type", ""), request.body
    )
    table[f"GET {ingest}/{{which}}"] = lambda request, v, job, which: jobs.outcome(job, which)
    return table


def _parts(template: Sequence[str], path: Sequence[str]) -> dict[str, str] | None:
    found = {}
    for pattern, part in zip(template, path, strict=True):
        if pattern.startswith("{"):
            found[pattern[1:-1]] = part
        elif pattern != part:
            return None
    return found


def _is_served(version: str) -> bool:
    number = version.removeprefix("v").removesuffix(".0")
    is_number = version == f"v{number}.0" and number.isdigit()
    if is_number and int(number) < VERSIONS.start:
        raise Refused("UNSUPPORTED_API_VERSION", f"{version} is retired", status=410)
    return is_number and int(number) in VERSIONS
