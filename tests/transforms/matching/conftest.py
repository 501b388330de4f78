"""The shipped model, read once, and tables of a few records."""

from pathlib import Path

import pandas as pd
import pytest

import transforms.matching
from transforms.matching import MatchModel


@pytest.fixture(scope="session")
def model():
    folder = Path(transforms.matching.__file__).parent
    texts = [(folder / name).read_text("utf-8") for name in ("model_v2.json", "words_v1.json")]
    return MatchModel.parse(*texts)


@pytest.fixture(scope="session")
def table():
    """Give a builder of tables: one dict per record, absent keys are missing."""

    def build(*records):
        return pd.DataFrame(list(records), dtype="str") if records else _NOBODY

    return build


_NOBODY = pd.DataFrame({"record_id": pd.Series(dtype="str")})
