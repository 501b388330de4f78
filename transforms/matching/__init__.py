"""Person matching across the two CRMs: keys, comparison, trained scores, one-to-one choice."""

from transforms.matching.encode import COLUMNS
from transforms.matching.match import LINK, REVIEW, match
from transforms.matching.model import MatchModel

__all__ = ["COLUMNS", "LINK", "REVIEW", "MatchModel", "match"]
