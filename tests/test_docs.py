"""What the documents say is there: commands, settings, links, deployments."""

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from agreement.errors import TandemError
from connectors.settings import Settings
from flows.cli import tandem
from tests.flows.conftest import serve_company

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands(group=tandem, path=()) -> list[str]:
    found = []
    for name, command in group.commands.items():
        is_group = hasattr(command, "commands")
        found += commands(command, (*path, name)) if is_group else [" ".join((*path, name))]
    return found


@pytest.mark.parametrize("command", commands())
def test_every_command_is_in_the_readme(command):
    assert f"tandem {command}" in README


@pytest.mark.parametrize("setting", sorted(Settings.model_fields))
def test_every_setting_is_in_the_readme(setting):
    assert setting.upper() in README


def test_every_exit_code_is_in_the_readme():
    def codes(error):
        return {error.exit_code}.union(*(codes(child) for child in error.__subclasses__()))

    for code in codes(TandemError):
        assert re.search(rf"^\| {code} \|", README, re.MULTILINE), f"exit code {code}"


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", "docs/glossary.md", "docs/runbook.md"]
)
def test_every_link_to_a_file_leads_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    assert not [link for link in links if not ((ROOT / page).parent / link).exists()]


def test_every_target_in_the_readme_is_in_the_makefile():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"(?:^|`)make ([a-z-]+)", README, re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.fixture
def deployments():
    return pytest.importorskip("flows.deployments")


def deployed(file: str) -> list[dict]:
    return yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))["deployments"]


@pytest.mark.parametrize("file", ["prefect.yaml", "deploy/portal.yaml"])
def test_every_deployment_calls_a_flow_that_takes_its_parameters(deployments, file):
    for entry in deployed(file):
        path, name = entry["entrypoint"].split(":")
        assert (ROOT / path).exists()
        parameters = inspect.signature(getattr(deployments, name).fn).parameters
        schedules = entry.get("schedules", ())
        for given in (entry, *schedules):
            assert set(given.get("parameters", {})) <= set(parameters)
        assert entry["description"]
        assert all(schedule["slug"] for schedule in schedules)


def test_what_runs_by_itself_runs_by_itself_for_a_further_portal_too():
    scheduled = {
        file: {entry["entrypoint"] for entry in deployed(file) if "schedules" in entry}
        for file in ("prefect.yaml", "deploy/portal.yaml")
    }
    assert scheduled["prefect.yaml"] == scheduled["deploy/portal.yaml"]


@pytest.mark.parametrize("entry", deployed("prefect.yaml"), ids=lambda entry: entry["name"])
def test_every_form_explains_each_of_its_fields(deployments, entry):
    flow = getattr(deployments, entry["entrypoint"].split(":")[1])
    shown = flow.parameters.model_dump()
    groups = [shown, *shown.get("definitions", {}).values()]
    fields = {
        name: field for group in groups for name, field in group.get("properties", {}).items()
    }
    assert set(shown["properties"]) == set(inspect.signature(flow.fn).parameters)
    assert not [name for name, field in fields.items() if not field.get("description")]


@pytest.fixture(scope="module")
def night_before(tmp_path_factory):
    """Serve a company whose first night has run."""
    with serve_company(tmp_path_factory.mktemp("runbook") / "company") as company:
        assert company.sync().returncode == 0
        yield company


@pytest.mark.slow
def test_the_runbook_runs_as_it_stands(night_before):
    text = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 8
    tools = str(Path(sys.executable).parent)
    done = subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-c", "set -x\n" + "\n".join(blocks)],
        env={
            **night_before.environment,
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
            "AS_OF": night_before.as_of,
        },
        cwd=night_before.folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
