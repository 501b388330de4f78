"""Prefect blocks that stand in for settings, for teams that keep credentials on its server.

`prefect block register --file flows/blocks.py` makes the forms; save one of each under the portal's
name. Whoever may load blocks can read their secrets, and the server's database holds them.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, cast

from prefect.blocks.core import Block
from pydantic import Field, SecretStr

from agreement.errors import BadInput
from connectors.settings import Settings, load_settings


class HubSpotCredentials(Block):
    """How to get into one HubSpot portal."""

    _block_type_name = "HubSpot Credentials"
    _block_type_slug = "hubspot-credentials"
    _description = "Service key of one HubSpot portal, for Tandem."

    access_token: SecretStr = Field(description="Token of the service key or private app")
    base_url: str = Field("https://api.hubapi.com", description="Leave as it is")

    settings: ClassVar[Mapping[str, str]] = {
        "hubspot_access_token": "access_token",
        "hubspot_base_url": "base_url",
    }


class SalesforceCredentials(Block):
    """How to get into one Salesforce org: client credentials, or JWT with a key."""

    _block_type_name = "Salesforce Credentials"
    _block_type_slug = "salesforce-credentials"
    _description = "External client app of one Salesforce org, for Tandem."

    login_url: str = Field(description="My Domain, such as https://NAME.my.salesforce.com")
    client_id: str = Field(description="Consumer key of the external client app")
    client_secret: SecretStr | None = Field(None, description="For the client-credentials flow")
    username: str | None = Field(None, description="For the JWT flow: the integration user")
    private_key: SecretStr | None = Field(None, description="For the JWT flow: PEM, no passphrase")

    settings: ClassVar[Mapping[str, str]] = {
        "salesforce_login_url": "login_url",
        "salesforce_client_id": "client_id",
        "salesforce_client_secret": "client_secret",
        "salesforce_username": "username",
        "salesforce_private_key": "private_key",
    }


class TandemPortal(Block):
    """What belongs to one pair of CRMs besides its credentials: database, agreement, people."""

    _block_type_name = "Tandem Portal"
    _block_type_slug = "tandem-portal"
    _description = "Database and agreement of one pair of CRMs."

    database_url: SecretStr = Field(description="Such as postgresql+psycopg://tandem@host/acme")
    agreement: str | None = Field(None, description="Path of the agreement on the worker")
    participants: str | None = Field(None, description="Path of the participants file")
    approvers: SecretStr | None = Field(None, description="name=secret pairs, comma-separated")

    settings: ClassVar[Mapping[str, str]] = {
        "tandem_database_url": "database_url",
        "tandem_agreement": "agreement",
        "tandem_participants": "participants",
        "tandem_approvers": "approvers",
    }


BLOCKS = (HubSpotCredentials, SalesforceCredentials, TandemPortal)


def settings_of(portal: str) -> Settings:
    """Give the settings of a portal: its three blocks, over the environment; of none, that alone.

    Raises:
        BadInput: one of the portal's blocks does not exist.
    """
    given: dict[str, Any] = {}
    for block_type in BLOCKS if portal else ():
        block = _load(block_type, portal)
        for setting, name in block_type.settings.items():
            if (value := getattr(block, name)) is not None:
                given[setting] = value
    return load_settings(**given)


def _load(block_type: type[Block], portal: str) -> Block:
    try:
        return cast("Block", block_type.load(portal))  # at once: no flow of ours is async
    except ValueError:
        slug = block_type.get_block_type_slug()
        raise BadInput(
            f"there is no block {slug}/{portal}. Save one under Blocks in Prefect, or leave portal "
            "empty to use the worker's environment"
        ) from None
