"""The command as a process: signals, streams, and what it leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine import __version__
from tests.cli.pictures import grey

PINCEL = [sys.executable, "-m", "engine"]


def start(*arguments, **kwargs):
    return subprocess.Popen(
        [*PINCEL, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **kwargs,
    )


def test_version_and_help():
    done = start("--version")
    out, err = done.communicate(timeout=60)
    assert (done.returncode, out, err) == (0, f"pincel {__version__}\n", "")
    helped = start()
    out, _ = helped.communicate(timeout=60)
    assert "colorize" in out and helped.returncode == 2


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_an_interrupt_is_clean(tmp_path, number):
    source = grey(tmp_path / "large.png", 1500, 1200)
    running = start("upscale", source, "--json", "--engine", "local")
    lines = []
    for line in running.stdout:
        lines.append(json.loads(line))
        if lines[-1]["event"] == "progress" and lines[-1]["phase"] == "net":
            break
    running.send_signal(number)
    out, err = running.communicate(timeout=60)
    lines += [json.loads(line) for line in out.splitlines()]
    assert running.returncode == 130, err
    assert "Traceback" not in err
    assert [e["code"] for e in lines if e["event"] == "error"] == ["cancelled"]
    assert lines[-1]["event"] == "summary" and lines[-1]["exit_status"] == 130
    assert [p.name for p in tmp_path.iterdir()] == ["large.png"], "no result, no half file"
    with pytest.raises(ProcessLookupError):  # nobody is left in the process group
        os.killpg(running.pid, 0)


def test_a_dry_run_loads_no_torch(tmp_path):
    code = f"""
import sys
import time
from pathlib import Path
from engine.cli.app import run
status = run(["upscale", {str(grey(tmp_path / "a.png"))!r}, "--dry-run"])
sys.exit(status or "torch" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_a_closed_pipe_is_no_fault(tmp_path):
    """`pincel ... | head -1`: the reader goes away first."""
    source = grey(tmp_path / "a.png")
    running = start("upscale", source, "--json", "--dry-run")
    running.stdout.close()
    running.wait(timeout=60)
    assert "Traceback" not in running.stderr.read()
    running.stderr.close()


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's tunables are Linux's")
@pytest.mark.parametrize("given", [None, "glibc.malloc.check=0"])
def test_the_engine_asks_for_large_pages_unless_its_user_tunes_the_library(tmp_path, given):
    environ = {k: v for k, v in os.environ.items() if k != "GLIBC_TUNABLES"} | {"PINCEL_RUNTIME_DIR": str(tmp_path)}
    running = start("serve", env=environ | ({"GLIBC_TUNABLES": given} if given else {}))
    try:
        until = time.monotonic() + 60
        while not list(tmp_path.glob("*.json")) and running.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        entries = Path(f"/proc/{running.pid}/environ").read_bytes().split(b"\0")
        tuned = [e.partition(b"=")[2].decode() for e in entries if e.startswith(b"GLIBC_TUNABLES=")]
        assert tuned == [given or "glibc.malloc.hugetlb=1"]
    finally:
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=60)
