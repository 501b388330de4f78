import threading
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agreement.errors import BadInput, VendorRejected, VendorUnavailable
from connectors.transport import Again, Budget, Pacer, Road, check_url, is_loopback


class Clock:
    """A clock that moves only when somebody sleeps on it."""

    def __init__(self):
        self.now, self.slept = 1000.0, []

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


def failing(*errors):
    """Give a request that fails in these ways, one after the other, and then works."""
    left = list(errors)

    def send():
        if left:
            raise left.pop(0)
        return "done"

    return send


def busy(**how):
    return Again(VendorUnavailable("CRM", "busy"), **how)


def road(clock, *, limit=None, pacer=None, attempts=5):
    pacers = {"all": pacer or Pacer(None, 1)}
    return Road(Budget("CRM", limit), pacers, attempts=attempts, sleep=clock.sleep)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.hubapi.com",
        "http://127.0.0.1:8080",
        "http://localhost:1",
        "http://[::1]:9",
        "https://example.com:8443/base",
    ],
)
def test_https_anywhere_and_plain_http_on_this_machine_are_accepted(url):
    assert check_url("HUBSPOT_BASE_URL", url + "/") == url


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "http://127.0.0.1.example.com",
        "http://10.0.0.1",
        "http://localhost.example.com",
        "ftp://example.com",
        "example.com",
        "https://",
        "https://[::1",
        "http://user:secret@example.com",
        "https://example.com:99999",
        "",
    ],
)
def test_any_other_address_is_refused_without_being_repeated(url):
    with pytest.raises(BadInput, match="HUBSPOT_BASE_URL") as caught:
        check_url("HUBSPOT_BASE_URL", url)
    assert "secret" not in str(caught.value)


def test_no_host_is_not_this_machine():
    assert not is_loopback(None)


@given(
    count=st.integers(1, 20),
    seconds=st.floats(0.1, 10),
    pauses=st.lists(st.floats(0, 3), max_size=100),
)
def test_no_span_of_the_limit_holds_more_requests_than_it_allows(count, seconds, pauses):
    clock = Clock()
    pacer = Pacer(count, seconds, monotonic=clock.monotonic, sleep=clock.sleep)
    passed = []
    for pause in pauses:
        clock.now += pause
        pacer.wait()
        passed.append(clock.now)
    for first, later in zip(passed, passed[count:], strict=False):
        assert later - first >= seconds - 1e-6


def test_a_pacer_without_a_limit_never_waits():
    clock = Clock()
    pacer = Pacer(None, 10, monotonic=clock.monotonic, sleep=clock.sleep)
    for _ in range(1000):
        pacer.wait()
    assert clock.slept == []


def test_threads_share_one_pace():
    clock = Clock()
    pacer = Pacer(1, 1, monotonic=lambda: 1000.0, sleep=clock.slept.append)
    threads = [threading.Thread(target=pacer.wait) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(clock.slept) == [float(place) for place in range(1, 20)]


def test_a_full_lane_makes_everybody_wait_as_long_as_the_vendor_said():
    clock = Clock()
    pacer = Pacer(100, 10, monotonic=clock.monotonic, sleep=clock.sleep)
    way = Road(Budget("CRM"), {"all": pacer}, sleep=lambda seconds: None)
    way.travel(failing(busy(after_seconds=7.0, is_refused=True)), is_repeatable=True)
    assert clock.slept == [7.0]


def test_a_harmless_request_is_repeated_until_it_works():
    clock = Clock()
    way = road(clock)
    assert way.travel(failing(busy(), busy()), is_repeatable=True) == "done"
    assert way.calls == 3


def test_waits_grow_and_are_jittered():
    clock = Clock()
    road(clock).travel(failing(busy(), busy(), busy()), is_repeatable=True)
    for place, wait in enumerate(clock.slept):
        assert 0.25 * 2**place <= wait < 0.75 * 2**place
    assert len({wait / 2**place for place, wait in enumerate(clock.slept)}) == 3


def test_the_vendor_s_own_wait_is_kept():
    clock = Clock()
    road(clock).travel(failing(busy(after_seconds=17.0)), is_repeatable=True)
    assert clock.slept == [17.0]


def test_a_wait_longer_than_a_minute_ends_the_run_instead():
    clock = Clock()
    way = road(clock)
    with pytest.raises(VendorUnavailable, match="busy"):
        way.travel(failing(busy(after_seconds=3600)), is_repeatable=True)
    assert (clock.slept, way.calls) == ([], 1)


def test_a_request_that_keeps_failing_is_given_up():
    clock = Clock()
    way = road(clock, attempts=3)
    with pytest.raises(VendorUnavailable):
        way.travel(failing(*[busy()] * 9), is_repeatable=True)
    assert way.calls == 3


def test_a_creation_whose_answer_was_lost_is_not_repeated():
    clock = Clock()
    way = road(clock)
    with pytest.raises(VendorUnavailable):
        way.travel(failing(busy()), is_repeatable=False)
    assert way.calls == 1


def test_a_creation_that_the_vendor_did_not_even_start_is_repeated():
    clock = Clock()
    way = road(clock)
    assert way.travel(failing(busy(is_refused=True)), is_repeatable=False) == "done"


def test_a_refusal_is_not_repeated():
    clock = Clock()
    way = road(clock)
    with pytest.raises(VendorRejected):
        way.travel(failing(VendorRejected("CRM", "1", "no", "Fix it")), is_repeatable=True)
    assert way.calls == 1


def test_a_used_up_share_stops_before_anything_is_sent():
    clock = Clock()
    way, sent = road(clock, limit=2), []
    for _ in range(2):
        way.travel(lambda: sent.append(1), is_repeatable=True)
    with pytest.raises(VendorUnavailable, match="next run goes on"):
        way.travel(lambda: sent.append(1), is_repeatable=True)
    assert (len(sent), way.calls) == (2, 2)


def test_repeats_count_against_the_share():
    clock = Clock()
    way = road(clock, limit=2)
    with pytest.raises(VendorUnavailable, match="share"):
        way.travel(failing(busy(), busy()), is_repeatable=True)
    assert way.calls == 2


def test_the_agreed_share_of_what_the_vendor_tells_is_the_end():
    budget = Budget("CRM")
    budget.agree(Decimal("0.5"), Decimal("0.1"))
    assert budget.limit is None  # nothing told yet
    budget.spend()
    budget.learn(1_000, 999)
    assert budget.limit == 500
    budget.settle()
    budget.spend()
    budget.learn(1_000, 101)
    assert budget.limit == 3  # two spent, and one left above the reserve
    budget.spend()
    with pytest.raises(VendorUnavailable, match="share of 3 requests"):
        budget.spend()


def test_a_quota_below_the_reserve_lets_nothing_more_pass():
    budget = Budget("CRM")
    budget.agree(Decimal("0.5"), Decimal("0.1"))
    budget.learn(1_000, 20)
    with pytest.raises(VendorUnavailable, match="next run goes on"):
        budget.spend()


def test_without_an_agreement_a_told_quota_changes_nothing():
    budget = Budget("CRM", limit=3)
    budget.learn(1_000, 0)
    assert budget.limit == 3


def test_a_limit_of_our_own_stays_below_the_agreed_share():
    budget = Budget("CRM", limit=3)
    budget.agree(Decimal("0.5"), Decimal(0))
    budget.learn(1_000, 1_000)
    assert budget.limit == 3
