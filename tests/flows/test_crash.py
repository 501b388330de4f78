"""A night that dies while it writes: the next one ends where an undisturbed one would have."""

import json
import os
import signal
import time

import pytest

WRITES = ("POST /crm/v3/objects/{type}/batch/update", "PATCH /services/data/{v}/composite/sobjects")


def written_so_far(company) -> int:
    logs = company.hubspot.log + company.salesforce.log
    return sum(call.template in WRITES for call in list(logs))


@pytest.mark.parametrize("after", [1, 3, 7])
def test_a_night_killed_while_writing_is_finished_by_the_next(company, undisturbed, after):
    process = company.start("sync", "--as-of", company.as_of)
    while written_so_far(company) < after and process.poll() is None:
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "the night was over before it could be killed"
    assert company.our_values() != undisturbed

    done = company.sync()
    assert done.returncode == 0, done.stderr
    assert company.our_values() == undisturbed
    again = json.loads(company.sync().stdout)
    assert again["written"] == {"hubspot": {}, "salesforce": {}}
