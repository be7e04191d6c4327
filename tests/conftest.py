"""Every test runs with folders of its own (no user's files, no user's engine) and with tiny networks behind "auto".

The tiny networks are real generators at a reduced width with random weights, saved under the shipped names in a folder that
is searched first: the whole way through the house is real, only the pictures are ugly. Tests of the shipped weights read
them from engine.paths.shipped("weights").
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

# Set before anything is imported that might read it; subprocesses inherit it.
_HOME = Path(tempfile.mkdtemp(prefix="pincel-tests-"))
os.environ["PINCEL_HOME"] = str(_HOME / "home")
os.environ["PINCEL_RUNTIME_DIR"] = str(_HOME / "run")
os.environ["PINCEL_MODELS"] = str(_HOME / "models")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # as many test processes as cores: more threads only fight

TINY = {
    "yuv_cgan.photo": {"base": 4, "depth": 3, "max_filters": 8, "residual": [0, 0, 1]},
    "sketch_unet.illustration": {"widths": [8, 8, 16], "deep": 0, "encoder": [4, 8], "decoder": 8},
    "srgan.psnr": {"channels": 8, "blocks": 2},
    "srgan.gan": {"channels": 8, "blocks": 2},
    "swift.x4": {"channels": 8, "layers": 2},
    "pix2pix.art": {"base": 4, "depth": 3, "max_filters": 8, "residual": [0, 0, 1]},
    "dense_gan.comics": {"filters": 8},
    "conv_gan.comics": {"size": 28, "filters": 4},
    "progan.faces": {"stages": 3, "most": 8, "least": 4},
}
# Two networks of one generator must differ.
SEEDS = {"srgan.gan": 2}


def pytest_sessionstart(session: pytest.Session) -> None:
    make_tiny_weights(_HOME / "models")


def pytest_sessionfinish(session: pytest.Session) -> None:
    import shutil

    shutil.rmtree(_HOME, ignore_errors=True)


def make_tiny_weights(folder: Path) -> None:
    """The tiny networks' weights files, the same bytes each time."""
    import torch

    from engine.generators import base
    from engine.store import weights
    from engine.store.header import Header

    folder.mkdir(parents=True, exist_ok=True)
    for name, sizes in TINY.items():
        generator, tag = name.split(".")
        module, config = base.module(generator), base.module(generator).CONFIG | sizes
        with torch.random.fork_rng():
            torch.manual_seed(SEEDS.get(name, 1))
            network = module.Generator(**config)
            for parameter in network.parameters():  # livelier than a careful initialization: every input must matter
                if parameter.ndim == 4 and not parameter.any():  # a layer that starts as nothing
                    torch.nn.init.kaiming_uniform_(parameter)
                parameter.data.mul_(1.5)
        header = Header(
            generator,
            tag,
            module.CARD.task,
            "tiny random network for tests",
            module.CARD.thesis,
            "MIT",
            config,
            [{"pack": "none"}],
        )
        weights.write(folder / f"{name}.safetensors", network, header)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests said with `say`: figures that belong into a log even of a run in which all passed."""
    for report in terminalreporter.stats.get("passed", []):
        for name, said in report.user_properties:
            if name == "said" and report.when == "call":
                terminalreporter.write_line(said)


@pytest.fixture
def say(record_property):
    """say(text): a line for the end of the whole run's output."""
    return lambda text: record_property("said", text)


@pytest.fixture
def tiny_folder() -> Path:
    """The folder of the tiny networks' weights files."""
    return _HOME / "models"


@pytest.fixture
def photo():
    """A real photograph (scikit-image's astronaut, public domain), cut to an odd size: u8 [151, 203, 3]."""
    from skimage import data

    return data.astronaut()[20:171, 120:323]
