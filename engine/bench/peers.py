"""Our own networks in the runtimes that are installed: onnxruntime, openvino and ncnn, beside the engine's own.

Weights go over as an ONNX file (which needs the package onnx), to ncnn by its own converter, pnnx. What is missing is named.
"""

from __future__ import annotations

import importlib.util
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.bench import machine
from engine.bench.figures import Book, turns
from engine.bench.work import photograph
from engine.generators import base
from engine.store import models, weights
from engine.store.cache import Model, ModelCache

EAGER = "torch eager"  # what all are compared with
RUNTIMES = {"onnxruntime": ("onnx", "onnxruntime"), "openvino": ("openvino",), "ncnn": ("ncnn", "pnnx")}
SIDES, QUICK_SIDES = {"upscale": 256, "colorize": 256}, {"upscale": 24, "colorize": 32}
Call = Callable[[], "np.ndarray[Any, Any]"]


def run(book: Book, wanted: tuple[str, ...], quick: bool, runs: int) -> None:
    """Each task's default networks by each runtime, taking turns with torch; and how far its output is from torch's."""
    cache = ModelCache("cpu")
    jobs = [
        (task, side, name)
        for task, side in (QUICK_SIDES if quick else SIDES).items()
        if not wanted or task in wanted
        for name in dict.fromkeys(n for wish, n in models.defaults()[task].items() if wish in (models.ANY, "cpu"))
    ]
    for task, side, name in jobs:
        model = cache.get(task, name)
        card = base.card(model.header.generator)
        picture = torch.from_numpy(photograph(side, side).array / np.float32(255)).permute(2, 0, 1)[None]
        ports = [port.channels for port in card.inputs]
        inputs = [picture[:, :n].contiguous() if n in (1, 3) else torch.zeros(1, n, side, side) for n in ports]
        calls: dict[str, Call] = {
            EAGER: _eager(models.resolve(task, name), inputs),
            "torch fp32": _ours(model, inputs, True),
        }
        if machine.bf16() and card.tiled:
            calls["torch bf16"] = _ours(model, inputs, False)
        # Torch's fastest layouts are of its own; the others get the plain network.
        network = model.network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        with tempfile.TemporaryDirectory(prefix="pincel-bench-") as folder:
            for runtime, packages in RUNTIMES.items():
                missing = [name for name in packages if importlib.util.find_spec(name) is None]
                if missing:
                    book.skip(f"peers/{task}/{name}/{runtime}", f"not installed: {', '.join(missing)}")
                    continue
                try:
                    with _portable(network, inputs):
                        calls |= _RUNTIMES[runtime](network, inputs, Path(folder))
                except Exception as error:  # a runtime's own faults are no reason for the bench to fail
                    book.skip(f"peers/{task}/{name}/{runtime}", f"{type(error).__name__}: {error}"[:200])
            network.to(memory_format=torch.channels_last)
            _compare(book, f"peers/{task}/{model.name}", calls, runs, (side * card.scale) ** 2 / 1e6)


def _compare(book: Book, name: str, calls: dict[str, Call], runs: int, megapixels: float) -> None:
    expected = calls[EAGER]()
    found = turns(dict(calls), runs)
    for runtime, samples in found.items():
        book.add(f"{name}/{runtime}", [s / megapixels for s in samples], "s/MP")
        if runtime != EAGER:
            book.ratio(f"{name}/{runtime}, times as fast as {EAGER}", found[EAGER], samples)
            off = float(np.abs(calls[runtime]().reshape(expected.shape) - expected).max())
            book.add(f"{name}/{runtime}, largest difference", [off], "of 1")


@contextmanager
def _portable(network: torch.nn.Module, inputs: list[Tensor]) -> Iterator[None]:
    """While open, networks enlarge by two matrices where they would use bicubic with antialias, which ONNX does not know."""
    original, matrices = F.interpolate, {}

    def matrix(size: int, wanted: int) -> Tensor:
        if (size, wanted) not in matrices:
            unit = torch.eye(size)[None, None]
            matrices[size, wanted] = original(unit, size=(wanted, size), mode="bicubic", antialias=True)[0, 0]
        return matrices[size, wanted]

    def interpolate(x: Tensor, *size: Any, **how: Any) -> Tensor:
        if how.get("mode") != "bicubic" or not how.get("antialias"):
            return original(x, *size, **how)
        height, width = (int(side) for side in x.shape[-2:])
        down, right = (matrix(side, round(side * how["scale_factor"])) for side in (height, width))
        return down @ x @ right.T

    F.interpolate = interpolate  # type: ignore[assignment]
    try:
        with torch.no_grad():
            network(*inputs)  # makes the matrices, so that they are constants where the network is recorded
        yield
    finally:
        F.interpolate = original


def _eager(path: Path, inputs: list[Tensor]) -> Call:
    """The network as it was trained: nothing folded, torch's own layout, float32."""
    _, network = weights.load(path)

    @torch.no_grad()
    def call() -> np.ndarray[Any, Any]:
        made: np.ndarray[Any, Any] = network(*inputs).numpy()
        return made

    return call


def _ours(model: Model, inputs: list[Tensor], exact: bool) -> Call:
    return lambda: model(*inputs, exact=exact).numpy()


def _export(network: torch.nn.Module, inputs: list[Tensor], folder: Path) -> Path:
    """The network as an ONNX file for inputs of just these sizes."""
    path = folder / "network.onnx"
    if not path.exists():
        names = [f"in{n}" for n in range(len(inputs))]
        # The exporter that needs no more than the package onnx.
        torch.onnx.export(network, tuple(inputs), str(path), input_names=names, output_names=["out"], dynamo=False)
    return path


def _onnxruntime(network: torch.nn.Module, inputs: list[Tensor], folder: Path) -> dict[str, Call]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(
        str(_export(network, inputs, folder)), options, providers=["CPUExecutionProvider"]
    )
    given = {port.name: x.numpy() for port, x in zip(session.get_inputs(), inputs, strict=True)}
    return {"onnxruntime": lambda: session.run(None, given)[0]}


def _openvino(network: torch.nn.Module, inputs: list[Tensor], folder: Path) -> dict[str, Call]:
    import openvino

    core = openvino.Core()
    converted = openvino.convert_model(network, example_input=tuple(inputs), input=[list(x.shape) for x in inputs])
    calls: dict[str, Call] = {}
    for precision in ("f32", "bf16") if machine.bf16() else ("f32",):
        hints = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": str(torch.get_num_threads())}
        compiled = core.compile_model(converted, "CPU", hints)
        calls[f"openvino {precision}"] = partial(_outcome, compiled, [x.numpy() for x in inputs])
    return calls


def _outcome(compiled: Any, given: list[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    made: np.ndarray[Any, Any] = compiled(given)[0]
    return made


def _ncnn(network: torch.nn.Module, inputs: list[Tensor], folder: Path) -> dict[str, Call]:
    import ncnn
    import pnnx

    here = os.getcwd()
    os.chdir(folder)  # pnnx writes beside what it reads, and where it stands
    try:
        pnnx.export(network, "network.pt", tuple(inputs))
    finally:
        os.chdir(here)
    net = ncnn.Net()
    net.opt.num_threads = torch.get_num_threads()
    net.load_param(str(folder / "network.ncnn.param"))
    net.load_model(str(folder / "network.ncnn.bin"))
    mats = [ncnn.Mat(x[0].numpy()).clone() for x in inputs]

    def call() -> np.ndarray[Any, Any]:
        with net.create_extractor() as extractor:
            for number, mat in enumerate(mats):
                extractor.input(f"in{number}", mat)
            return np.array(extractor.extract("out0")[1])

    return {"ncnn": call}


_RUNTIMES: dict[str, Callable[..., dict[str, Call]]] = {
    "onnxruntime": _onnxruntime,
    "openvino": _openvino,
    "ncnn": _ncnn,
}
