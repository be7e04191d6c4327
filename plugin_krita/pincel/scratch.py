"""A .kra file with nothing in it but an empty group with an empty transparency mask, written with the standard library.

Krita makes new layers only for a document. Layers that need more than one call to make (masks, groups, other colour
spaces) are put together in such a document of our own, which nobody sees, and then cloned into the user's: there the whole
is one undo step. A transparency mask that Krita 5.1 creates by itself has no pixels to write to; one that was loaded has.
"""

import zipfile
from xml.sax.saxutils import quoteattr

_SUFFIX = {"U8": "", "U16": "16", "F16": "F16", "F32": "F32"}
_DOCUMENT = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE DOC PUBLIC '-//KDE//DTD krita 2.0//EN' 'http://www.calligra.org/DTD/krita-2.0.dtd'>
<DOC xmlns="http://www.calligra.org/DTD/krita" kritaVersion="5.0.0" editor="Krita" syntaxVersion="2.0">
<IMAGE name=%s width="%d" height="%d" mime="application/x-kra" x-res="72" y-res="72" description=""
 colorspacename=%s profile=%s><layers>
<layer name="mask" filename="layer1" nodetype="grouplayer" compositeop="normal" opacity="255" x="0" y="0" visible="1"
 locked="0" passthrough="0"><masks>
<mask name="Selection" filename="mask1" x="0" y="0" nodetype="transparencymask" visible="1" locked="0"/>
</masks></layer></layers></IMAGE></DOC>
"""


def write_kra(path, name, width, height, space):
    """Write the file; space: (model, depth, profile) of the image."""
    model, depth, profile = space
    colours = quoteattr(model + _SUFFIX[depth])
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("mimetype", "application/x-krita")
        file.writestr("maindoc.xml", _DOCUMENT % (quoteattr(name), width, height, colours, quoteattr(profile)))
        file.writestr("%s/layers/mask1.pixelselection" % name, _TILES)
        file.writestr("%s/layers/mask1.pixelselection.defaultpixel" % name, b"\0")


_TILES = "VERSION 2\nTILEWIDTH 64\nTILEHEIGHT 64\nPIXELSIZE 1\nDATA 0\n"
