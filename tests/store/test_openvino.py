"""OpenVINO in the networks' stead: the same pictures within rounding; where it is missing, a sentence says so."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from engine import Engine
from engine.client.errors import OptionError


def test_a_missing_openvino_is_said_with_the_way_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(OptionError, match="pip install openvino"):
        Engine(device="openvino")


@pytest.fixture(scope="module")
def engines():
    pytest.importorskip("openvino", reason="the package openvino is not installed")
    with Engine(device="openvino") as other, Engine(device="cpu") as own:
        yield other, own


@pytest.mark.slow
def test_upscale_of_several_sizes(engines, photo):
    other, own = engines
    for part in (photo[:61, :83], photo[20:90, 10:50]):
        theirs = other.upscale(part, quality="exact")
        assert theirs.info["device"] == "openvino"
        assert np.abs(theirs.array.astype(int) - own.upscale(part, quality="exact").array).max() <= 1


@pytest.mark.slow
@pytest.mark.parametrize("generator", ["yuv_cgan.photo", "pix2pix.art"])
def test_colorize(engines, photo, generator):
    other, own = engines
    for part in (photo, photo[:100]):
        theirs, ours = (engine.colorize(part, generator=generator, seed=0).array for engine in (other, own))
        assert np.abs(theirs.astype(int) - ours).max() <= 1


@pytest.mark.slow
def test_line_art(engines, photo):
    other, own = engines
    theirs, ours = (engine.sketch(photo, seed=3).array for engine in (other, own))
    assert np.abs(theirs.astype(int) - ours).max() <= 1
