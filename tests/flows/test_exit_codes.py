"""A plan that no longer fits and a guard that stops have exit codes of their own."""

import os
import subprocess
import sys
from pathlib import Path

from tests.flows.small import serve_small

TANDEM = Path(sys.executable).with_name("tandem")


def tandem(small, *arguments: str) -> subprocess.CompletedProcess:
    settings = small.settings
    environment = {
        "TANDEM_DATABASE_URL": settings.database_url,
        "TANDEM_AGREEMENT": str(settings.agreement),
        "HUBSPOT_ACCESS_TOKEN": "standin-token",
        "HUBSPOT_BASE_URL": settings.hubspot_base_url,
        "SALESFORCE_LOGIN_URL": settings.salesforce_login_url,
        "SALESFORCE_CLIENT_ID": "standin-client",
        "SALESFORCE_CLIENT_SECRET": "standin-secret",
    }
    return subprocess.run(
        [TANDEM, *arguments], env={**os.environ, **environment}, cwd=small.folder,
        capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip


def test_a_guard_exits_with_7_and_a_stale_plan_with_8_after_writing_the_rest(tmp_path):
    with serve_small(tmp_path) as small:
        small.agree(("at_least: 20 ", "at_least: 1 "))
        small.night()
        small.edit_hubspot(0, jobtitle="first")
        small.edit_hubspot(1, jobtitle="second")
        plan_id = small.night("plan")["plan_id"]
        guarded = tandem(small, "apply", plan_id)
        assert guarded.returncode == 7, guarded.stderr
        assert "nothing was written" in guarded.stderr
        small.edit_salesforce(0, Title="a later edit")
        stale = tandem(small, "apply", plan_id, "--over-guards")
        assert stale.returncode == 8, stale.stderr
        assert small.titles(0) == ("first", "a later edit")
        assert small.titles(1) == ("second", "second")
