"""The fault sweep: one fault at one request of a small night, then what is left of it.

A night that meets a fault either ends where an undisturbed one does, or stops with the right error
and the next night ends there. Nothing is lost, nothing is written twice, nothing is created.

`python -m benchmarks.sweep` puts each fault at every single request of three kinds of night; the
tests in `tests/flows` put each fault once at each distinct endpoint.
"""

import multiprocessing
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from agreement.errors import AccessError, TandemError, VendorUnavailable
from connectors.hubspot import HubSpot, unpaced
from connectors.salesforce import Jobs, Salesforce
from connectors.settings import Settings
from connectors.store import Store
from connectors.transport import Budget, Pacer, Road
from flows.night import night
from flows.provision import provision
from flows.run import agreement_in_force, open_run
from standins.faults import Fault, Faults
from standins.hubspot import HubSpotStandIn
from standins.salesforce import SalesforceStandIn
from standins.server import serve
from standins.world import World, build_world
from standins.world.acts import CONNECTED

PEOPLE, SEED = 60, 11

LOGIN = "POST /services/oauth2/token"
UPLOAD = "PUT /services/data/{v}/jobs/ingest/{job}/batches"
BULK_WRITES = (
    "POST /services/data/{v}/jobs/ingest",
    UPLOAD,
    "PATCH /services/data/{v}/jobs/ingest/{job}",
)
WRITES = (
    "POST /crm/v3/objects/{type}/batch/update",
    "PATCH /services/data/{v}/composite/sobjects",
)
# Deleting a job is a courtesy: that it fails stops nothing.
COURTESIES = (
    "DELETE /services/data/{v}/jobs/ingest/{job}",
    "DELETE /services/data/{v}/jobs/query/{job}",
)
# Where a night that follows no lost answer reads records by id, only its check at the end does so:
# everything is written by then, and a vendor that does not answer stops nothing.
CHECKS = (
    "POST /crm/v3/objects/{type}/batch/read",
    "POST /services/data/{v}/composite/sobjects/{sobject}",
)
_READS_BY_POST = ("/search", "/batch/read", "/composite/sobjects/{sobject}", "/jobs/query")

# How often a connector sends one request.
ATTEMPTS = 5

# Longer than the connectors wait in a night with slow answers.
_SLOW_SECONDS, _PATIENCE_SECONDS = 0.9, 0.6

OUR_FIELDS: Mapping[str, tuple[str, Sequence[str]]] = {
    "hubspot": ("tandem_", ("contacts", "companies", "deals")),
    "salesforce": ("Tandem_", ("Lead", "Contact", "Account", "Opportunity", "Campaign")),
}


@dataclass(frozen=True)
class Trouble:
    """A fault with a name: whose it is (None: both vendors'), how often it comes, how it ends.

    `stops` is the error that ends the night; None when the night gets over it.
    """

    name: str
    fault: Fault
    times: int = 1
    system: str | None = None
    stops: type[TandemError] | None = None

    def happens_at(self, template: str) -> bool:
        """Tell whether a request can meet this trouble."""
        if self.system not in (None, system_of(template)):
            return False
        if self.fault.rows:
            return template in WRITES
        return template != LOGIN or self.fault.status not in {400, 401, 403}

    def stops_at(self, template: str) -> type[TandemError] | None:
        """Give the error that ends the night when this trouble is met there."""
        if template in COURTESIES:
            return None
        if template in CHECKS and self.stops is VendorUnavailable:
            return None
        if template == LOGIN and self.fault.is_page and self.fault.status == 200:
            # So does an address that is not a company's own: somebody has to look at the setting.
            return AccessError
        is_refused = self.fault.status in {400, 403}
        if template == UPLOAD and not is_refused and self.fault.status != 401:
            # A job takes one file; whether the first came through is not known.
            return VendorUnavailable
        return self.stops


def _both_ways(name: str, fault: Fault) -> tuple[Trouble, Trouble]:
    return Trouble(name, fault), Trouble(f"{name} afterwards", replace(fault, is_after=True))


# What a vendor or the network gets over within seconds: the night does not stop.
PASSING: tuple[Trouble, ...] = (
    Trouble("429", Fault(429)),
    Trouble("429 with Retry-After", Fault(429, headers={"Retry-After": "0"})),
    *(each for status in (500, 502, 503, 504) for each in _both_ways(str(status), Fault(status))),
    *_both_ways("an HTML page as 500", Fault(500, is_page=True)),
    *_both_ways("an HTML page as 200", Fault(200, is_page=True)),
    *_both_ways("a cut answer", Fault(is_cut=True)),
    *_both_ways("a slow answer", Fault(seconds=_SLOW_SECONDS)),
    Trouble("423", Fault(423), system="hubspot"),
    Trouble("429 of searches", Fault(429, "SECONDLY"), system="hubspot"),
    Trouble("a token that dies", Fault(401), system="salesforce"),
    Trouble("too many at once", Fault(403, "CONCURRENT"), system="salesforce"),
    Trouble("a locked row as 400", Fault(400), system="salesforce"),
    Trouble("a locked row of many", Fault(rows=1), system="salesforce"),
)

# What lasts: the night stops, cleanly, and says who has to act.
LASTING: tuple[Trouble, ...] = (
    Trouble("an outage", Fault(503), times=1000, stops=VendorUnavailable),
    Trouble("a daily limit", Fault(429, "DAILY"), system="hubspot", stops=VendorUnavailable),
    Trouble("a daily limit", Fault(403), system="salesforce", stops=VendorUnavailable),
    Trouble("a revoked token", Fault(401), system="hubspot", stops=AccessError),
)


def system_of(template: str) -> str:
    """Tell whose endpoint it is."""
    return "salesforce" if " /services/" in template else "hubspot"


def is_creation(template: str) -> bool:
    """Tell whether a request could make a record."""
    method, _, path = template.partition(" ")
    is_record = "/objects/" in path or "/sobjects" in path
    is_update = path.endswith("/batch/update")
    return method == "POST" and is_record and not is_update and not path.endswith(_READS_BY_POST)


@cache
def world() -> World:
    """Build the company of all sweeps, once."""
    return build_world(people=PEOPLE, seed=SEED)


@dataclass(frozen=True)
class Ending:
    """How a night ended: the error that stopped it, or its summary."""

    error: TandemError | None
    summary: Mapping[str, Any]


class Company:
    """Both stand-ins with a seeded company at one moment, and nights run against them.

    `now` is the moment of both vendors and of the next night. With `is_bulk` Salesforce is read and
    written by jobs, which the size of this company would not ask for.
    """

    def __init__(
        self,
        hubspot: HubSpotStandIn,
        salesforce: SalesforceStandIn,
        settings: Settings,
        faults: Faults,
        *,
        is_bulk: bool,
    ) -> None:
        self.hubspot, self.salesforce, self.settings = hubspot, salesforce, settings
        self.faults, self.is_bulk = faults, is_bulk
        self.now = world().as_of

    def connect(self, settings: Settings, *, read_seconds: float = 20.0) -> tuple[Any, Any]:
        """Connect to both vendors."""
        return connect_at_once(settings, is_bulk=self.is_bulk, read_seconds=read_seconds)

    def night(self, *, read_seconds: float = 20.0, mode: Any = "apply") -> Ending:
        """Run a night; one of our errors ends it, any other is a bug and is raised."""
        opened: list[HubSpot] = []

        def connect(settings: Settings) -> tuple[Any, Any]:
            hubspot, salesforce = self.connect(settings, read_seconds=read_seconds)
            opened.append(hubspot)
            return hubspot, salesforce

        try:
            with open_run(
                self.settings, as_of=self.now, tell=keep_quiet, connect_by=connect
            ) as run:
                return Ending(None, night(run, mode))
        except TandemError as error:
            return Ending(error, {})
        finally:
            for hubspot in opened:
                hubspot.close()

    def our_values(self) -> dict[tuple[str, str, str], dict[str, Any]]:
        """Give every field of ours in both CRMs, by system, object and record."""
        found = {}
        for standin in (self.hubspot, self.salesforce):
            system = "hubspot" if standin is self.hubspot else "salesforce"
            prefix, kinds = OUR_FIELDS[system]
            for kind in kinds:
                for record_id, values in standin.records(kind).items():
                    ours = {name: value for name, value in values.items() if name[:7] == prefix}
                    found[system, kind, record_id] = ours
        return found

    def requests(self) -> list[str]:
        """List the templates of all requests so far, in order of arrival per vendor."""
        return [call.template for call in (*self.hubspot.log, *self.salesforce.log)]

    def confirmed(self) -> Counter[tuple[str, str]]:
        """Count the records that a CRM took, over all nights, per system and object."""
        with closing(Store.open(self.settings.database_url)) as store:
            runs = store.last_runs(1000)
            return sum((Counter(store.confirmed(run.run_id)) for run in runs), Counter())

    def edit(self, number: int) -> None:
        """Let a day pass, at whose end people change a few records in both CRMs, and call some."""
        self.now += timedelta(days=1)
        at = self.now - timedelta(minutes=5)
        contacts = sorted(self.hubspot.records("contacts"), key=int)
        for record_id in contacts[:5]:
            self.hubspot.set("contacts", record_id, {"jobtitle": f"Head {number}"}, at=at)
        self._call(contacts[number % len(contacts)], at)
        for kind, name, value in (
            ("Lead", "Title", f"Head {number}"),
            ("Opportunity", "Amount", 1000 * (number + 1)),
        ):
            for record_id in sorted(self.salesforce.records(kind))[:5]:
                self.salesforce.set(kind, record_id, {name: value}, at=at)

    def _call(self, contact_id: str, at: datetime) -> None:
        call_id = self.hubspot.add(
            "calls",
            {
                "hs_call_title": "Call",
                "hs_call_direction": "OUTBOUND",
                "hs_call_status": "COMPLETED",
                "hs_call_disposition": CONNECTED,
                "hs_call_duration": "60000",
                "hs_timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "hubspot_owner_id": next(iter(self.hubspot.owners)),
                "hs_object_source": "CRM_UI",
            },
            created_at=at,
        )
        self.hubspot.associate("calls", call_id, "contacts", contact_id)


def connect_at_once(
    settings: Settings, *, is_bulk: bool = False, read_seconds: float = 20.0
) -> tuple[HubSpot, Salesforce]:
    """Connect without pace and without sleep: the other side is a stand-in."""
    url, token = settings.hubspot_access()
    timeout = (5.0, read_seconds)
    hubspot = HubSpot(url, token, pacers=unpaced(), sleep=_no_sleep, timeout=timeout)
    road = Road(Budget("salesforce"), {"all": Pacer(None, 1)}, sleep=_no_sleep)
    jobs = Jobs(sleep=_no_sleep)
    if is_bulk:
        jobs = replace(jobs, above_rows=20, write_above=10)
    return hubspot, Salesforce.from_settings(settings, road=road, jobs=jobs, timeout=timeout)


def _no_sleep(seconds: float) -> None:
    """Go on at once."""


def keep_quiet(route: str, key: str, text: str, addresses: Sequence[SecretStr]) -> None:
    """Take an alert and say nothing."""


@contextmanager
def serve_company(
    folder: Path, *, is_bulk: bool = False, faults: Faults | None = None
) -> Iterator[Company]:
    """Serve the company with our fields provisioned; its database is in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    company: Company | None = None

    def now() -> datetime:
        return company.now if company else world().as_of

    hubspot, salesforce = HubSpotStandIn(now=now), SalesforceStandIn(now=now)
    faults = hubspot.faults = salesforce.faults = faults or Faults()
    world().load(hubspot, salesforce)
    with serve(hubspot.app()) as hubspot_url, serve(salesforce.app()) as salesforce_url:
        settings = Settings(
            _env_file=None,
            tandem_database_url=SecretStr(f"sqlite:///{folder / 'tandem.db'}"),
            hubspot_access_token=SecretStr("standin-token"),
            hubspot_base_url=hubspot_url,
            salesforce_login_url=salesforce_url,
            salesforce_client_id="standin-client",
            salesforce_client_secret=SecretStr("standin-secret"),
        )
        company = Company(hubspot, salesforce, settings, faults, is_bulk=is_bulk)
        crms = company.connect(settings)
        provision(crms, agreement_in_force(settings), is_applied=True)
        crms[0].close()
        hubspot.log.clear()
        salesforce.log.clear()
        yield company


@dataclass(frozen=True)
class Undisturbed:
    """What a night does that meets no fault: the state it leaves and the requests it takes."""

    values: Mapping[tuple[str, str, str], Mapping[str, Any]]
    pulled: Any
    confirmed: Counter[tuple[str, str]]
    requests: Counter[str]


def watch_undisturbed(folder: Path, *, is_bulk: bool = False) -> Undisturbed:
    """Run the first night of a company that meets no fault.

    Raises:
        TandemError: it stopped all the same.
    """
    with serve_company(folder, is_bulk=is_bulk) as company:
        return witness(company, company.night())


def witness(company: Company, ending: Ending) -> Undisturbed:
    """Note what a night left behind.

    Raises:
        TandemError: the one that stopped it.
    """
    if ending.error is not None:
        raise ending.error
    return Undisturbed(
        company.our_values(),
        ending.summary["pulled"],
        company.confirmed(),
        Counter(company.requests()),
    )


@dataclass(frozen=True)
class Point:
    """One trouble at one request: the `nth` of its template in a night."""

    trouble: Trouble
    template: str
    nth: int = 1

    def __str__(self) -> str:
        return f"{self.trouble.name} at {self.template} #{self.nth}"


def meet(company: Company, points: Sequence[Point]) -> Iterator[str]:
    """Run a night that meets troubles, and the next one if it stopped; yield what went wrong.

    Several troubles at once are for those that a night gets over.
    """
    read_seconds = _PATIENCE_SECONDS if any(p.trouble.fault.seconds for p in points) else 20.0
    for point in points:
        company.faults.plan(
            point.trouble.fault, template=point.template, nth=point.nth, times=point.trouble.times
        )
    met = company.faults.met
    ending = company.night(read_seconds=read_seconds)
    stops = [stop for point in points if (stop := point.trouble.stops_at(point.template))]
    if points and company.faults.met == met:
        yield "the fault was not met"
    if stops and type(ending.error) is not stops[0]:
        yield f"the night ended with {ending.error!r}, not {stops[0].__name__}"
    if not stops and ending.error is not None:
        yield f"the night stopped: {ending.error!r}"
    company.faults.clear()
    if ending.error is not None:
        following = company.night()
        if following.error is not None:
            yield f"the next night stopped too: {following.error!r}"


def differences(company: Company, points: Sequence[Point], twin: Undisturbed) -> Iterator[str]:
    """Yield in what a company that met troubles differs from its undisturbed twin."""
    values = company.our_values()
    if values.keys() != twin.values.keys():
        yield "records were created or lost"
    wrong = [key for key, fields in twin.values.items() if values.get(key) != fields]
    if wrong:
        yield f"{len(wrong)} records hold other values, first {wrong[0]}"
    if company.confirmed() != twin.confirmed:
        yield f"confirmed {dict(company.confirmed())}, not {dict(twin.confirmed)}"
    requests = Counter(company.requests())
    if created := [template for template in requests if is_creation(template)]:
        yield f"something was created: {created}"
    # A job that ends badly is sent again, as far as its rows are found unwritten: by another job
    # or, when few are left, by a list.
    is_job_lost = any("/jobs/" in p.template and p.trouble.stops_at(p.template) for p in points)
    spare = {UPLOAD: int(is_job_lost), WRITES[1]: int(is_job_lost)}
    for template in (*WRITES, UPLOAD):
        met = sum(min(p.trouble.times, ATTEMPTS) for p in points if p.template == template)
        extra = requests[template] - twin.requests[template]
        if not 0 <= extra <= met + spare.get(template, 0):
            yield f"{extra} requests more than undisturbed, of which {met} faults: {template}"


def try_point(folder: Path, point: Point, twin: Undisturbed, *, is_bulk: bool = False) -> list[str]:
    """Put one trouble at one request of a first night; list what went wrong."""
    return try_points(folder, [point], twin, is_bulk=is_bulk)


def try_points(
    folder: Path, points: Sequence[Point], twin: Undisturbed, *, is_bulk: bool = False
) -> list[str]:
    """Put troubles at several requests of one first night; list what went wrong."""
    with serve_company(folder, is_bulk=is_bulk) as company:
        wrong = [*meet(company, points), *differences(company, points, twin)]
    return [f"{', '.join(map(str, points[:3]))}: {each}" for each in wrong]


class Twins:
    """A company that meets troubles day after day, and its twin that meets none.

    Both begin with an undisturbed night; each day people change the same records in both.
    """

    def __init__(self, troubled: Company, quiet: Company) -> None:
        self.troubled, self.quiet, self._days = troubled, quiet, 0
        for company in (troubled, quiet):
            witness(company, company.night())

    def try_day(self, points: Sequence[Point], *, lost: Point | None = None) -> list[str]:
        """Let a day pass and its night meet troubles; list what went wrong.

        With `lost` a night before that one dies of it, so that this one settles what was sent.
        """
        self._days += 1
        for company in (self.troubled, self.quiet):
            company.edit(self._days)
            company.hubspot.log.clear()
            company.salesforce.log.clear()
        before = self.troubled.confirmed() - self.quiet.confirmed()
        if lost is not None:
            self._lose(lost)
        wrong = list(meet(self.troubled, points))
        twin = witness(self.quiet, self.quiet.night())
        expected = replace(twin, confirmed=twin.confirmed + before)
        wrong += differences(self.troubled, [*points, *([lost] if lost else [])], expected)
        return [f"{', '.join(map(str, points[:3]))}: {each}" for each in wrong]

    def _lose(self, lost: Point) -> None:
        trouble = lost.trouble
        self.troubled.faults.plan(trouble.fault, template=lost.template, times=trouble.times)
        self.troubled.night()
        self.troubled.faults.clear()

    def requests_of_a_day(self) -> Counter[str]:
        """Count the requests of a day's undisturbed night, per template."""
        self.try_day(())
        return Counter(self.quiet.requests())


@contextmanager
def serve_twins(folder: Path, *, is_bulk: bool = False) -> Iterator[Twins]:
    """Serve two companies of the same seed that have had their first night."""
    with (
        serve_company(folder / "troubled", is_bulk=is_bulk) as troubled,
        serve_company(folder / "quiet", is_bulk=is_bulk) as quiet,
    ):
        yield Twins(troubled, quiet)


# A worker watches an undisturbed night of its own before each of these.
_CHUNK = 25


def every_point(undisturbed: Undisturbed) -> list[Point]:
    """List each trouble at every single request of a night."""
    return [
        Point(trouble, template, nth)
        for template, count in sorted(undisturbed.requests.items())
        for nth in range(1, count + 1)
        for trouble in (*PASSING, *LASTING)
        if trouble.happens_at(template)
    ]


def try_chunk(points: Sequence[Point], is_bulk: bool) -> list[str]:
    """Try points one by one, each in a company of its own; list what went wrong."""
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        twin = watch_undisturbed(Path(folder) / "twin", is_bulk=is_bulk)
        for place, point in enumerate(points):
            wrong += try_point(Path(folder) / str(place), point, twin, is_bulk=is_bulk)
    return wrong


def main() -> int:
    """Sweep every request of a first night, without and with bulk jobs; hours on two cores."""
    started = time.perf_counter()
    done, wrong = 0, 0
    # Spawned: a copy of this process would hold locks of threads that it does not have.
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=spawned) as pool:
        for is_bulk in (False, True):
            with tempfile.TemporaryDirectory() as folder:
                points = every_point(watch_undisturbed(Path(folder), is_bulk=is_bulk))
            chunks = [points[start : start + _CHUNK] for start in range(0, len(points), _CHUNK)]
            print(f"{len(points):,} points {'with' if is_bulk else 'without'} jobs", flush=True)
            for chunk, found in zip(
                chunks, pool.map(try_chunk, chunks, [is_bulk] * len(chunks)), strict=True
            ):
                done, wrong = done + len(chunk), wrong + len(found)
                print(*found, f"{done:,} points, {wrong} wrong", sep="\n", flush=True)
    print(f"{done:,} points in {time.perf_counter() - started:,.0f} s, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
