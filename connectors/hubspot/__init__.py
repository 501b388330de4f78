"""HubSpot through its official client, as plain JSON: read, write, provision."""

from connectors.hubspot.connector import Account, HubSpot, paced, unpaced

__all__ = ["Account", "HubSpot", "paced", "unpaced"]
