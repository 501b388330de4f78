"""Two private files: who takes part in rewards, and who may approve them.

Both stay outside every repository, readable by their owner only: one holds people's weights, the
other secrets.
"""

import hashlib
import hmac
from pathlib import Path
from typing import Any

import yaml
from pydantic import SecretStr, ValidationError

from agreement.errors import AccessError, BadInput
from agreement.terms import Participants

_HASHED = "sha256:"


def read_participants(path: Path | None) -> Participants:
    """Read the members of teams; without a file both teams take part themselves.

    Raises:
        BadInput: the file cannot be read, is open to others, lies in a repository or is wrong.
    """
    if path is None:
        return Participants()
    data = _read_private("TANDEM_PARTICIPANTS", path)
    try:
        return Participants.model_validate(data)
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"][:2])
        said = str(fault["msg"]).removeprefix("Value error, ")
        raise BadInput(f"TANDEM_PARTICIPANTS: {where}: {said}") from None


class Approvers:
    """People who may act on a period, each with a secret; names are compared as written."""

    def __init__(self, secrets: dict[str, str]) -> None:
        self._secrets = secrets

    def verify(self, name: str, secret: SecretStr) -> None:
        """Make sure that somebody is who they say.

        Raises:
            AccessError: nobody of this name is listed, or the secret is another's.
        """
        known = self._secrets.get(name, "")
        if not known or not _is_same(known, secret.get_secret_value()):
            raise AccessError(
                "rewards",
                f"{name!r} with this secret is no approver",
                "Use a name and secret listed under TANDEM_APPROVERS",
            )


def _is_same(known: str, given: str) -> bool:
    if known.startswith(_HASHED):
        given = _HASHED + hashlib.sha256(given.encode()).hexdigest()
    return hmac.compare_digest(known.encode(), given.encode())


def read_approvers(setting: SecretStr | None) -> Approvers:
    """Read names with their secrets: a file of `name: secret`, or `name=secret,...` itself.

    A secret may be kept as `sha256:` and its hash in hexadecimal.

    Raises:
        BadInput: it is not set, or is wrong; the message names no secret.
    """
    if setting is None:
        raise BadInput(
            "TANDEM_APPROVERS is not set. Set it to a private file of at least two lines"
            " `name: secret`"
        )
    text = setting.get_secret_value()
    if "=" in text:
        pairs = [part.partition("=") for part in text.split(",")]
        listed: Any = {name.strip(): secret.strip() for name, _, secret in pairs}
    else:
        listed = _read_private("TANDEM_APPROVERS", Path(text))
    secrets = {str(name): str(secret or "") for name, secret in listed.items()}
    if len(secrets) < 2 or not all(secrets.values()) or len(set(secrets.values())) < len(secrets):
        raise BadInput(
            "TANDEM_APPROVERS has to list at least two people, each with a secret of their own"
        )
    return Approvers(secrets)


def _read_private(setting: str, path: Path) -> dict[Any, Any]:
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            f"{setting} cannot be read ({type(error).__name__}). Name a YAML file of yours"
        ) from None
    if mode & 0o077:
        raise BadInput(f"{setting}: others may read the file. Run chmod 600 on it")
    if any((folder / ".git").exists() for folder in path.resolve().parents):
        raise BadInput(f"{setting}: the file lies in a repository. Move it out: it is private")
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError:
        raise BadInput(f"{setting} is not valid YAML. Check indentation and quotes") from None
    if not isinstance(data, dict):
        raise BadInput(f"{setting} has to be a mapping. README shows one")
    return data
