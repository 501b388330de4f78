"""Settings from the environment or a `.env` file; secrets never show in a message."""

from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from agreement.errors import BadInput
from connectors.transport import check_url

_DEFAULT_DATABASE = Path(".tandem/tandem.db")


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

    @property
    def webhook_url(self) -> SecretStr | None:
        """Give the address that takes alerts, if set."""
        return self.tandem_webhook_url

    def hubspot_access(self) -> tuple[str, SecretStr]:
        """Give HubSpot's address and token.

        Raises:
            BadInput: the token is not set, or the address is not allowed.
        """
        if self.hubspot_access_token is None:
            raise BadInput("HUBSPOT_ACCESS_TOKEN is not set. Set it to a service key's token")
        return check_url("HUBSPOT_BASE_URL", self.hubspot_base_url), self.hubspot_access_token


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
