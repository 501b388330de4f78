"""What writing costs, at a tenth of the full size; `make bench-writes` shows the whole of it."""

import pytest

from benchmarks import writes

pytestmark = pytest.mark.slow

RECORDS = 10_000

# A tenth of what the full size may take, and the vendors' floor of each batch.
BATCH = 100
SPARE = 10


@pytest.fixture(scope="module")
def costs():
    return writes.costs(RECORDS)


def test_salesforce_takes_own_fields_of_an_object_in_twenty_calls_looks_included(costs):
    [salesforce] = [cost for cost in costs if "Salesforce" in cost.what]
    assert salesforce.calls <= 20
    assert salesforce.requests["PUT /services/data/{v}/jobs/ingest/{job}/batches"] == 1


def test_hubspot_takes_own_fields_in_full_batches(costs):
    [hubspot] = [cost for cost in costs if cost.what.startswith("own fields, HubSpot")]
    assert RECORDS / BATCH <= hubspot.calls <= RECORDS / BATCH + SPARE


def test_a_shared_field_costs_one_more_read_per_batch(costs):
    [shared] = [cost for cost in costs if cost.what.startswith("shared")]
    assert shared.calls <= 2 * (RECORDS / BATCH + SPARE)
    assert shared.requests["POST /crm/v3/objects/{type}/batch/read"] == RECORDS / BATCH
