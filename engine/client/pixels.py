"""A rectangle of pixels that says what its bytes are: the one form in which pictures cross the wire.

Rows from top to bottom, channels interleaved, little-endian, no padding. The engine does all conversion.
"""

from .errors import FrameInvalid

CHANNELS = {"GRAY": 1, "GRAYA": 2, "RGB": 3, "RGBA": 4, "BGR": 3, "BGRA": 4}
DTYPES = {"u8": 1, "u16": 2, "f16": 2, "f32": 4}
TRANSFERS = ("srgb", "linear")
ALPHAS = ("straight", "premultiplied")
# Wider or higher than this is refused before anything is allocated (input.too-large).
SIDE_MAX = 40000


class Pixels:
    """width x height pixels in `data` (bytes-like).

    channels: a key of CHANNELS. dtype: a key of DTYPES; integers span 0..max, floats 0..1 (values outside are kept).
    transfer: "srgb" (also for other display profiles) or "linear". alpha: "straight" or "premultiplied".
    icc: the profile's bytes or b"". x, y: the rectangle's place on a canvas of canvas = (width, height) pixels.
    Raises FrameInvalid when these do not add up.
    """

    def __init__(
        self, data, width, height, channels, dtype, transfer="srgb", alpha="straight", icc=b"", x=0, y=0, canvas=None
    ):
        self.data, self.width, self.height = data, width, height
        self.channels, self.dtype, self.transfer, self.alpha = channels, dtype, transfer, alpha
        self.icc, self.x, self.y, self.canvas = icc, x, y, canvas
        self.check()

    def check(self):
        for name, value, allowed in (
            ("channels", self.channels, CHANNELS),
            ("dtype", self.dtype, DTYPES),
            ("transfer", self.transfer, TRANSFERS),
            ("alpha", self.alpha, ALPHAS),
        ):
            if not isinstance(value, str) or value not in allowed:
                raise FrameInvalid("A frame's %s must be one of %s, not %r." % (name, ", ".join(allowed), value))
        for name, value in (("width", self.width), ("height", self.height)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise FrameInvalid("A frame's %s must be a whole number, not %r." % (name, value))
        for name, value in (("x", self.x), ("y", self.y)):
            if isinstance(value, bool) or not isinstance(value, int) or abs(value) > 2**31:
                raise FrameInvalid("A frame's %s must be a whole number, not %r." % (name, value))
        size = memoryview(self.data).nbytes
        if size != self.nbytes:
            raise FrameInvalid(
                "%d x %d %s %s needs %d bytes, but %d came."
                % (self.width, self.height, self.channels, self.dtype, self.nbytes, size)
            )

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
