"""What a request can make an engine do: work on the pixels that it brings, nothing else. And who may read its files."""

from __future__ import annotations

import ast
import os
import pickle
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from engine.client import options
from engine.client.options import TASKS
from engine.tasks import frames
from engine.tasks.base import Picture
from tests.house.tree import ROOT, sources, tree
from tests.server.harness import EngineProcess, code, picture

MARK = "xyzzy"
# Python that runs in the engine and its workers before all else: it writes down every file that is opened, every program that
# is started and every piece of code that is run whose name or text has the mark in it.
WATCH = """
import os, sys
KINDS = ("open", "exec", "compile", "import", "os", "subprocess", "socket", "shutil", "glob", "pickle")
def watch(event, arguments, place=os.environ["PINCEL_TEST_WATCH"], busy=[]):
    if event.split(".")[0] in KINDS and not busy:
        busy.append(1)
        try:
            if "xyzzy" in repr(arguments):
                with open(place, "a") as file:
                    file.write(repr((event, arguments))[:300] + chr(10))
        finally:
            busy.clear()
sys.addaudithook(watch)
"""
HOSTILE = [
    f"../../{MARK}",
    f"/etc/{MARK}",
    f"C:\\{MARK}",
    f"file:///{MARK}",
    f"{MARK}.safetensors",
    f"..%2f{MARK}",
    f"{MARK}\x00.psnr",
    f"$(touch {MARK})",
    f"`touch {MARK}`; touch {MARK}",
    f"__import__('os').system('touch {MARK}')",
    f"{{{MARK}.__class__.__mro__}}",
    f"srgan.{MARK}",
    f"os.{MARK}",
    f"*{MARK}*",
]


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """A real engine under watch; what was seen must be nothing."""
    folder = tmp_path_factory.mktemp("watched")
    (folder / "sitecustomize.py").write_text(WATCH)
    os.environ["PINCEL_TEST_WATCH"] = str(folder / "seen")
    try:
        engine = EngineProcess(folder / "e", real=True, path=[folder])
    finally:
        del os.environ["PINCEL_TEST_WATCH"]
    engine.seen = folder / "seen"
    yield engine
    assert engine.finish()[0] == 0 and engine.faults() == []


def test_the_watch_sees(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(WATCH)
    environ = os.environ | {"PINCEL_TEST_WATCH": str(tmp_path / "seen"), "PYTHONPATH": str(tmp_path)}
    code = f"import os, pathlib\nif pathlib.Path('/{MARK}').exists(): pass\ntry: open('/{MARK}')\nexcept OSError: pass"
    (tmp_path / "code.py").write_text(code)
    subprocess.run([sys.executable, str(tmp_path / "code.py")], env=environ, check=True)
    assert f"('open', ('/{MARK}'" in (tmp_path / "seen").read_text()


def test_no_text_in_a_request_reaches_a_file_or_an_interpreter(watched):
    """Every text that a message can carry, with paths and code in it: refused by a code, and nothing was touched or run."""
    client = watched.client(hello=False)
    source = {"source": frames.to_pixels(Picture(picture_array()))}
    for text in HOSTILE:
        client.hello(nonce=text, client={"name": text, "version": text})
        refused = [client.send("submit", source, task=text, options={})]
        for task in TASKS.values():
            given = source if task.source else {}
            refused += [client.send("submit", given, task=task.name, options={o.name: text}) for o in task.options]
            refused.append(client.send("submit", given, task=task.name, options={text: 1}))
            refused.append(client.send("submit", given, task=task.name, options={"generator": f"auto{text}"}))
        for id in refused:
            assert code(client.end(id)) in ("option.task", "option.invalid", "option.generator"), (text, id)
        client.send("cancel", job=text)
        assert client.ask("ping").type == "pong"
    ok = client.send("submit", source, task="upscale", options={}, path=HOSTILE[0], file=HOSTILE[1], run=HOSTILE[9])
    assert client.end(ok).type == "result", "fields that nobody knows are passed over"
    assert not watched.seen.exists(), watched.seen.read_text()


def picture_array():
    import numpy as np

    return np.full((8, 9, 3), 90, np.uint8)


def test_options_are_numbers_choices_and_names_of_networks():
    """No kind of option can hold a path or a text of one's own."""
    kinds = {option.kind for task in TASKS.values() for option in task.options}
    assert kinds <= {"int", "float", "bool", "choice", "generator", "numbers"}
    for task in TASKS.values():
        for option in task.options:
            for text in HOSTILE:
                if option.kind != "generator":
                    with pytest.raises(options.OptionError):
                        option.check(text)


FORBIDDEN_NAMES = {"eval", "exec", "compile", "__import__", "input"}
FORBIDDEN_MODULES = {"pickle", "cPickle", "marshal", "shelve", "dill", "joblib", "yaml", "xmlrpc", "code", "runpy"}


@pytest.mark.parametrize("path", sources(), ids=str)
def test_the_sources_run_no_text_and_read_no_pickles(path):
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            assert not FORBIDDEN_MODULES & {name.partition(".")[0] for name in names}, f"{path}:{node.lineno}"
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        assert called not in FORBIDDEN_NAMES and called not in ("os.system", "os.popen"), f"{path}:{node.lineno}"
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        assert given.get("shell", "False") == "False", f"{path}:{node.lineno}"
        if called in ("torch.load", "np.load", "numpy.load"):
            assert given.get("weights_only") == "True" or given.get("allow_pickle") == "False", f"{path}:{node.lineno}"


class Trap:
    """A pickle of it makes a file when it is read."""

    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return Path.touch, (Path(self.place),)


def test_pickles_are_refused_by_the_engine_unread(tmp_path, tiny_folder, monkeypatch):
    """As weights that somebody was talked into, and in a message."""
    import torch

    models = tmp_path / "models"
    shutil.copytree(tiny_folder, models)
    bad = pickle.dumps(Trap(tmp_path / "sprung"))
    (models / "srgan.bare.safetensors").write_bytes(bad)
    torch.save({"x": Trap(tmp_path / "sprung")}, models / "srgan.torch.safetensors")
    shutil.copy(models / "srgan.torch.safetensors", models / "srgan.named.pth")
    monkeypatch.setenv("PINCEL_MODELS", str(models))
    engine = EngineProcess(tmp_path / "e", real=True)
    try:
        client = engine.client()
        listed = {model["name"] for model in client.ask("list").header["models"]}
        assert not listed & {"srgan.bare", "srgan.torch", "srgan.named"}
        for name, expected in (
            ("srgan.bare", "weights.pickle"),
            ("srgan.torch", "weights.pickle"),
            ("srgan.named", "option.generator"),
        ):
            job = client.send("submit", {"source": picture()}, task="upscale", options={"generator": name})
            assert code(client.end(job)) == expected
        client.raw([b"PINCEL/1", client_signature(client, bad), bad])
        assert code(client.get()) == "engine.malformed"
        job = client.send("submit", {"source": picture(3, 1)}, task="upscale", options={})
        assert client.end(job).type == "result"
    finally:
        engine.finish()
    assert not (tmp_path / "sprung").exists()


def client_signature(client, text):
    from engine.client import protocol

    return protocol.signature(client.where.key, text)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
def test_what_the_engine_leaves_is_its_users_alone(tmp_path, monkeypatch, tiny_folder):
    """Folders 0700, what holds a key or a log 0600, also for somebody whose umask opens everything to everybody."""
    before = os.umask(0)
    try:
        (tmp_path / "e").mkdir(mode=0o755)
        engine = EngineProcess(tmp_path / "e", real=True)
        client = engine.client()
        job = client.send("submit", {"source": picture(9, 9)}, task="upscale", options={})
        assert client.end(job).type == "result"

        def pincel(*words):
            command = [sys.executable, "-m", "engine", *map(str, words)]
            done = subprocess.run(command, cwd=ROOT, env=engine.environ, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr

        monkeypatch.setitem(engine.environ, "PINCEL_MODELS", "")
        pincel("pair")
        pincel("models", "add", tiny_folder / "srgan.psnr.safetensors")
        seen = {path: stat.S_IMODE(path.lstat().st_mode) for path in (tmp_path / "e").rglob("*")}
        engine.finish()
    finally:
        os.umask(before)
    names = {path.name for path in seen}
    assert {"engine.json", "engine.lock", "engine.log", "pairs.json", "srgan.psnr.safetensors"} <= names
    folders = {str(path): oct(mode) for path, mode in seen.items() if path.is_dir() and mode & 0o077}
    assert folders == {}, "so nothing below them can be reached"
    files = {path.name: oct(mode) for path, mode in seen.items() if path.is_file() and mode & 0o077}
    assert set(files) <= {"srgan.psnr.safetensors", "forecast.json"}, "weights are no secret"
