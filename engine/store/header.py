"""The headers of weights files: safetensors whose metadata say what they are. Nothing is believed unchecked.

Reading headers needs no torch, so that the broker can list what there is.

The header's metadata (strings, as safetensors wants it; marked J where the string is JSON):

    format      "pincel/1"                      title, thesis, licence   for people
    generator   a file of engine/generators     data J       [{"pack": name, "sha256": hex}, ...] it was trained on
    tag         "photo" in yuv_cgan.photo       steps J      training steps made
    config J    the Generator's arguments       metrics J    figures on held-out data
    task        the card's task                 commit, created, command    how and when it was trained
    coded J     {tensor: shape} of those whose whole numbers CODES holds, in their order
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import stat
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from engine.client import errors
from engine.generators import base

Shapes = dict[str, tuple[int, ...]]
FORMAT = "pincel/1"
HEADER_MAX = 4 << 20  # bytes; a real header takes some kilobytes
_PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")  # torch.save's zip, and bare pickles
_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
PLANES = (3, 6)  # bits of a number whose bits lie in bytes of their own, of eight channels each, in earlier files
SCALE = ":scale"  # what a tensor of few bits calls its scales behind its own name (engine/store/rounded.py)
CODES = ":codes"  # the tensor that holds all whole numbers of few bits
TAG = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_REQUIRED = ("format", "generator", "tag", "config", "task", "title", "thesis", "licence", "data")
NUMBER_MAX = 8192  # no size in a config is larger: refused before a network is built from it


@dataclass(frozen=True)
class Header:
    """What a weights file says about itself."""

    generator: str
    tag: str
    task: str
    title: str
    thesis: str
    licence: str
    config: dict[str, Any]
    data: list[dict[str, Any]]
    steps: int = 0
    metrics: dict[str, Any] = field(default_factory=dict)
    commit: str = ""
    created: str = ""
    command: str = ""
    shapes: Shapes = field(default_factory=dict, repr=False)
    coded: Shapes = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        return f"{self.generator}.{self.tag}"


def read_header(path: Path) -> Header:
    """The header of a weights file, checked against the file's size and the generator's card. Reads no tensor.

    Raises WeightsMissing, WeightsPickle, WeightsTruncated or WeightsMetadata.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a named pipe would wait for ever
            raise errors.WeightsMissing(f"{path.name} is no ordinary file.")
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            start = file.read(8)
            if start.startswith(_PICKLES):
                raise errors.WeightsPickle(f"{path.name} is a Python pickle, not a safetensors file.")
            if len(start) < 8:
                raise errors.WeightsTruncated(f"{path.name} has only {size} bytes.")
            length = struct.unpack("<Q", start)[0]
            if length > HEADER_MAX:
                raise errors.WeightsMetadata(f"{path.name} is not a safetensors file.", header_bytes=length)
            text = file.read(length)
    except FileNotFoundError:
        raise errors.WeightsMissing(f"There is no weights file {path.name}.") from None
    except (OSError, ValueError) as error:
        raise errors.WeightsMissing(f"The weights file {path.name} cannot be read: {error}.") from error
    if len(text) < length:
        raise errors.WeightsTruncated(f"{path.name} ends inside its header.")
    try:
        content = json.loads(text)
        metadata = content.pop("__metadata__", {})
        if not all(isinstance(value, str) for value in metadata.values()):
            raise ValueError("its metadata are not all texts")
        coded = {key: tuple(shape) for key, shape in json.loads(metadata.get("coded", "{}")).items()}
        shapes = _tensors(content, coded, size - 8 - length, path.name)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise errors.WeightsMetadata(f"The header of {path.name} cannot be understood: {error}.") from error
    return _header(metadata, shapes, coded, path)


def _tensors(content: dict[str, Any], coded: Shapes, available: int, name: str) -> Shapes:
    """The networks' tensors' shapes; their places in the file must follow each other and fill it exactly."""
    shapes: Shapes = {}
    places = []
    for key, entry in content.items():
        shape, (start, stop) = tuple(entry["shape"]), entry["data_offsets"]
        if not all(isinstance(n, int) and n >= 0 for n in (*shape, start, stop)):
            raise ValueError(f"tensor {key} has a size that is not a number")
        if stop - start != math.prod(shape) * _BYTES[entry["dtype"]]:
            raise ValueError(f"tensor {key} of shape {list(shape)} cannot have {stop - start} bytes")
        shapes[key] = shape
        places.append((start, stop))
    end = 0
    for start, stop in sorted(places):
        if start != end:
            raise ValueError("its tensors overlap or leave gaps")
        end = stop
    if end > available:
        raise errors.WeightsTruncated(f"{name} should hold {end} bytes of weights and holds {available}.")
    if end < available:
        raise ValueError(f"{available - end} bytes follow the last tensor")
    whole = {key: shape for key, shape in shapes.items() if not key.endswith(SCALE)}
    scales = {key: shape for key, shape in shapes.items() if key not in whole}
    if coded or CODES in whole:
        _check_codes(content, coded)
        del whole[CODES]
    for key in whole:
        if content[key]["dtype"] == "U8" and whole[key] and key + SCALE in scales:
            if scales[key + SCALE] == (2 * whole[key][0],):  # 4 bits: two channels to a byte
                whole[key] = (2 * whole[key][0], *whole[key][1:])
            elif len(whole[key]) > 1 and whole[key][0] in PLANES:  # eight channels to three or six bytes
                whole[key] = (8 * whole[key][1], *whole[key][2:])
    rounded = {key for key in whole if content[key]["dtype"] in ("I8", "U8")}
    narrow = any(content[key]["dtype"] == "U8" and whole[key] == shapes[key] for key in rounded)
    whole |= coded
    if narrow or scales != {key + SCALE: whole[key][:1] for key in (*rounded, *coded)}:
        raise ValueError("its tensors of few bits and their scales do not fit each other")
    return whole


def _check_codes(content: dict[str, Any], coded: Shapes) -> None:
    """Whether CODES can hold so many whole numbers: Huffman's shortest code is one bit, so no file unfolds beyond that."""
    codes = content[CODES]
    sizes = [n for shape in coded.values() for n in shape]
    if codes["dtype"] != "U8" or len(codes["shape"]) != 1 or not all(isinstance(n, int) and n > 0 for n in sizes):
        raise ValueError("its whole numbers have another form than they should")
    if any(key in content for key in coded) or sum(map(math.prod, coded.values())) > 8 * codes["shape"][0]:
        raise ValueError("its whole numbers cannot be as many as its tensors hold")


def _header(metadata: Mapping[str, str], shapes: Shapes, coded: Shapes, path: Path) -> Header:
    def lie(sentence: str) -> errors.WeightsMetadata:
        return errors.WeightsMetadata(f"{path.name}: {sentence}.")

    missing = [key for key in _REQUIRED if not metadata.get(key)]
    if missing:
        raise lie("its metadata lacks " + ", ".join(missing))
    if metadata["format"] != FORMAT:
        raise lie(f"its format is {metadata['format']!r}, this Pincel reads {FORMAT!r}")
    generator, tag = metadata["generator"], metadata["tag"]
    if generator not in base.names():
        raise lie(f"it is for a generator {generator!r} that does not exist here")
    if not TAG.fullmatch(tag):
        raise lie(f"its tag {tag!r} is not one of lower-case letters, digits, - and _")
    if path.name != f"{generator}.{tag}.safetensors":
        raise lie(f"it says that it is {generator}.{tag}, its name says otherwise")
    try:
        values = {
            key: json.loads(metadata.get(key, default), **_LENIENT.get(key, {})) for key, default in _JSON.items()
        }
    except (ValueError, RecursionError):
        raise lie("its metadata holds damaged JSON") from None
    if not isinstance(values["config"], dict) or not modest(values["config"]):
        raise lie("its config holds sizes that no generator has")
    if not isinstance(values["data"], list) or not isinstance(values["metrics"], dict):
        raise lie("its data or metrics have the wrong form")
    texts = {key: str(metadata.get(key, "")) for key in ("title", "thesis", "licence", "commit", "created", "command")}
    if not isinstance(values["steps"], int):
        raise lie("its number of steps is not a number")
    fields: dict[str, Any] = {**texts, **values}
    return Header(generator, tag, metadata["task"], shapes=shapes, coded=coded, **fields)


_JSON = {"config": "{}", "data": "[]", "steps": "0", "metrics": "{}"}
# Trainings have published figures that were NaN; lists of weights are JSON, which has null for it.
_LENIENT: dict[str, dict[str, Any]] = {"metrics": {"parse_constant": lambda _: None}}


def modest(value: Any, depth: int = 0) -> bool:
    """Whether a config holds only plain values, none so large that building the network would hang or exhaust memory."""
    if isinstance(value, dict):
        return depth == 0 and len(value) <= 64 and all(modest(v, 1) for v in value.values())
    if isinstance(value, list):
        return depth <= 1 and len(value) <= 64 and all(modest(v, 2) for v in value)
    if isinstance(value, bool | str) or value is None:
        return True
    return isinstance(value, int | float) and abs(value) <= NUMBER_MAX


def digest(path: Path) -> str:
    """The file's SHA-256, lower-case hex; remembered while the file does not change."""
    stat = path.stat()
    return _digest(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=256)
def _digest(path: Path, modified: int, size: int) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            found.update(block)
    return found.hexdigest()
