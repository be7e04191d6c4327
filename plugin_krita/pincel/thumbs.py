"""Small pictures of large ones, quickly enough for the thread that draws Krita's window."""

from .pincel_client.pixels import CHANNELS, DTYPES, Pixels
from .pincel_client.region import Rect
from .qt import Qt, QtGui

_WORDS = {1: "B", 2: "H", 4: "I"}


def small(pixels, side, part=None):
    """The Pixels of every n-th pixel of a part (a Rect within them; None: all), at most `side` wide and high."""
    part = part or Rect(0, 0, pixels.width, pixels.height)
    step = max(1, -(-max(part.width, part.height) // side))
    count, size = CHANNELS[pixels.channels], DTYPES[pixels.dtype]
    words = memoryview(pixels.data).cast("B").cast(_WORDS[size])
    columns, rows = -(-part.width // step), -(-part.height // step)
    out = memoryview(bytearray(columns * rows * count * size)).cast(_WORDS[size])
    for row in range(rows):
        begin = ((part.y + row * step) * pixels.width + part.x) * count
        line = words[begin : begin + part.width * count]
        at = row * columns * count
        for channel in range(count):
            out[at + channel : at + columns * count : count] = line[channel :: count * step]
    data = out.cast("B")
    return Pixels(data, columns, rows, pixels.channels, pixels.dtype, pixels.transfer, pixels.alpha)


def enlarged_mask(mask, width, height, new_width, new_height):
    """A selection's bytes (1 a pixel) at another size, smoothly."""
    grey = QtGui.QImage.Format.Format_Grayscale8
    scaled = QtGui.QImage(mask, width, height, width, grey).scaled(
        new_width, new_height, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation
    )
    scaled = scaled.convertToFormat(grey)
    return rows_of(scaled, new_width)


def rows_of(image, line):
    """The bytes of a QImage without the padding at its rows' ends; line: bytes of a row."""
    bits, stride = image.constBits(), image.bytesPerLine()
    bits.setsize(stride * image.height())
    data = bytes(bits)
    if stride == line:
        return data
    return b"".join(data[y * stride : y * stride + line] for y in range(image.height()))
