"""Person matching across the two CRMs: keys, comparison, trained scores, one-to-one choice."""

from transforms.matching.contact import is_free as is_free_mail
from transforms.matching.contact import registered as registered_domain
from transforms.matching.decide import LINK, REVIEW
from transforms.matching.encode import COLUMNS
from transforms.matching.index import Index
from transforms.matching.match import Matched, match
from transforms.matching.model import MatchModel
from transforms.matching.reasons import THROUGH
from transforms.matching.text import company as company_name
from transforms.matching.weights import review_bits, weights
from transforms.matching.words import Words

__all__ = [
    "COLUMNS",
    "LINK",
    "REVIEW",
    "THROUGH",
    "Index",
    "MatchModel",
    "Matched",
    "Words",
    "company_name",
    "is_free_mail",
    "match",
    "registered_domain",
    "review_bits",
    "weights",
]
