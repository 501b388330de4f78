"""Salesforce played locally, built from the vendor's documents and nothing of ours."""

from standins.salesforce.door import SalesforceCall
from standins.salesforce.standin import SalesforceStandIn

__all__ = ["SalesforceCall", "SalesforceStandIn"]
