"""The reward flows are plain functions behind Prefect's decorator: what they do is tested here."""

import inspect
from contextlib import ExitStack, closing

import pytest

from agreement.errors import AccessError, Busy
from connectors.store import Store
from flows import rewards
from tests.office import ANN, Office, moment

deployments = pytest.importorskip("flows.deployments")
runner = pytest.importorskip("flows.prefect_runner")
Halted = runner.Halted


@pytest.fixture
def store(tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path}/tandem.db"
    monkeypatch.setenv("TANDEM_DATABASE_URL", url)
    monkeypatch.setenv("TANDEM_APPROVERS", "ann=one,bob=two")
    opened = Store.open(url)
    office = Office(opened)
    office.win("A", "2026-02-01", marketing=6_000, sales=4_000)
    office.night("2026-04-02")
    yield opened
    opened.close()


class Block:
    """Stands for Prefect's Secret block, which needs a server to load."""

    def __init__(self, value: str) -> None:
        self.value = value

    def load(self, _name: str) -> "Block":
        return self

    def get(self) -> str:
        return self.value


def test_the_month_end_flow_ends_with_a_proposal_in_the_store(store):
    assert deployments.rewards_close.fn()["state"] == "calculated"
    assert [act.act for act in store.acts()] == ["proposed"]


def test_the_approval_flow_takes_no_secret_as_a_parameter(store, monkeypatch):
    parameters = inspect.signature(deployments.approve_rewards.fn).parameters
    assert list(parameters) == ["period", "by", "secret_block", "portal"]
    rewards.propose(store, "2026-Q1", ANN, moment("2026-04-03"))
    monkeypatch.setattr(deployments, "Secret", Block("two"))
    assert deployments.approve_rewards.fn("2026-Q1", "bob", "bobs")["state"] == "approved"


def test_the_approval_flow_refuses_the_proposer_and_a_wrong_secret(store, monkeypatch):
    rewards.propose(store, "2026-Q1", ANN, moment("2026-04-03"))
    monkeypatch.setattr(deployments, "Secret", Block("one"))
    for name in ("ann", "bob"):
        with pytest.raises(Halted, match="Who acts: whoever grants access") as halted:
            deployments.approve_rewards.fn("2026-Q1", name, "some-block")
        assert isinstance(halted.value.error, AccessError)


def test_proposals_and_approvals_wait_for_the_night_that_holds_the_lock(
    store, tmp_path, monkeypatch
):
    monkeypatch.setattr(deployments, "Secret", Block("two"))
    flows = (
        deployments.rewards_close.fn,
        lambda: deployments.approve_rewards.fn("2026-Q1", "bob", "bobs"),
    )
    states = []
    for flow in flows:
        with closing(Store.open(f"sqlite:///{tmp_path}/tandem.db")) as night, ExitStack() as lock:
            lock.enter_context(night.hold_lock())
            monkeypatch.setattr(runner.time, "sleep", lambda _seconds, ends=lock: ends.close())
            states.append(flow()["state"])
    assert states == ["calculated", "approved"]


def test_a_schedule_that_finds_the_lock_taken_does_not_even_look(store, tmp_path):
    rewards.propose(store, "2026-Q1", ANN, moment("2026-04-03"))
    with (
        closing(Store.open(f"sqlite:///{tmp_path}/tandem.db")) as night,
        night.hold_lock(),
        pytest.raises(Busy, match="holds the lock"),
    ):
        rewards.propose_due(store, moment("2026-04-05"))
