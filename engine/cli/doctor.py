"""pincel doctor: what somebody who helps needs to know, without names of people."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from engine import __version__, paths
from engine.cli.anonymous import anonymous
from engine.cli.service import in_words
from engine.client.errors import PincelError
from engine.server import log

_PACKAGES = (
    "torch",
    "numpy",
    "pillow",
    "tifffile",
    "imagecodecs",
    "safetensors",
    "pyzmq",
    "typer",
    "rich",
    "scikit-image",
)
_CPU_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "f16c", "asimd", "bf16")
_LOG_LINES, _ERRORS = 10, 10


def add_to(app: typer.Typer) -> None:
    app.command(
        "doctor", help="Describe this installation, and say what is wrong with it. Exit status 1 if anything is."
    )(doctor)


def doctor(as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False) -> None:
    problems: list[str] = []
    said = {
        "pincel": _pincel(),
        "system": _system(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "torch": _torch(problems),
        "folders": _folders(problems),
        "weights": _weights(problems),
        "editors": _editors(),
        "engine": _engine(problems),
        "other machines": _remote(problems),
        "last errors": _last_errors(),
        "problems": problems,
    }
    said = anonymous(said)
    if as_json:
        print(json.dumps(said, indent=1))
    else:
        print("```text")  # one block, ready to be pasted into a report
        _print(said)
        print("```")
    if problems:
        raise typer.Exit(1)


def _print(said: dict[str, Any]) -> None:
    for section, values in said.items():
        print(f"{section}:")
        if isinstance(values, dict):
            for key, value in values.items():
                _print_value(key, value)
        else:
            for value in values or ["none"]:
                print(f"  {value}")


def _print_value(key: str, value: Any) -> None:
    if isinstance(value, list):
        print(f"  {key}:" + ("" if value else " none"))
        for line in value:
            print(f"    {line}")
    elif isinstance(value, dict) and any(isinstance(v, list) for v in value.values()):
        print(f"  {key}:")
        for name, one in value.items():
            print(f"    {name}: {in_words(one, name)}")
    else:
        print(f"  {key}: {in_words(value, key)}")


def _pincel() -> dict[str, Any]:
    environment = {k: v for k, v in os.environ.items() if k.startswith("PINCEL_")}
    return {
        "version": __version__,
        "installed": "from a clone" if paths.from_clone() else "from a wheel",
        "folder": str(Path(__file__).resolve().parents[1]),
        "python": f"{platform.python_version()} ({platform.python_implementation()}), {sys.executable}",
        "environment": environment,
    }


def _system() -> dict[str, Any]:
    pages = {"total": "SC_PHYS_PAGES", "free": "SC_AVPHYS_PAGES"}
    size = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0
    memory = {key: f"{os.sysconf(name) * size / 2**30:.1f} GiB" for key, name in pages.items() if name in _SYSCONF}
    flags: set[str] = set()
    model = platform.processor()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            if key.strip() in ("flags", "Features"):
                flags = set(value.split())
            elif key.strip() == "model name":
                model = value.strip()
    except OSError:
        pass
    return {
        "system": platform.platform(),
        "processor": model,
        "cores": os.cpu_count(),
        "features": " ".join(f for f in _CPU_FLAGS if f in flags) or "unknown",
        "memory": memory,
    }


_SYSCONF = getattr(os, "sysconf_names", {})


def _version(name: str) -> str:
    from importlib import metadata  # takes a tenth of the time that `pincel --help` may take

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _torch(problems: list[str]) -> dict[str, Any]:
    try:
        import torch
    except Exception as error:
        problems.append(f"PyTorch cannot be imported: {error}")
        return {"error": str(error)}
    from engine.store.cache import quick_type

    found: dict[str, Any] = {
        "version": torch.__version__,
        "threads": torch.get_num_threads(),
        "bf16 on the processor": quick_type(torch.device("cpu")) is torch.bfloat16,
        "mps": bool(torch.backends.mps.is_available()),
        "cuda": [],
    }
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(index)
            name = torch.cuda.get_device_name(index)
            bf16 = "bf16" if torch.cuda.is_bf16_supported() else "no bf16"
            found["cuda"].append(f"{name}, {free / 2**30:.1f} of {total / 2**30:.1f} GiB free, {bf16}")
    return found


def _folders(problems: list[str]) -> dict[str, str]:
    from engine.client import connection

    named = {
        **{f"models {n + 1}": folder for n, folder in enumerate(paths.model_folders())},
        "data": paths.data_folder(),
        "cache": paths.cache_folder(),
        "logs": paths.log_folder(),
        **{f"engine {n + 1}": Path(folder) for n, folder in enumerate(connection.candidates())},
    }
    said = {}
    for name, folder in named.items():
        if not folder.exists():
            said[name] = f"{folder} (not there yet)"
            continue
        mode = folder.stat().st_mode & 0o777
        writable = "writable" if os.access(folder, os.W_OK) else "not writable"
        said[name] = f"{folder} (mode {mode:o}, {writable})"
        if name.startswith("engine") and mode & 0o077 and os.name == "posix":
            problems.append(f"Other users can look into {folder}, where the engine's key lies: chmod 700 {folder}")
    return said


def _weights(problems: list[str]) -> dict[str, str]:
    said = {}
    try:
        from engine.store import models
        from engine.store.header import digest

        for verdict in models.verify():
            name = verdict.name if verdict.name not in said else f"{verdict.name} (in {verdict.path.parent})"
            if verdict.error is not None:
                said[name] = str(verdict.error)
                problems.append(str(verdict.error))
            else:
                listed = "as listed" if verdict.listed else "not in a list"
                said[name] = f"sound, sha256 {digest(verdict.path)[:16]}, {listed}"
        for task, names in models.defaults().items():
            for name in set(names.values()) - set(said):
                problems.append(f"The weights {name} that {task} takes are missing. Install Pincel again.")
    except PincelError as error:
        problems.append(str(error))
    except ImportError as error:
        problems.append(f"The weights cannot be looked at: {error}")
    return said


def _engine(problems: list[str]) -> dict[str, Any]:
    from engine.client import connection, launcher
    from engine.client.session import Session

    found, reasons = connection.find()
    said: dict[str, Any] = {"running": bool(found)}
    for folder, why in reasons.items():
        said[f"connection file in {folder}"] = why
        if "damaged" in why or "users" in why:
            problems.append(
                f"The connection file in {folder} is of no use ({why}): delete it, then start the engine again."
            )
    for one in found:
        said[f"connection file {one.path}"] = f"process {one.pid}, {one.endpoint}"
    if found:
        try:
            with Session.connect("pincel-doctor", __version__, start=False) as session:
                said["state"] = session.status()
        except PincelError as error:
            problems.append(str(error))
            said["state"] = str(error)
    said["log"] = [_line(entry) for entry in log.read(paths.log_folder() / log.FILE)[-_LOG_LINES:]]
    # What an engine that an editor started said before it had a log.
    for folder in connection.candidates():
        with contextlib.suppress(OSError):
            text = (Path(folder) / launcher.LOG).read_text(encoding="utf-8", errors="replace")
            said["log"] += [log.clean(line) for line in text.splitlines()[-_LOG_LINES:]]
    return said


def _line(entry: dict[str, Any]) -> str:
    return log.clean(f"{entry.get('time')} {entry['level']} {entry.get('part')}: {entry['text']}")


def _last_errors() -> list[str]:
    """What went wrong last, from the engine's log: the sentence, and of a traceback its last line."""
    said = []
    for entry in log.read(paths.log_folder() / log.FILE):
        if entry["level"] in ("WARNING", "ERROR", "CRITICAL"):
            trace = str(entry.get("trace", "")).strip().splitlines()
            said.append(_line(entry) + (f" ({log.clean(trace[-1])})" if trace else ""))
    return said[-_ERRORS:]


def _editors() -> dict[str, str]:
    """Each place for plug-ins that was found, and what of ours is in it."""
    import importlib

    from engine.cli.install import EDITORS
    from engine.install import common

    said = {}
    around = common.Surroundings.here()
    for name in EDITORS:
        editor = importlib.import_module(f"engine.install.{name}").EDITOR
        profiles = editor.profiles(around)
        if not profiles:
            said[editor.title] = common.NEVER_STARTED if editor.is_there(around) else "not found"
        for profile in profiles:
            noted = common.note(editor, profile)
            state = f"Pincel {noted['version']}{' (linked)' * bool(noted['linked'])}" if noted else "without Pincel"
            if noted and noted["version"] != __version__:
                state += f", not {__version__}: run `pincel install {name}`"
            said[f"{profile.title} in {profile.plugins}"] = state
    return said


def _remote(problems: list[str]) -> dict[str, Any]:
    """How many machines are paired; their names and keys are nobody's business."""
    from engine.remote import pairs

    try:
        known = pairs.load()
    except PincelError as error:
        problems.append(str(error))
        return {"keys": str(error)}
    return (
        {"may use the engine here": len(known.clients), "engines to use": len(known.engines)}
        if known
        else {"paired": 0}
    )
