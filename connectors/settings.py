"""Settings from the environment or a `.env` file; secrets never show in a message."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from agreement.errors import BadInput
from connectors.transport import check_url

_DEFAULT_DATABASE = Path(".tandem/tandem.db")

# Salesforce's general login hosts. They serve the JWT bearer flow; the client-credentials flow is
# answered by a company's own My Domain only.
_GENERAL_LOGINS = {"login.salesforce.com", "test.salesforce.com"}


@dataclass(frozen=True)
class SalesforceAccess:
    """One of three ways into Salesforce, complete and checked.

    A ready session has `instance_url` and `access_token`; the JWT bearer flow has `login_url`,
    `client_id`, `username` and `private_key`; the client-credentials flow has `login_url`,
    `client_id` and `client_secret`. What a way does not use is None.
    """

    login_url: str | None = None
    client_id: str | None = None
    client_secret: SecretStr | None = None
    username: str | None = None
    private_key: SecretStr | None = None
    instance_url: str | None = None
    access_token: SecretStr | None = None


class Settings(BaseSettings):
    """Where the two CRMs, the database and the agreement are, and who we are there.

    Each name in upper case is the environment variable. An empty variable counts as not set.
    """

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", hide_input_in_errors=True
    )

    tandem_database_url: SecretStr | None = None
    tandem_agreement: Path | None = None
    tandem_webhook_url: SecretStr | None = None
    tandem_alert_urls: SecretStr | None = None
    tandem_participants: Path | None = None
    tandem_approvers: SecretStr | None = None
    tandem_assessment: Path | None = None
    tandem_pages: Path | None = None
    tandem_pages_url: str | None = None

    hubspot_access_token: SecretStr | None = None
    hubspot_base_url: str = "https://api.hubapi.com"

    salesforce_login_url: str | None = None
    salesforce_client_id: str | None = None
    salesforce_client_secret: SecretStr | None = None
    salesforce_username: str | None = None
    salesforce_private_key: SecretStr | None = None
    salesforce_private_key_file: Path | None = None
    salesforce_instance_url: str | None = None
    salesforce_access_token: SecretStr | None = None

    @property
    def database_url(self) -> str:
        """Give the database's URL: a SQLite file under `.tandem/` unless one is set.

        The folder of that default file is made.
        """
        if self.tandem_database_url:
            return self.tandem_database_url.get_secret_value()
        _DEFAULT_DATABASE.parent.mkdir(parents=True, exist_ok=True)
        return f"sqlite:///{_DEFAULT_DATABASE}"

    @property
    def agreement(self) -> Path | None:
        """Give the agreement file that is set; None means the packaged default."""
        return self.tandem_agreement

    def alert_addresses(self, route: str) -> tuple[SecretStr, ...]:
        """Give the addresses of an alert route: TANDEM_ALERT_<ROUTE>, else TANDEM_ALERT_URLS.

        Several are parted by blanks. The route `webhook` takes TANDEM_WEBHOOK_URL first.
        """
        name = f"TANDEM_ALERT_{route.upper()}"
        own = os.environ.get(name) or dotenv_values(".env").get(name)
        if route == "webhook" and self.tandem_webhook_url and not own:
            own = self.tandem_webhook_url.get_secret_value()
        if not own and self.tandem_alert_urls:
            own = self.tandem_alert_urls.get_secret_value()
        return tuple(SecretStr(address) for address in (own or "").split())

    def hubspot_access(self) -> tuple[str, SecretStr]:
        """Give HubSpot's address and token.

        Raises:
            BadInput: the token is not set, or the address is not allowed.
        """
        if self.hubspot_access_token is None:
            raise BadInput("HUBSPOT_ACCESS_TOKEN is not set. Set it to a service key's token")
        return check_url("HUBSPOT_BASE_URL", self.hubspot_base_url), self.hubspot_access_token

    def salesforce_access(self) -> SalesforceAccess:
        """Give the way into Salesforce that is set: a ready session, else JWT, else credentials.

        Raises:
            BadInput: no way is complete, or an address is not allowed; the message names what to
                set.
        """
        if self.salesforce_access_token or self.salesforce_instance_url:
            return self._ready_session()
        login_url = check_url(
            "SALESFORCE_LOGIN_URL",
            self._needed("SALESFORCE_LOGIN_URL", "your My Domain, https://NAME.my.salesforce.com"),
        )
        client_id = self._needed(
            "SALESFORCE_CLIENT_ID", "the consumer key of the external client app"
        )
        if self.salesforce_private_key or self.salesforce_private_key_file:
            return SalesforceAccess(
                login_url=login_url,
                client_id=client_id,
                username=self._needed("SALESFORCE_USERNAME", "the integration user's name"),
                private_key=self._private_key(),
            )
        if self.salesforce_client_secret is None:
            raise BadInput(
                "SALESFORCE_CLIENT_SECRET is not set. Set it to the consumer secret, or set "
                "SALESFORCE_USERNAME and SALESFORCE_PRIVATE_KEY_FILE for the JWT flow"
            )
        if urlsplit(login_url).hostname in _GENERAL_LOGINS:
            raise BadInput(
                "SALESFORCE_LOGIN_URL is a general login address, which does not serve the "
                "client-credentials flow. Set your My Domain, https://NAME.my.salesforce.com"
            )
        return SalesforceAccess(
            login_url=login_url, client_id=client_id, client_secret=self.salesforce_client_secret
        )

    def _ready_session(self) -> SalesforceAccess:
        if not (self.salesforce_access_token and self.salesforce_instance_url):
            raise BadInput(
                "SALESFORCE_INSTANCE_URL and SALESFORCE_ACCESS_TOKEN belong together. Set both, or "
                "neither and SALESFORCE_LOGIN_URL with the client's credentials"
            )
        return SalesforceAccess(
            instance_url=check_url("SALESFORCE_INSTANCE_URL", self.salesforce_instance_url),
            access_token=self.salesforce_access_token,
        )

    def _private_key(self) -> SecretStr:
        """Give the JWT flow's key; one in a single line has a backslash and n for each break."""
        if self.salesforce_private_key:
            text = self.salesforce_private_key.get_secret_value()
            return SecretStr(text.replace("\\n", "\n"))
        file = self.salesforce_private_key_file or Path()
        try:
            return SecretStr(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(
                f"SALESFORCE_PRIVATE_KEY_FILE cannot be read ({type(error).__name__}). "
                "Name a PEM file that this user may read"
            ) from None

    def _needed(self, setting: str, example: str) -> str:
        value: str | None = getattr(self, setting.lower())
        if value is None:
            raise BadInput(f"{setting} is not set. Set it to {example}")
        return value


def load_settings(**given: Any) -> Settings:
    """Read the settings.

    Raises:
        BadInput: a value is of the wrong kind; the message names the variable, not the value.
    """
    try:
        return Settings(**given)
    except ValidationError as error:
        faults = "; ".join(
            f"{str(fault['loc'][0]).upper()}: {fault['msg']}" for fault in error.errors()
        )
        raise BadInput(f"the settings are wrong: {faults}") from None
