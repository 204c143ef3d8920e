"""What is deployed from `deploy/` fits the commands and the repository as they are."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import click
import pytest
import yaml

from delivery_service.cli import delivery

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNIT = DEPLOY / "ringtrue-delivery.service"
EXPOSURE_LIMIT = 20  # of 100: without these settings it would be 96


def instructions(file: Path) -> list[tuple[str, str]]:
    text = re.sub(r"\\\n\s*", "", file.read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.partition(" ")[0], line.partition(" ")[2].strip()) for line in lines]


def parsed(arguments: list[str]) -> click.Context:
    """The command line as click reads it; a wrong option is a UsageError."""
    command = delivery.commands[arguments[0]]
    return command.make_context(arguments[0], arguments[1:])


def command_lines() -> dict[str, list[str]]:
    words = shlex.split(next(line for line in UNIT.read_text().splitlines() if line.startswith("ExecStart=")))
    image = dict(instructions(DEPLOY / "Containerfile"))["CMD"]
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    composed = {name: each["command"] for name, each in services.items() if each.get("image") == "ringtrue-delivery"}
    return {"unit": words[words.index("delivery") + 1 :], "image": yaml.safe_load(image), **composed}


@pytest.mark.parametrize("place", ["unit", "image", "migrate", "delivery-1", "delivery-2"])
def test_every_command_line_is_one(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGTRUE_DATABASE", "postgresql://ringtrue@primary/ringtrue")  # as compose.yaml gives it
    arguments = [re.sub(r"\$\{\w+[^}]*\}", "value", str(word)) for word in command_lines()[place]]
    assert parsed(arguments).params


def test_replicas_keep_attachments_where_each_of_them_sees_them() -> None:
    """A folder of attachments belongs to one process: with it, the second replica would not start."""
    composed = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    replicas = [each for name, each in composed["services"].items() if name.startswith("delivery-")]
    assert len(replicas) == 2
    for each in replicas:
        given = dict(word.partition("=")[::2] for word in each["command"])
        bucket, endpoint = (urlsplit(given[name]) for name in ("--blobs", "--s3-endpoint"))
        storage = composed["services"][endpoint.hostname]
        assert f":{endpoint.port}" in storage["command"]
        assert storage["volumes"] == [f"{bucket.netloc}:{storage['command'][-1]}/{bucket.netloc}"]
        assert storage["environment"]["ROOT_ACCESS_KEY"] == each["environment"]["AWS_ACCESS_KEY_ID"]
        assert "${S3_SECRET" in storage["environment"]["ROOT_SECRET_KEY"]
        assert "${S3_SECRET" in each["environment"]["AWS_SECRET_ACCESS_KEY"]


def test_the_unit_has_what_it_refers_to() -> None:
    given = re.findall(r"^([A-Z_]+)=", (DEPLOY / "delivery.env").read_text(), re.MULTILINE)
    used = re.findall(r"\$\{(\w+)\}", UNIT.read_text())
    assert set(used) == set(given)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze here")
def test_systemd_finds_the_unit_right_and_confined(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/ringtrue/.venv/bin/ringtrue", sys.executable))
    verified = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")
    security = ["systemd-analyze", "security", "--no-pager", "--offline=true", f"--threshold={EXPOSURE_LIMIT}", unit]
    confined = subprocess.run(security, capture_output=True, text=True, check=False)
    assert confined.returncode == 0, confined.stdout[-200:]


def test_the_image_copies_only_what_the_repository_has_and_runs_as_nobody() -> None:
    lines = instructions(DEPLOY / "Containerfile")
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    allowed = (DEPLOY / "Containerfile.dockerignore").read_text().splitlines()
    for arguments in (words.split() for name, words in lines if name == "COPY" and "--from" not in words):
        for source in arguments[:-1]:
            assert any(file == source or file.startswith(f"{source}/") for file in tracked), source
            assert f"!{source}" in allowed
    stages = [place for place, (name, _) in enumerate(lines) if name == "FROM"]
    last = dict(lines[stages[-1] :])
    assert len(stages) == 3
    assert last["USER"].split(":")[0] not in ("root", "0")
    assert not any(name in ("ADD", "COPY") and "--from=build" not in words for name, words in lines[stages[-1] :])


def test_the_packages_of_the_wheel_are_those_that_the_image_copies() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    packages = re.search(r"^packages = \[(.*)\]$", project, re.MULTILINE)
    assert packages is not None
    copied = {words.split()[0] for name, words in instructions(DEPLOY / "Containerfile") if name == "COPY"}
    assert set(re.findall(r'"(\w+)"', packages[1])) <= copied
