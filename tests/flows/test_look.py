"""A look between nights asks once for what changed, and for what it knows no more than it must."""

from datetime import timedelta

import pytest

from agreement.errors import VendorUnavailable
from flows.look import Changes, note_delivery, note_done, read_changes, recall
from standins.faults import Fault

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
SEARCH = "POST /crm/v3/objects/{type}/search"
READ = "POST /crm/v3/objects/{type}/batch/read"

# More than a look goes through again: four pages, one each time.
MANY = 700


def set_stage(place, contact, stage, at):
    place.hubspot.set("contacts", contact, {"lifecyclestage": stage}, at=at)


def stages(place):
    return place.live("hubspot", "contact", "lifecyclestage")["lifecyclestage"]


class Day:
    """The day after a night that wrote to every contact a minute after its moment."""

    def __init__(self, place, count: int) -> None:
        self.place = place
        self.delivered = place.now + MINUTE
        self.contacts = [
            place.hubspot.add(
                "contacts",
                {"email": f"p{number}@x.test", "lifecyclestage": "lead"},
                created_at=place.now - DAY,
            )
            for number in range(count)
        ]
        for contact in self.contacts:
            place.hubspot.set("contacts", contact, {"tandem_x": "1"}, at=self.delivered)
        place.pull("hubspot")
        run = place.run()
        note_delivery(run)
        note_done(run, Changes())

    def look(self, *, is_done=True) -> set[str]:
        """Look five minutes later; give the contacts that came."""
        self.place.now += 5 * MINUTE
        run = self.place.run()
        changes = read_changes(run)
        if is_done:
            note_done(run, changes)
        return {record_id for system, record_id in changes.people if system == "hubspot"}


@pytest.fixture
def day(place):
    """Give the day after a night that wrote to more contacts than one look goes through again."""
    place.hubspot.add_property("contacts", "tandem_x", "string", "text")
    return Day(place, MANY)


def test_of_what_the_night_wrote_a_part_is_looked_at_each_time_and_nothing_is_read(place, day):
    for _ in range(5):
        assert day.look() == set()
        calls = place.calls("hubspot")
        assert calls[READ] == 0
        assert calls[SEARCH] <= 1 + 1 + 4  # a page, what is new, and four kinds of engagements


def test_an_edit_that_our_own_write_hid_is_found_though_its_stamp_is_ours(place, day):
    hidden = day.contacts[-1]
    set_stage(place, hidden, "marketingqualifiedlead", day.delivered)
    quarter, pages = 3, 4
    assert hidden in set().union(*(day.look() for _ in range(quarter + pages)))
    assert stages(place)[hidden] == "marketingqualifiedlead"


def test_once_all_was_looked_at_and_the_index_has_caught_up_there_is_one_search(place, day):
    place.now += 80 * MINUTE
    looked = []
    for _ in range(6):
        day.look()
        looked.append(place.calls("hubspot")[SEARCH] - 4)
    assert looked == [2, 2, 2, 2, 1, 1]


def test_an_edit_after_the_night_is_found_by_the_next_look_with_its_history(place, day):
    edited = day.contacts[-1]
    set_stage(place, edited, "marketingqualifiedlead", day.delivered + 2 * MINUTE)
    assert day.look() == {edited}
    history = place.store.history("hubspot", "contact", ["lifecyclestage"])
    assert "marketingqualifiedlead" in set(history.loc[history["record_id"] == edited, "value"])
    assert day.look() == set()


def test_an_edit_that_the_index_shows_an_hour_late_is_found(place, day):
    edited = day.contacts[0]
    place.hubspot.index_lag = 50 * 60 * 1000
    set_stage(place, edited, "marketingqualifiedlead", place.now + 4 * MINUTE)
    assert edited not in day.look()
    place.now += 50 * MINUTE
    assert edited in day.look()


def test_what_a_look_that_died_had_read_is_news_to_the_next_one(place, day):
    edited = day.contacts[0]
    set_stage(place, edited, "marketingqualifiedlead", place.now + 4 * MINUTE)
    assert day.look(is_done=False) == {edited}
    assert edited in day.look()
    assert any("form" in call.path for call in place.hubspot.log)  # a form decides the tier
    assert day.look() == set()
    assert not any("form" in call.path for call in place.hubspot.log)


def test_what_a_look_that_died_had_read_is_news_also_when_it_reached_far_back(place, day):
    edited = day.contacts[0]
    set_stage(place, edited, "marketingqualifiedlead", place.now + 4 * MINUTE)
    place.now += 180 * MINUTE
    assert edited in day.look(is_done=False)
    assert edited in day.look()
    assert day.look() == set()


def test_what_a_night_that_died_had_read_is_news_to_the_next_look(place, day):
    edited = day.contacts[0]
    set_stage(place, edited, "marketingqualifiedlead", place.now + 4 * MINUTE)
    place.now += 5 * MINUTE
    place.pull("hubspot")
    assert edited in day.look()


def test_a_look_that_the_vendor_stops_leaves_the_night_nothing_to_go_on_with(place, day):
    edited = set(day.contacts[:250])  # a page and a half
    for contact in edited:
        set_stage(place, contact, "marketingqualifiedlead", place.now + 4 * MINUTE)
    place.hubspot.faults.plan(Fault(503), template=READ, nth=5, times=2)
    with pytest.raises(VendorUnavailable):
        day.look()
    assert place.hubspot.faults.left == 0
    assert place.store.progress("hubspot", "contact") is None
    assert day.look() == edited


def test_nothing_is_described_that_the_night_described(place):
    place.pull("hubspot")
    place.pull("salesforce")
    run = place.run()
    recall(run)
    assert place.hubspot.log == []
    assert all("describe" not in call.path for call in place.salesforce.log)
