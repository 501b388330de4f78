"""Say which vendor records are one person, account or deal, by which rule, and what is doubtful."""

from transforms.identity.companies import with_accounts
from transforms.identity.newcomers import with_newcomers
from transforms.identity.reconcile import Reconciled, reconcile

__all__ = ["Reconciled", "reconcile", "with_accounts", "with_newcomers"]
