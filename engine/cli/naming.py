"""What results are called: the rule that `-o` gives, the default names, the endings."""

from __future__ import annotations

import os
import re
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.client.errors import OptionError, OutputFormat, PincelError
from engine.client.options import SEED_MAX
from engine.files import check
from engine.files.write import ENDINGS, output_format

WRITTEN = tuple(ENDINGS)
FIELDS = ("stem", "name", "task", "seed", "ext", "n")
_USUAL = {"PNG": ".png", "JPEG": ".jpg", "TIFF": ".tif", "WEBP": ".webp"}


def label(task: str, values: Mapping[str, Any]) -> str:
    """What a default name says about the result: "colorized", "x4", "1920x1080", "w1920", "preview"."""
    if values.get("preview"):
        return "preview"
    if "scale" not in values:
        return task + ("d" if task.endswith("e") else "ed")
    width, height = values["width"], values["height"]
    if width and height:
        return f"{width}x{height}"
    if width or height:
        return f"w{width}" if width else f"h{height}"
    return f"x{values['scale']:g}"


def labels(task: str, values: Mapping[str, Any]) -> str:
    """A pattern of all that label() says about the results of this task, whatever size is wanted now."""
    return "preview|" + (r"x[\d.]+|\d+x\d+|[wh]\d+" if "scale" in values else re.escape(label(task, {})))


class Naming:
    """The rule that `-o` gives for the names of results.

    out: None, a folder, a file or a template. sources: how many there are. masked: whether a mask is given, which leaves
    colours alone transparent. Raises OptionError or OutputFormat where `out` makes no sense.
    """

    def __init__(self, task: str, values: Mapping[str, Any], out: str | None, sources: int, masked: bool) -> None:
        self.task, self.values, self.out = task, values, out
        self.transparent = masked and values.get("output") == "color-only"
        self.variants = int(values.get("variants", values.get("count", 1)))
        self.kind = "beside"
        if out is None:
            return
        if not out:
            raise OptionError("-o names no place.", "Give a file, a folder or a template, or leave -o away.")
        path = Path(out)
        if "{" in out or "}" in out:
            self.kind = "template"
            self._check_template(out)
        elif out.endswith(("/", os.sep)) or os.path.isdir(path) or not path.suffix:
            self.kind = "folder"
        else:
            self.kind = "file"
            output_format(path)
            if sources > 1:
                raise OptionError(
                    f"-o {out} is one file, but there are {sources} pictures.",
                    "Give a folder, or a template such as -o 'out/{stem}.{ext}'.",
                )

    def _check_template(self, out: str) -> None:
        try:
            names = {name for _, name, *_ in string.Formatter().parse(out) if name is not None}
            unknown = sorted(names - set(FIELDS))
            if unknown:
                raise ValueError(f"it has an unknown field {{{unknown[0]}}}")
            if "seed" in names and "seed" not in self.values:
                raise ValueError(f"{self.task} has no seed")
            filled = self._filled(Path("stem.png"), 1)
        except (ValueError, LookupError) as error:
            reason = error if isinstance(error, ValueError) else f"it has an unknown field {error}"
            fields = ", ".join(f"{{{name}}}" for name in FIELDS)
            remedy = f"The fields are {fields}; write {{{{ for a brace itself."
            raise OptionError(f"The template {out} cannot be used: {reason}.", remedy) from error
        if Path(filled).suffix.lower() not in WRITTEN:
            raise OutputFormat(f"The template {out} does not end like a picture.", "End it with .{ext} or .png.")

    def _seed(self, n: int) -> dict[str, int]:
        """The seed of the n-th result, from 1; neighbours and ways of `generate` all belong to the first one's."""
        if "seed" not in self.values:
            return {}
        near = self.values.get("to_seed") is not None or self.values.get("spread", 1) != 1
        return {"seed": (int(self.values["seed"]) + (0 if near else n - 1)) % (SEED_MAX + 1)}

    def _filled(self, source: Path, n: int) -> str:
        fields = {"stem": source.stem, "name": source.name, "task": self.task, "n": n, "ext": self._ending(source)[1:]}
        return str(self.out).format(**fields, **self._seed(n))

    def targets(self, source: Path | None, below: Path) -> list[Path]:
        """One path a variant."""
        if source is None:
            return self._targets_of_nothing()
        if self.kind == "template":
            filled = [Path(self._filled(source, n + 1)) for n in range(self.variants)]
            return filled if len(set(filled)) == len(filled) else self._numbered(filled[0])
        if self.kind == "file":
            return self._numbered(Path(str(self.out)))
        folder = source.parent if self.out is None else Path(self.out) / below
        return self._numbered(folder / f"{source.stem}.{label(self.task, self.values)}{self._ending(source)}")

    def _targets_of_nothing(self) -> list[Path]:
        """Without a source results are called by their seed, "generated-7.png", where no other name is asked for."""
        source = Path(f"{label(self.task, self.values)}.png")
        if self.kind in ("template", "file"):
            return self.targets(source, Path())
        folder = Path(self.out or ".")
        named = [folder / f"{source.stem}-{self._seed(n + 1)['seed']}.png" for n in range(self.variants)]
        return named if len(set(named)) == len(named) else self._numbered(named[0])

    def _numbered(self, path: Path) -> list[Path]:
        """The path itself for one result, else path-1, path-2 ..."""
        if self.variants == 1:
            return [path]
        return [path.with_name(f"{path.stem}-{n + 1}{path.suffix}") for n in range(self.variants)]

    def _ending(self, source: Path) -> str:
        """The default ending of a result, with its dot."""
        own = ending(source)
        return ".png" if self.transparent and ENDINGS[own] == "JPEG" else own


def ending(source: Path) -> str:
    """The source's own ending where Pincel writes that format, else .png, which loses nothing.

    A picture is what its first bytes say, so a PNG that is called .jpg gives a .png. What cannot be read goes by its name.
    """
    suffix = source.suffix.lower()
    try:
        with check.opened(str(source)) as (_, form):
            pass
    except PincelError:
        form = ENDINGS.get(suffix, "")
    return suffix if form and ENDINGS.get(suffix) == form else _USUAL.get(form, ".png")
