import pytest
from pydantic import SecretStr

from agreement.errors import BadInput
from connectors.settings import Settings, load_settings

MY_DOMAIN = "https://acme.my.salesforce.com"


def settings(**given):
    return Settings(_env_file=None, **given)


def test_hubspot_needs_only_a_token():
    url, token = settings(hubspot_access_token="secret").hubspot_access()
    assert url == "https://api.hubapi.com"
    assert token.get_secret_value() == "secret"


def test_a_missing_hubspot_token_is_named():
    with pytest.raises(BadInput, match="HUBSPOT_ACCESS_TOKEN is not set"):
        settings().hubspot_access()


def test_client_credentials_are_taken_when_a_secret_is_set():
    access = settings(
        salesforce_login_url=MY_DOMAIN + "/",
        salesforce_client_id="id",
        salesforce_client_secret="secret",
    ).salesforce_access()
    assert (access.login_url, access.client_id) == (MY_DOMAIN, "id")
    assert access.client_secret == SecretStr("secret")
    assert access.access_token is None


def test_a_ready_session_goes_before_every_login():
    access = settings(
        salesforce_login_url=MY_DOMAIN,
        salesforce_client_id="id",
        salesforce_client_secret="secret",
        salesforce_instance_url=MY_DOMAIN,
        salesforce_access_token="token",
    ).salesforce_access()
    assert (access.instance_url, access.access_token) == (MY_DOMAIN, SecretStr("token"))
    assert access.client_secret is None


def test_a_key_in_one_line_gets_its_line_breaks_back():
    access = settings(
        salesforce_login_url="https://login.salesforce.com",
        salesforce_client_id="id",
        salesforce_username="sync@example.com",
        salesforce_private_key=r"-----BEGIN\nabc\n-----END",
    ).salesforce_access()
    assert access.private_key == SecretStr("-----BEGIN\nabc\n-----END")
    assert access.username == "sync@example.com"


def test_a_key_is_read_from_its_file(tmp_path):
    file = tmp_path / "key.pem"
    file.write_text("the key", encoding="utf-8")
    access = settings(
        salesforce_login_url=MY_DOMAIN,
        salesforce_client_id="id",
        salesforce_username="sync@example.com",
        salesforce_private_key_file=file,
    ).salesforce_access()
    assert access.private_key == SecretStr("the key")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "SALESFORCE_LOGIN_URL is not set"),
        ({"salesforce_login_url": MY_DOMAIN}, "SALESFORCE_CLIENT_ID is not set"),
        (
            {"salesforce_login_url": MY_DOMAIN, "salesforce_client_id": "id"},
            "SALESFORCE_CLIENT_SECRET is not set",
        ),
        (
            {
                "salesforce_login_url": MY_DOMAIN,
                "salesforce_client_id": "id",
                "salesforce_private_key": "key",
            },
            "SALESFORCE_USERNAME is not set",
        ),
        (
            {
                "salesforce_login_url": MY_DOMAIN,
                "salesforce_client_id": "id",
                "salesforce_username": "u",
                "salesforce_private_key_file": "/no/such/key",
            },
            "SALESFORCE_PRIVATE_KEY_FILE cannot be read",
        ),
        ({"salesforce_access_token": "token"}, "belong together"),
        ({"salesforce_instance_url": MY_DOMAIN}, "belong together"),
        ({"salesforce_login_url": "http://acme.example.com"}, "plain http"),
        (
            {"salesforce_instance_url": "http://acme.example.com", "salesforce_access_token": "t"},
            "plain http",
        ),
        (
            {
                "salesforce_login_url": "https://test.salesforce.com",
                "salesforce_client_id": "id",
                "salesforce_client_secret": "s",
            },
            "My Domain",
        ),
    ],
)
def test_incomplete_salesforce_access_says_what_to_set(given, message):
    with pytest.raises(BadInput, match=message) as caught:
        settings(**given).salesforce_access()
    assert caught.value.exit_code == 3


def test_an_empty_variable_counts_as_not_set(monkeypatch):
    monkeypatch.setenv("SALESFORCE_ACCESS_TOKEN", "")
    monkeypatch.setenv("SALESFORCE_LOGIN_URL", "")
    with pytest.raises(BadInput, match="SALESFORCE_LOGIN_URL is not set"):
        load_settings(_env_file=None).salesforce_access()


def test_no_secret_shows_in_the_settings_text():
    given = settings(
        tandem_database_url="postgresql://u:hidden1@h/db",
        hubspot_access_token="hidden2",
        salesforce_client_secret="hidden3",
        salesforce_private_key="hidden4",
        salesforce_access_token="hidden5",
        tandem_webhook_url="https://example.com/hidden6",
    )
    assert "hidden" not in repr(given)
    assert "hidden" not in str(given)


def test_a_wrong_setting_is_named_without_its_value(monkeypatch):
    monkeypatch.setenv("HUBSPOT_BASE_URL", "x")
    with pytest.raises(BadInput, match="SALESFORCE_CLIENT_ID") as caught:
        load_settings(_env_file=None, salesforce_client_id=["hidden"])
    assert "hidden" not in str(caught.value)


def test_the_default_database_is_a_file_under_a_folder_that_is_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert settings().database_url.startswith("sqlite:///.tandem")
    assert (tmp_path / ".tandem").is_dir()
