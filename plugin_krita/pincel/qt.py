"""The one seam between PyQt5 and PyQt6: Krita's own Qt decides, and Krita is asked.

Trying one import after the other would load a second Qt into Krita's process where both are installed, and end it. All
names of enumerations are written out in full (Qt.AlignmentFlag.AlignLeft), which both understand.
"""

import importlib
import sys


def qt_major():
    """5 or 6: the Qt that Krita runs on."""
    import krita  # loads its own PyQt

    if hasattr(krita, "qVersion"):
        return int(krita.qVersion().split(".")[0])
    return 6 if "PyQt6.QtCore" in sys.modules else 5


MAJOR = qt_major()
QtCore = importlib.import_module("PyQt%d.QtCore" % MAJOR)
QtGui = importlib.import_module("PyQt%d.QtGui" % MAJOR)
QtWidgets = importlib.import_module("PyQt%d.QtWidgets" % MAJOR)
Qt = QtCore.Qt
Signal = QtCore.pyqtSignal


def mouse_x(event):
    """Where a mouse event happened, in whole pixels of its widget from the left."""
    return int(event.position().x()) if MAJOR >= 6 else event.x()


def png(image):
    """A QImage as the bytes of a PNG file."""
    data = QtCore.QByteArray()
    buffer = QtCore.QBuffer(data)
    buffer.open(QtCore.QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")
    buffer.close()
    return bytes(data)


def image(data):
    """The QImage in the bytes of a PNG file; a null one where they hold none."""
    made = QtGui.QImage()
    made.loadFromData(data, "PNG")
    return made
