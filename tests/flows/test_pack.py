"""What both teams read on Monday: of a good week, a bad one, and one in which nothing happened."""

from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agreement import frames
from agreement.errors import Busy, VendorUnavailable
from connectors.pack_page import finance_text, pack_text, write_pages
from connectors.store import Store
from flows.pack import read_pack, send_pack, thank_view, without_names, worded
from flows.reading import open_reading
from tests import builders
from tests.builders import AGREEMENT, build
from tests.flows.small import serve_small
from transforms.pack import Decision, Facts
from transforms.thanks import thank_yous
from transforms.weeks import last_week

GOLDEN = Path(__file__).parents[1] / "golden"
MONDAY = datetime(2026, 11, 16, 12, tzinfo=UTC)
PROMISED = {
    "volume": ("count", 300),
    "acceptance": ("share", 600_000),
    "completeness": ("share", 950_000),
    "source OFFLINE": ("share", 400_000),
    "recycled": ("share", 950_000),
}
NAMES = {"005A": "Ann Example"}


def promises(**actual):
    return build(
        frames.Promises,
        [
            {
                "promise": promise,
                "period": "2026-Q4",
                "unit": unit,
                "promised": promised,
                "actual": actual.get(promise.split()[0]),
                "pace": actual.get(promise.split()[0]),
                "counted": 0 if actual.get(promise.split()[0]) is None else 40,
            }
            for promise, (unit, promised) in PROMISED.items()
        ],
    )


def handoff(number, day, **told):
    """Give a handoff that started on a day of November at 9:00 and was due a day later."""
    start = f"2026-11-{day:02}T14:00Z"
    return {
        "handoff_id": f"p{number}:1",
        "person_id": f"p{number}",
        "record_kind": "lead",
        "record_id": f"00Q{number}",
        "contact_id": str(number),
        "team": "Sales EMEA",
        "mql_at": start,
        "started_at": start,
        "due_at": f"2026-11-{day + 1:02}T14:00Z",
        **told,
    }


def touched(number, day, seconds, **told):
    return handoff(
        number,
        day,
        touched_at=f"2026-11-{day:02}T16:00Z",
        evidence_id=f"call{number}",
        working_seconds=seconds,
        **{"status": "on_time", "answer": "accepted"} | told,
        answered_at=f"2026-11-{day:02}T17:00Z",
    )


def facts(status=(), missing=0, found=0, asked=(), won=(), **actual):
    mqls = [
        {"person_id": f"p{number}", "record_id": str(number), "mql_at": "2026-11-10T14:00Z"}
        for number in range(missing + found)
    ]
    bridge = [
        {
            "record_id": row["record_id"],
            "person_id": row["person_id"],
            "mql_at": row["mql_at"],
            "bridge_class": "missing" if number < missing else "linked",
            "rule": "no owner" if number < missing else "email",
            "detail": "",
        }
        for number, row in enumerate(mqls)
    ]
    credits = [
        {
            "model": "linear",
            "deal_id": deal["deal_id"],
            "touch_id": f"t{team}",
            "channel": channel,
            "team": team,
            "weight": share / 100,
            "credit_minor": deal["company_minor"] * share // 100,
            "credit_deal_minor": deal["company_minor"] * share // 100,
        }
        for deal in won
        for team, channel, share in (("marketing", "form", 40), ("sales", "call", 60))
    ]
    attained = [
        {
            "period": "2026-Q4",
            "handoff_id": "p1:1",
            "person_id": "p1",
            **{name: deal[name] for name in ("deal_id", "record_id", "company_minor")},
            "is_blank": False,
        }
        for deal in won
    ]
    return Facts(
        mqls=builders.mqls(*mqls),
        status=builders.handoff_status(*status),
        bridge=build(frames.Bridge, bridge),
        promises=promises(**actual),
        questions=build(frames.Questions, asked),
        deals=builders.deals(*won),
        attained=build(frames.AttainedDeals, attained),
        shared_credits=build(frames.Credits, credits),
        terms=None,
    )


WON = {
    "deal_id": "d1",
    "record_id": "006A",
    "amount_minor": 5_000_000,
    "company_minor": 5_000_000,
    "created_at": "2026-11-03T12:00Z",
    "closed_at": "2026-11-12T12:00Z",
    "closed_on": "2026-11-12",
}
THANKS = [
    {
        "deal_id": "d1",
        "record_id": "006A",
        "touched_at": "2026-11-05T12:00Z",
        "credit_minor": credit,
        "team": team,
        "touch_id": f"t{team}",
        "channel": channel,
        **who,
    }
    for team, channel, credit, who in (
        ("marketing", "form", 2_000_000, {"asset": "Pricing guide"}),
        ("sales", "call", 3_000_000, {"user_id": "005A"}),
    )
]
GOOD = facts(
    status=[
        *(touched(number, 9 + number % 4, 600 * number) for number in range(1, 7)),
        touched(7, 10, 900, answer="rejected", answer_reason="No budget"),
    ],
    found=8,
    won=[WON],
    volume=320,
    acceptance=850_000,
    completeness=975_000,
    source=200_000,
    recycled=1_000_000,
)
BAD = facts(
    status=[
        touched(1, 9, 600),
        touched(2, 10, 7_200, answer="rejected"),
        touched(3, 10, 172_800, status="late", is_breached=True, cause="touched_late"),
        *(
            handoff(
                number,
                9,
                status="late",
                is_breached=True,
                cause="never_touched",
                working_seconds=144_000 + number,
            )
            for number in range(4, 8)
        ),
        handoff(8, 11, relief="below_criteria", status="relieved"),
    ],
    missing=3,
    found=5,
    asked=[
        {
            "question_id": "q1",
            "kind": "owner_swap",
            "subject_id": "p3:1",
            "record_id": "00Q3",
            "at": "2026-11-11T15:00Z",
            "seconds": 600,
            "question": "lead 00Q3 changed its owner 10 min before its limit: what was behind it?",
        }
    ],
    volume=120,
    acceptance=500_000,
    completeness=940_000,
    source=450_000,
    recycled=None,
)
BEFORE = [
    Decision(
        key="found",
        owner="operations",
        ask="Decide who brings the missing MQLs to Salesforce (tandem bridge lists them)",
        what="new MQLs accounted for",
        unit="ppm",
        agreed=950_000,
        actual=500_000,
        why=None,
    )
]


def view(told, before=(), thanked=(), names=None):
    return worded(told, AGREEMENT, MONDAY, before, "USD") | {
        "thanks": [
            thank_view(each, names or {}) for each in thank_yous(build(frames.Thanks, thanked))
        ],
        "alignment": {
            "stage": "defined",
            "quarter": "2026-Q4",
            "evidence": "defined",
            "opinion": "aligned",
            "answers_of": "2026-Q4",
            "checks": [],
            "history": [],
            "next_step": "Write down a reason with every rejection",
        },
        "finance": {
            "tie_out": {
                span: {
                    "booked_minor": sum(told.deals["company_minor"]),
                    "explained_minor": sum(told.shared_credits["credit_minor"]),
                    "unknown_minor": 0,
                }
                for span in ("quarter", "year")
            },
            "rewards": [],
            "won": [
                {"record_id": "006A", "closed_on": "2026-11-12", "company_minor": minor,
                 "is_blank": False}
                for minor in told.deals["company_minor"]
            ],
            "months": [],
            "rates": [],
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("week", "given"),
    [
        ("good", {"told": GOOD, "thanked": THANKS, "names": NAMES, "before": BEFORE}),
        ("bad", {"told": BAD, "before": BEFORE}),
        ("empty", {"told": facts()}),
    ],
)
def test_the_pack_of_a_week_reads_as_agreed(week, given):
    found = view(**given)
    text = pack_text(found) + "\n" + finance_text(found)
    assert text == (GOLDEN / f"pack_{week}.txt").read_text("utf-8")


def test_a_good_and_an_empty_week_need_no_meeting_and_a_bad_one_no_more_than_three_decisions():
    assert not view(GOOD)["is_needed"]
    assert not view(facts())["is_needed"]
    bad = view(BAD)
    assert len(bad["decisions"]) == 3
    assert bad["waiting_count"] > 0
    assert all(each["owner"] for each in bad["decisions"])


def test_who_is_thanked_is_named_only_where_names_are_wanted(tmp_path):
    for names, is_named in ((NAMES, True), (None, False)):
        pages = write_pages(view(GOOD, thanked=THANKS, names=names), tmp_path)
        texts = "".join(page.read_text("utf-8") for page in pages)
        assert ("Ann Example" in texts) is is_named
        assert "Pricing guide" in texts


def test_a_pack_shown_without_names_thanks_the_same_by_id():
    named = view(GOOD, thanked=THANKS, names=NAMES)
    text = pack_text(without_names(named))
    assert "Ann Example" not in text
    assert "user 005A" in text
    assert pack_text(named).count("won deal,") == text.count("won deal,") == 2


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """Settings of a store after one night; the CRMs are gone."""
    with serve_small(tmp_path_factory.mktemp("office")) as small:
        small.night()
        return small.settings


class Route:
    """Takes messages, or refuses them while it is down."""

    def __init__(self) -> None:
        self.is_down = False
        self.texts: list[str] = []

    def __call__(self, _route, _key, text, _addresses) -> None:
        if self.is_down:
            raise VendorUnavailable("terminal", "no answer")
        self.texts.append(text)


def test_a_pack_is_sent_once_a_week_also_after_a_route_was_down(settings):
    route = Route()
    route.is_down = True
    said = []
    for is_down in (True, False, False):
        route.is_down = is_down
        with open_reading(settings) as reading:
            said.append(send_pack(reading, read_pack(reading), MONDAY, route))
    assert [(each["sent"], each["waiting"]) for each in said] == [(0, 2), (2, 0), (0, 0)]
    assert sorted(text.split(":")[0] for text in route.texts) == [
        "Tandem",
        "Tandem for finance and delivery",
    ]


def test_a_pack_is_not_sent_beside_a_run_which_would_send_it_too(settings):
    route = Route()
    with (
        closing(Store.open(settings.database_url)) as watch,
        watch.hold_lock(),
        open_reading(settings) as reading,
        pytest.raises(Busy),
    ):
        send_pack(reading, {"first": MONDAY, "decisions": []}, MONDAY, route)
    assert route.texts == []


def test_what_was_asked_is_followed_up_by_the_pack_of_the_week_after(settings):
    asked = {"decisions": [asdict(each) for each in BEFORE]}
    with open_reading(settings) as reading:
        week = last_week(reading.as_of, reading.agreement.calendar.zone)
        reading.store.keep_pack("", week.before.first.isoformat(), asked, as_of=reading.as_of)
        (followed,) = read_pack(reading)["followed"]
    assert (followed["key"], followed["state"]) == ("found", "nothing to count")
