"""`make run`: an old photograph in colour and another four times larger, from what is installed, without a network.

    python -m engine.demo [--results FOLDER]      colorize and upscale; results and before/after pictures in FOLDER
    python -m engine.demo --docs docs/pictures    make the README's pictures anew, with the weights that ship

The photographs come inside scikit-image: camera, coffee and chelsea are CC0, astronaut (NASA) and rocket (SpaceX) are in
the public domain. Camera is black and white; the colours of astronaut and coffee are taken away first.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from PIL import Image
from rich.console import Console

from engine.api import Engine, Result
from engine.cli.bars import bars
from engine.client.errors import InputMissing, PincelError

Make = Callable[..., Result]

WIDTH = 800  # pixels, at most, of the README's pictures
QUALITY = 76  # of WebP: a third of the bytes of a JPEG file that looks alike


def photograph(name: str) -> Image.Image:
    """One of scikit-image's photographs, from its files as installed; nothing is downloaded. Raises InputMissing."""
    try:
        folder = files("skimage") / "data"
        for ending in (".png", ".jpg"):
            path = Path(str(folder / (name + ending)))
            if path.is_file():
                with Image.open(path) as image:
                    image.load()
                return image
    except ModuleNotFoundError:
        pass
    raise InputMissing(f"scikit-image's photograph {name} is not installed.", "Install it: pip install scikit-image")


def black_and_white(name: str) -> Image.Image:
    """The photograph without its colours (Rec. 601 luma), 8-bit grey."""
    grey = photograph(name).convert("L")
    grey.info.pop("icc_profile", None)  # it describes colours
    return grey


def part(name: str, box: tuple[int, int, int, int]) -> Image.Image:
    """A part of the photograph: box = left, top, right, bottom in pixels."""
    return photograph(name).convert("RGB").crop(box)


def beside(*pictures: Image.Image, gap: int = 8) -> Image.Image:
    """The pictures from left to right on white, all of the size of the last (smaller ones by bicubic interpolation)."""
    width, height = pictures[-1].size
    sheet = Image.new("RGB", (width * len(pictures) + gap * (len(pictures) - 1), height), "white")
    left = 0
    for picture in (p.resize((width, height), Image.Resampling.BICUBIC) for p in pictures):
        sheet.paste(picture.convert("RGB"), (left, 0))
        left += picture.width + gap
    return sheet


# The parts that are upscaled, at the photographs' own resolution; for the README smaller ones, so that one sees the change.
CAT, CAT_EYE = (110, 40, 310, 190), (115, 60, 215, 135)
ROCKET, ROCKET_TOP = (240, 140, 400, 260), (285, 135, 385, 210)


def run(results: Path) -> None:
    """Colorize camera, astronaut and coffee, upscale chelsea and rocket; say where everything is and how long it took."""
    console = Console(highlight=False, soft_wrap=True)
    results.mkdir(parents=True, exist_ok=True)
    jobs: list[tuple[str, str, Image.Image, dict[str, Any]]] = [
        *(("colorize", name, black_and_white(name), {}) for name in ("camera", "astronaut", "coffee")),
        *(("upscale", name, part(name, box), {"scale": 4}) for name, box in (("chelsea", CAT), ("rocket", ROCKET))),
    ]
    began = time.monotonic()
    lines = []
    with Engine() as engine, bars(console) as progress:
        total = progress.add_task(f"{len(jobs)} photographs", total=len(jobs), phase="")
        for task, name, source, options in jobs:
            row = progress.add_task(f"{task} {name}", total=1.0, phase="")
            make: Make = getattr(engine, task)
            before = time.monotonic()
            result = make(
                source,
                on_progress=lambda p, row=row: progress.update(row, completed=p.fraction, phase=p.phase),
                **options,
            )
            seconds = time.monotonic() - before
            suffix = "colorized" if task == "colorize" else "x4"
            path = result.save(results / f"{name}.{suffix}.png", overwrite=True).resolve()
            pair = results / f"{name}.before-after.png"
            source.save(results / f"{name}.png")  # to try other commands with
            beside(source, result.image).save(pair)
            progress.remove_task(row)
            progress.advance(total)
            size = f"{source.width} x {source.height} -> {result.image.width} x {result.image.height}"
            lines.append((task, name, size, seconds, path, pair.resolve()))
    for task, name, size, seconds, path, pair in lines:
        console.print(f"{task} {name} ({size}): {seconds:.1f} s")
        console.print(f"  {path}\n  {pair}")
    console.print(f"{len(lines)} photographs in {time.monotonic() - began:.1f} s. They are in {results.resolve()}")


def make_docs(folder: Path) -> None:
    """The README's pictures: before | after, and for upscaling bicubic | ours, at most WIDTH wide."""
    folder.mkdir(parents=True, exist_ok=True)
    with Engine() as engine:
        for name in ("camera", "astronaut", "coffee"):
            source = black_and_white(name)
            save_for_docs(beside(source, engine.colorize(source).image), folder / f"{name}.webp", WIDTH)
        variants = engine.colorize(black_and_white("coffee"), seed=1, variants=3).variants
        save_for_docs(beside(*(v.image for v in variants)), folder / "coffee-variants.webp", WIDTH)
        for name, box in (("chelsea", CAT_EYE), ("rocket", ROCKET_TOP)):
            source = part(name, box)
            save_for_docs(beside(source, engine.upscale(source, scale=4).image), folder / f"{name}.webp", WIDTH)


def save_for_docs(sheet: Image.Image, path: Path, width: int = 0) -> None:
    """As a WebP file for the pages, made smaller to `width` pixels where that is given; says how large the file is."""
    if 0 < width < sheet.width:
        sheet = sheet.resize((width, round(sheet.height * width / sheet.width)), Image.Resampling.LANCZOS)
    sheet.save(path, "WEBP", quality=QUALITY, method=6)
    print(path, f"{path.stat().st_size / 1000:.0f} kB")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m engine.demo", description="Colorize and upscale sample photographs."
    )
    parser.add_argument("--results", type=Path, default=Path("results"), metavar="FOLDER")
    parser.add_argument("--docs", type=Path, metavar="FOLDER", help="make the README's pictures there instead")
    given = parser.parse_args(arguments)
    try:
        if given.docs:
            make_docs(given.docs)
        else:
            run(given.results)
    except PincelError as error:
        print(f"{error.sentence} ({error.code})\n  {error.remedy}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
