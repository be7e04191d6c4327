"""The systemd unit: what systemd itself says of it, and that its command is this installation's."""

from __future__ import annotations

import os
import plistlib
import re
import shlex
import shutil
import subprocess

import pytest

from engine.cli.app import run
from engine.cli.unit import _quoted
from tests.house.tree import ROOT


def printed(capsys, *options):
    assert run(["serve", "--unit", *options]) == 0
    return capsys.readouterr().out


def test_the_command_is_this_installation_s_with_the_options_given(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PINCEL_HOME", str(tmp_path / "a home"))
    text = printed(capsys, "--keep-alive", "60", "--device", "cpu", "--device", "cuda:0", "--ipc", "/tmp/a b")
    [command] = re.findall("^ExecStart=(.*)$", text, re.M)
    words = shlex.split(command)
    assert words[words.index("serve") :] == [
        *("serve", "--ipc", "/tmp/a b", "--device", "cpu", "--device", "cuda:0", "--keep-alive", "60.0")
    ]
    done = subprocess.run([*words[: words.index("serve")], "--version"], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.startswith("pincel ")
    assert f'Environment="PINCEL_HOME={tmp_path}/a home"' in text
    assert "KillMode=mixed" in text and "UMask=0077" in text


def test_what_systemd_would_expand_is_escaped():
    assert _quoted("50%") == "50%%" and _quoted('a "b"') == '"a \\"b\\""' and _quoted("a\\b") == '"a\\\\b"'


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not there")
def test_systemd_finds_nothing_wrong_with_it(capsys, tmp_path):
    text = printed(capsys, "--keep-alive", "60")
    if not complaints(tmp_path, text.replace("KillMode=mixed", "KillMode=maybe")):
        pytest.skip("systemd-analyze does not work here")
    assert complaints(tmp_path, text) == []


def complaints(folder, text):
    """What systemd-analyze says of the unit."""
    unit = folder / "pincel.service"
    unit.write_text(text)
    environ = os.environ | {"XDG_RUNTIME_DIR": str(folder)}
    command = ["systemd-analyze", "--user", "verify", str(unit)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    return [line for line in (done.stdout + done.stderr).splitlines() if "pincel.service" in line]


def test_the_page_s_launch_agent_can_be_read():
    page = (ROOT / "docs/service.md").read_text(encoding="utf-8")
    [text] = re.findall(r"```xml\n(.*?)```", page, re.S)
    agent = plistlib.loads(text.encode())
    assert agent["ProgramArguments"][1:] == ["serve"] and agent["KeepAlive"] == {"SuccessfulExit": False}
