"""What all tests share: Hypothesis without a clock, and no developer's settings."""

import os

import pytest
from hypothesis import settings

# A shared machine is slow at times; a law does not depend on that. The same examples in every run.
settings.register_profile("tandem", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("tandem")


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch):
    """Hide the machine's own credentials and `.env` file from every test."""
    for name in list(os.environ):
        if name.startswith(("TANDEM_", "HUBSPOT_", "SALESFORCE_")):
            monkeypatch.delenv(name)
