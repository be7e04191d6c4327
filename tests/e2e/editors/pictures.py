"""Pictures put into GIMP and taken out of it as numpy arrays, through raw files: what the tests compare."""

from __future__ import annotations

import numpy as np

from tests.e2e.editors.gimp import Gimp

FORMATS = {1: "Y'", 2: "Y'A", 3: "R'G'B'", 4: "R'G'B'A"}
TYPES = {1: "GRAY", 2: "GRAYA", 3: "RGB", 4: "RGBA"}
BABL = {"uint8": "u8", "uint16": "u16", "float32": "float"}
LUMA = np.array([0.299, 0.587, 0.114])


class Pictures:
    def __init__(self, gimp: Gimp) -> None:
        self.gimp = gimp

    def new(self, array: np.ndarray, precision="U8_NON_LINEAR", canvas=None, at=(0, 0), group=False, profile="None"):
        """A new image `img` whose one layer `l` holds the array [H, W, C]; in the group `g` if asked for."""
        height, width, channels = array.shape
        path = self.gimp.folder / "in.raw"
        path.write_bytes(array.tobytes())
        canvas = canvas or (width, height)
        base = "RGB" if channels > 2 else "GRAY"
        self.gimp.do(f"""
img = Gimp.Image.new_with_precision({canvas[0]}, {canvas[1]}, B.{base}, P.{precision})
if {profile}: img.set_color_profile({profile})
g = None
if {group}:
    g = Gimp.GroupLayer.new(img, "G")
    img.insert_layer(g, None, 0)
l = layer(img, {width}, {height}, T.{TYPES[channels]}_IMAGE, g, {at}, "photo")
put(l, {str(path)!r}, "{FORMATS[channels]} {BABL[array.dtype.name]}")
""")

    def add(self, variable: str, array: np.ndarray, name: str, at=(0, 0)) -> None:
        """A new topmost layer of `img`, a variable in GIMP, that holds the array u8 [H, W, C]."""
        height, width, channels = array.shape
        path = self.gimp.folder / "in.raw"
        path.write_bytes(array.tobytes())
        self.gimp.do(f"""
{variable} = layer(img, {width}, {height}, T.{TYPES[channels]}_IMAGE, None, {at}, {name!r})
put({variable}, {str(path)!r}, "{FORMATS[channels]} u8")
""")

    def run(self, task: str, layers: str = "[l]", **given: object) -> list[str]:
        """[status, error] of a procedure on `img`; values that are names of Python in GIMP begin with "="."""
        words = [f"{k}={v[1:]}" if isinstance(v, str) and v[:1] == "=" else f"{k}={v!r}" for k, v in given.items()]
        return self.gimp.do(f"value = run({task!r}, img, {layers}, {', '.join(words)})")

    def take(self, drawable: str, channels: int, dtype=np.uint8) -> tuple[np.ndarray, list]:
        """A drawable's pixels [H, W, C], and its [name, width, height, x, y]."""
        path = self.gimp.folder / "out.raw"
        kind = f"{FORMATS[channels]} {BABL[np.dtype(dtype).name]}"
        facts = self.gimp.do(f"value = take({drawable}, {str(path)!r}, {kind!r})")
        return np.fromfile(path, dtype).reshape(facts[2], facts[1], channels), facts

    def exported(self, image: str = "img") -> np.ndarray:
        """What GIMP's own export writes: the image as it is seen, [H, W, 3], and transparent nowhere."""
        from PIL import Image

        path = self.gimp.folder / "out.png"
        self.gimp.do(f"save({image}, {str(path)!r})")
        seen = np.asarray(Image.open(path).convert("RGBA"))
        assert (seen[..., 3] == 255).all()
        return seen[..., :3]

    def tree(self) -> list:
        return self.gimp.ask("names(img.get_layers())")
