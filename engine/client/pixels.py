"""A rectangle of pixels that says what its bytes are: the one form in which pictures cross the wire.

Rows from top to bottom, channels interleaved, little-endian, no padding. The engine does all conversion.
"""

from .errors import EmptyPicture, FrameInvalid, TooLarge

CHANNELS = {"GRAY": 1, "GRAYA": 2, "RGB": 3, "RGBA": 4, "BGR": 3, "BGRA": 4}
DTYPES = {"u8": 1, "u16": 2, "f16": 2, "f32": 4}
TRANSFERS = ("srgb", "linear")
ALPHAS = ("straight", "premultiplied")
# Wider or higher than this is refused before anything is allocated (input.too-large).
SIDE_MAX = 40000
# The bounds of a coordinate, and of a profile in bytes.
NUMBER_MAX = 2**31 - 1
ICC_MAX = 16 * 1024**2


class Pixels:
    """width x height pixels in `data` (bytes-like).

    channels: a key of CHANNELS. dtype: a key of DTYPES; integers span 0..max, floats 0..1 (values outside are kept).
    transfer: "srgb" (also for other display profiles) or "linear". alpha: "straight" or "premultiplied".
    icc: the profile's bytes or b"". x, y: the rectangle's place on a canvas of canvas = (width, height) pixels.
    canvas None: the rectangle is the whole canvas.
    Raises FrameInvalid when these do not add up, EmptyPicture for 0 pixels.
    """

    def __init__(
        self, data, width, height, channels, dtype, transfer="srgb", alpha="straight", icc=b"", x=0, y=0, canvas=None
    ):
        self.data, self.width, self.height = data, width, height
        self.channels, self.dtype, self.transfer, self.alpha = channels, dtype, transfer, alpha
        self.icc, self.x, self.y, self.canvas = icc, x, y, canvas
        self.check()

    def check(self):
        """Raise FrameInvalid, or EmptyPicture for 0 pixels, unless all fields are of their kind and agree."""
        _check_fields(vars(self))
        for name, value in (("data", self.data), ("icc", self.icc)):
            try:
                whole = memoryview(value).c_contiguous
            except TypeError:
                whole = False
            if not whole:
                raise FrameInvalid("A frame's %s must be bytes in one piece, not %s." % (name, type(value).__name__))
        _check_size(vars(self), memoryview(self.data).nbytes)

    @property
    def nbytes(self):
        return self.width * self.height * CHANNELS[self.channels] * DTYPES[self.dtype]

    def header(self, name):
        """The description that goes into a message's header; name: "source", "hints", "mask", "result-0"..."""
        return {
            "name": name,
            "width": self.width,
            "height": self.height,
            "channels": self.channels,
            "dtype": self.dtype,
            "transfer": self.transfer,
            "alpha": self.alpha,
            "x": self.x,
            "y": self.y,
            "canvas": list(self.canvas) if self.canvas else None,
            "icc": len(self.icc),
        }


def from_header(entry, data, icc=b"", side_max=SIDE_MAX):
    """The Pixels that a message's header describes, on the bytes that came with it (not copied).

    entry: the description, any JSON object; data, icc: bytes-like; side_max: the longest allowed side, None for any.
    Everything is checked before anything of the announced size is made: raises FrameInvalid where the description
    lies, EmptyPicture for 0 pixels, TooLarge beyond side_max.
    """
    missing = [name for name in _FIELDS if name not in entry]
    if missing:
        raise FrameInvalid("A frame's description lacks %s." % ", ".join(missing))
    canvas = entry["canvas"]
    fields = {name: entry[name] for name in _FIELDS}
    fields["canvas"] = tuple(canvas) if isinstance(canvas, list) else canvas
    _check_fields(fields)
    longest = max(fields["width"], fields["height"])
    if side_max is not None and longest > side_max:
        raise TooLarge("The picture's longer side has %d pixels; %d are allowed." % (longest, side_max), side=longest)
    _check_size(fields, memoryview(data).nbytes)
    if not _whole(entry.get("icc"), 0, ICC_MAX) or entry["icc"] != memoryview(icc).nbytes:
        raise FrameInvalid("A frame's profile does not have the announced length.")
    return Pixels(data, icc=icc, **fields)


_FIELDS = ("width", "height", "channels", "dtype", "transfer", "alpha", "x", "y", "canvas")
_WORDS = {"channels": CHANNELS, "dtype": DTYPES, "transfer": TRANSFERS, "alpha": ALPHAS}


def _whole(value, low, high):
    """Whether the value is a whole number from low to high; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _check_fields(fields):
    """That each field alone is of its kind and in its range."""
    for name, allowed in _WORDS.items():
        value = fields[name]
        if not isinstance(value, str) or value not in allowed:
            raise FrameInvalid("A frame's %s must be one of %s, not %.60r." % (name, ", ".join(allowed), value))
    for name, low in (("width", 0), ("height", 0), ("x", -NUMBER_MAX), ("y", -NUMBER_MAX)):
        if not _whole(fields[name], low, NUMBER_MAX):
            raise FrameInvalid("A frame's %s must be a whole number, not %.60r." % (name, fields[name]))
    canvas = fields["canvas"]
    if canvas is not None and not (
        isinstance(canvas, tuple) and len(canvas) == 2 and all(_whole(side, 1, NUMBER_MAX) for side in canvas)
    ):
        raise FrameInvalid("A frame's canvas must be its width and height, not %.60r." % (canvas,))


def _check_size(fields, size):
    """That there are pixels, and that they need exactly `size` bytes."""
    width, height, channels, dtype = (fields[name] for name in ("width", "height", "channels", "dtype"))
    if not width or not height:
        raise EmptyPicture("The picture has %d x %d pixels." % (width, height))
    needed = width * height * CHANNELS[channels] * DTYPES[dtype]
    if size != needed:
        raise FrameInvalid(
            "%d x %d %s %s needs %d bytes, but %d came." % (width, height, channels, dtype, needed, size)
        )
