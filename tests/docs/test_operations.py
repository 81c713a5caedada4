"""docs/operations.md: its crontab lines and units work as they stand there; only places are other ones."""

from __future__ import annotations

import configparser
import os
import pwd
import re
import shutil
import subprocess
import sys

import pytest
import typer.main

from curri.cli.main import app
from curri.errors import ExitCode
from curri.flow import metrics
from monitoring.exposition import gathered
from monitoring.receiver import Receiver
from upload.site import Site

from .crontabs import as_cron, crontab
from .pages import TOP, blocks

PAGE = TOP / "docs/operations.md"
LIMITS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
SECONDS = 60


def environment_file() -> str:
    """Return what the page puts into /etc/curri/env."""
    (found,) = [block for block in blocks(PAGE, "sh") if block.startswith("# /etc/curri/env")]
    return found


def units() -> dict[str, str]:
    """Return the units by their names."""
    found = {}
    for block in blocks(PAGE, "ini"):
        first, _, rest = block.partition("\n")
        assert first.startswith("# /etc/systemd/system/")
        found[first.removeprefix("# /etc/systemd/system/")] = rest
    return found


class Host:
    """A machine on which curri is installed as the page says, below a folder."""

    def __init__(self, site: Site, receiver: Receiver) -> None:
        self.top = site.folder / "host"
        self.collector = self.top / "collector"
        self.home = self.top / "home"
        for folder in (self.top / "bin", self.top / "etc", self.collector, self.home):
            folder.mkdir(parents=True)
        program = self.top / "bin/curri"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m curri "$@"\n')
        program.chmod(0o755)
        (self.top / "etc/token").write_text(f"{site.box.token}\n")
        self.places = {
            "/usr/local/bin": str(self.top / "bin"),
            "/etc/curri": str(self.top / "etc"),
            "/srv/curriculum": str(site.root),
            "/var/lib/curri": str(self.home),
            "/var/lib/node_exporter/textfile_collector": str(self.collector),
            "postgresql://curri:PASSWORD@db.example.org/website?sslmode=verify-full": site.url.replace("'", "'\\''"),
            "ACCOUNT_ID'": f"{site.box.account_id}'",
            "https://hc-ping.com/PING_KEY": receiver.url,
        }
        more = {"CURRI_STREAM_URL": site.box.url, "CURRI_LISTING_DELAY": "0", "CURRI_FFMPEG": "no-such-ffmpeg"}
        env = self.at(environment_file()) + "".join(f"{name}='{value}'\n" for name, value in more.items())
        (self.top / "etc/env").write_text(env)

    def at(self, text: str) -> str:
        """Return a text with the places of this host."""
        for place, here in self.places.items():
            text = text.replace(place, here)
        return text

    def cron(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a command as cron does."""
        variables, _ = crontab(PAGE)
        return as_cron(self.at(command), {name: self.at(value) for name, value in variables.items()}, self.home)


@pytest.fixture
def host(three: Site, receiver: Receiver) -> Host:
    return Host(three, receiver)


# --- cron


def test_the_crontab_has_every_job_and_times_that_there_are() -> None:
    _, jobs = crontab(PAGE)
    assert [re.search(r"\bcurri ([a-z-]+)", command)[1] for _, command in jobs] == [  # type: ignore[index]
        "import",
        "upload",
        "sync-status",
        "fix-metadata",
    ]
    for fields, _ in jobs:
        for field, (least, most) in zip(fields, LIMITS, strict=True):
            numbers = [int(number) for number in re.findall(r"[0-9]+", field.partition("/")[0])]
            assert all(least <= number <= most for number in numbers), field


def test_every_line_of_the_crontab_does_its_work_and_is_quiet(host: Host, three: Site, receiver: Receiver) -> None:
    """Twice: the second time there is nothing to do, and no mail either."""
    _, jobs = crontab(PAGE)
    for number in (1, 2):
        for _, command in jobs:
            done = host.cron(command)
            assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), command
        names = ("import", "upload", "sync-status", "fix-metadata")
        assert receiver.told == [f"/curri-{name}?create=1" for name in names] * number
    three.linked_once(*(f"course_01_L0{number}_learning" for number in (1, 2, 3)))
    assert {dict(labels)["command"] for _, labels in gathered(host.collector.iterdir())} == set(names)


def test_a_line_of_the_crontab_that_fails_leaves_mail_and_tells_so(host: Host, three: Site, receiver: Receiver) -> None:
    _, jobs = crontab(PAGE)
    command = next(command for _, command in jobs if "curri upload" in command)
    three.box.faults()
    (host.top / "etc/token").write_text("wr0ng\n")
    done = host.cron(command)
    assert done.returncode == ExitCode.CONFIG
    assert done.stderr
    assert receiver.told == ["/curri-upload/fail?create=1"]


def test_the_file_of_settings_means_the_same_to_a_shell_and_to_systemd(host: Host) -> None:
    """Of both ways to quote, systemd's EnvironmentFile knows this one; without quotes a shell would see & and ?."""
    lines = [line for line in environment_file().splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Z_]+='[^'\\]*'", line) for line in lines)
    script = f". {host.top}/etc/env; " + "; ".join(f'printf "%s\\n" "${line.partition("=")[0]}"' for line in lines)
    said = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True).stdout.splitlines()
    plain = [host.at(line.partition("=")[2] + "\n").strip()[1:-1].replace("'\\''", "'") for line in lines]
    assert said == plain


# --- systemd


def test_the_units_are_those_of_the_jobs_and_start_what_there_is() -> None:
    known = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    found = units()
    timers = {name for name in found if name.endswith(".timer")}
    assert timers == {f"curri@{name}.timer" for name in ("import", "upload", "sync-status", "fix-metadata")}
    assert {name.partition("@")[2].removesuffix(".timer") for name in timers} <= set(known)
    service = configparser.RawConfigParser(strict=False)
    service.optionxform = str  # type: ignore[assignment,method-assign]
    service.read_string(found["curri@.service"])
    assert service["Service"]["ExecStart"] == "/usr/local/bin/curri %i --quiet"
    assert {int(word) for word in service["Service"]["SuccessExitStatus"].split()} == {
        ExitCode.BUSY,
        ExitCode.TERMINATED,
    }
    for name in timers:
        timer = configparser.RawConfigParser()
        timer.read_string(found[name])
        assert {"Unit", "Timer", "Install"} == set(timer.sections())


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_takes_the_units(host: Host) -> None:
    folder = host.top / "units"
    user = pwd.getpwuid(os.geteuid()).pw_name
    for name, unit in units().items():
        text = host.at(unit).replace("User=curri", f"User={user}").replace("Group=curri\n", "")
        made = folder / name
        made.parent.mkdir(parents=True, exist_ok=True)
        made.write_text(text)
    named = []
    for timer in sorted(folder.glob("*.timer")):
        service = timer.with_suffix(".service")
        shutil.copyfile(folder / "curri@.service", service)
        named += [timer, service]
    assert len(named) == 8
    done = subprocess.run(["systemd-analyze", "verify", *named], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    for name, unit in units().items():
        for when in re.findall(r"^OnCalendar=(.*)$", unit, re.MULTILINE):
            subprocess.run(["systemd-analyze", "calendar", when], capture_output=True, check=True)
            assert name.endswith(".timer")


def test_what_the_service_starts_does_its_work(host: Host, three: Site, receiver: Receiver) -> None:
    """The command of the unit, with the environment that systemd would make of the file, and no shell."""
    found = re.search(r"^ExecStart=(.*)$", units()["curri@.service"], re.MULTILINE)
    assert found
    lines = (host.top / "etc/env").read_text().splitlines()
    pairs = [line.partition("=") for line in lines if not line.startswith("#")]
    environment = {name: value[1:-1].replace("'\\''", "'") for name, _, value in pairs}
    (window,) = (unit for name, unit in units().items() if name.endswith("window.conf"))
    environment |= dict(re.findall(r"^Environment=(\w+)=(.*)$", window, re.MULTILINE))
    for name in ("import", "upload", "sync-status", "fix-metadata"):
        words = host.at(found[1]).replace("%i", name).split()
        done = subprocess.run(
            words,
            env={**environment, "PATH": "/usr/bin:/bin", "HOME": str(host.home)},
            cwd=host.home,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    three.linked_once(*(f"course_01_L0{number}_learning" for number in (1, 2, 3)))


# --- what is said of monitoring and of exit codes


def test_every_metric_is_in_the_page_and_the_rules_name_only_those() -> None:
    text = PAGE.read_text()
    assert re.findall(r"^\| `(curri_\w+)` \|", text, re.MULTILINE) == list(metrics.HELP)
    (rules,) = blocks(PAGE, "yaml")
    named = set(re.findall(r"curri_\w+", rules))
    assert named
    assert named <= set(metrics.HELP)
    assert set(re.findall(r'status="(\w+)"', rules)) <= set(metrics.STATES)


def test_every_exit_code_has_its_remedy() -> None:
    section = PAGE.read_text().partition("## What to do about an exit code\n")[2].partition("\n## ")[0]
    told = {int(code) for codes in re.findall(r"^\| ([0-9, ]+) \|", section, re.MULTILINE) for code in codes.split(",")}
    assert told == {int(code) for code in ExitCode} - {0}


def test_the_commands_that_the_page_says_are_minded_are() -> None:
    group = typer.main.get_command(app)
    minded = {name for name, each in group.commands.items() if any("--metrics" in one.opts for one in each.params)}  # type: ignore[attr-defined]
    section = PAGE.read_text().partition("## Be told when")[2].partition("curri calls\n")[0]
    assert set(re.findall(r"`([a-z-]+)`", section.partition("at the end of")[2])) == minded


def test_no_secret_stands_in_a_line_that_others_can_read() -> None:
    _, jobs = crontab(PAGE)
    for line in [*(command for _, command in jobs), *units().values()]:
        assert not re.search(r"PASSWORD|TOKEN=|PING_URL=|DATABASE_URL=|://", line)
