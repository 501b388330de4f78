"""The store alone gives what the night found, and asks no CRM."""

from contextlib import closing

import pytest

from agreement.errors import BadInput
from connectors.settings import Settings
from connectors.store import Store
from flows.measure import compute
from flows.reading import open_reading
from flows.reconcile import normalise_mirrors


@pytest.mark.slow
def test_reading_the_store_gives_what_the_night_found(company):
    done = company.sync()
    assert done.returncode == 0, done.stderr
    for standin in (company.hubspot, company.salesforce):
        standin.log.clear()
    with open_reading(company.settings) as reading:
        assert reading.as_of.isoformat() == company.as_of
        known = normalise_mirrors(reading)
        measures = compute(reading, known)
    with closing(Store.open(company.settings.database_url)) as store:
        kept = store.measure("handoff").sort_values("handoff_id", ignore_index=True)
        links = store.crosswalk()
    found = measures.status[kept.columns].sort_values("handoff_id", ignore_index=True)
    assert found.equals(kept)
    order = ["entity", "system", "kind", "record_id"]
    first, second = (
        frame.sort_values(order, ignore_index=True) for frame in (known.crosswalk, links)
    )
    assert first["entity_id"].equals(second["entity_id"])
    assert known.looked_at == 0, "nothing changed since the night"
    assert [*company.hubspot.log, *company.salesforce.log] == []


def test_before_the_first_night_there_is_nothing_to_read(tmp_path):
    settings = Settings(_env_file=None, tandem_database_url=f"sqlite:///{tmp_path}/tandem.db")
    with pytest.raises(BadInput, match="Run tandem sync first"), open_reading(settings):
        raise AssertionError("nothing to read was read")
