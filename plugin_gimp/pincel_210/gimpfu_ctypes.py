"""As much of gimpfu as pincel_210.py uses, over libgimp 2.10 by ctypes: for GIMPs without Python, as in Debian and Ubuntu.

No dialog: called from the menu, a procedure works with its default values. Names and behaviour are gimpfu's own.
"""

import ctypes as C
import ctypes.util
import sys


def _library(name):
    return C.CDLL(ctypes.util.find_library(name) or "lib%s.so.0" % name)


_gimp, _gegl, _babl = _library("gimp-2.0"), _library("gegl-0.4"), _library("babl-0.1")

# GimpPDBArgType, and what each PF_ kind is to the PDB.
INT32, FLOAT, STRING, ITEM, DISPLAY, IMAGE, LAYER, CHANNEL, DRAWABLE = 0, 3, 4, 11, 12, 13, 14, 15, 16
SELECTION, STATUS = 17, 21
PF_SPINNER, PF_TOGGLE, PF_OPTION, PF_STRING, PF_IMAGE, PF_DRAWABLE, PF_LAYER = range(7)
_PDB_TYPES = {
    PF_SPINNER: FLOAT,
    PF_TOGGLE: INT32,
    PF_OPTION: INT32,
    PF_STRING: STRING,
    PF_IMAGE: IMAGE,
    PF_DRAWABLE: DRAWABLE,
    PF_LAYER: LAYER,
}
EXECUTION_ERROR, CALLING_ERROR, SUCCESS = 0, 1, 3


class _Color(C.Structure):
    _fields_ = [("rgba", C.c_double * 4)]  # the largest member: it gives the union its size


class _Data(C.Union):
    _fields_ = [("int32", C.c_int32), ("float", C.c_double), ("string", C.c_char_p), ("color", _Color)]


class _Param(C.Structure):
    _fields_ = [("type", C.c_int), ("data", _Data)]


class _ParamDef(C.Structure):
    _fields_ = [("type", C.c_int), ("name", C.c_char_p), ("description", C.c_char_p)]


class _Rect(C.Structure):
    _fields_ = [("x", C.c_int), ("y", C.c_int), ("width", C.c_int), ("height", C.c_int)]


_VOID = C.CFUNCTYPE(None)
_RUN = C.CFUNCTYPE(None, C.c_char_p, C.c_int, C.POINTER(_Param), C.POINTER(C.c_int), C.POINTER(C.POINTER(_Param)))


class _Info(C.Structure):
    _fields_ = [("init", _VOID), ("quit", _VOID), ("query", _VOID), ("run", _RUN)]


_gimp.gimp_run_procedure2.restype = C.POINTER(_Param)
_gimp.gimp_run_procedure2.argtypes = [C.c_char_p, C.POINTER(C.c_int), C.c_int, C.POINTER(_Param)]
_gimp.gimp_progress_update.argtypes = [C.c_double]
for _name in ("gimp_drawable_get_buffer", "gimp_drawable_get_shadow_buffer"):
    getattr(_gimp, _name).restype = C.c_void_p
_gimp.gimp_get_pdb_error.restype = C.c_char_p
_babl.babl_format.restype = _gimp.gimp_drawable_get_format.restype = C.c_void_p
_babl.babl_get_name.restype, _babl.babl_get_name.argtypes = C.c_char_p, [C.c_void_p]
_gegl.gegl_buffer_get.argtypes = [C.c_void_p, C.POINTER(_Rect), C.c_double] + [C.c_void_p] * 2 + [C.c_int] * 2
_gegl.gegl_buffer_set.argtypes = [C.c_void_p, C.POINTER(_Rect), C.c_int, C.c_void_p, C.c_void_p, C.c_int]
_gegl.gegl_buffer_flush.argtypes = [C.c_void_p]
_gegl.g_object_unref.argtypes = [C.c_void_p]


# ---- the PDB -----------------------------------------------------------------------------------------------------


class _PDB(object):
    """pdb.gimp_something(...): values in, one value or a tuple out, as gimpfu does it. Raises RuntimeError."""

    def __getattr__(self, name):
        procedure = name.replace("_", "-").encode()

        def call(*values):
            count, wanted = C.c_int(), _wanted(procedure)
            given = (_Param * len(wanted))()
            for param, kind, value in zip(given, wanted, values):
                _put(param, kind, value)
            made = _gimp.gimp_run_procedure2(procedure, C.byref(count), len(wanted), given)
            if count.value < 1 or made[0].data.int32 != SUCCESS:
                raise RuntimeError(_gimp.gimp_get_pdb_error().decode("utf-8", "replace"))
            found = [_get(made[n]) for n in range(1, count.value)]
            _gimp.gimp_destroy_params(made, count)
            return tuple(found) if len(found) > 1 else (found or [None])[0]

        return call


def _wanted(procedure):
    """The types of a procedure's arguments."""
    texts = [C.c_char_p() for _ in range(5)]
    kind, arguments, results = C.c_int(), C.c_int(), C.c_int()
    first, second = C.POINTER(_ParamDef)(), C.POINTER(_ParamDef)()
    out = [*texts, kind, arguments, results, first, second]
    if not _gimp.gimp_procedural_db_proc_info(procedure, *[C.byref(o) for o in out]):
        raise RuntimeError("GIMP has no procedure %s" % procedure.decode())
    return [first[n].type for n in range(arguments.value)]


def _put(param, kind, value):
    param.type = kind
    if kind == FLOAT:
        param.data.float = float(value)
    elif kind == STRING:
        param.data.string = (value or "").encode("utf-8")
    else:
        param.data.int32 = -1 if value is None else int(getattr(value, "ID", value))


def _get(param):
    kind, data = param.type, param.data
    if kind == FLOAT:
        return data.float
    if kind == STRING:
        return (data.string or b"").decode("utf-8")
    if kind == IMAGE:
        return Image(ID=data.int32)
    if kind in (ITEM, LAYER, CHANNEL, DRAWABLE, SELECTION):
        return Layer(ID=data.int32) if data.int32 >= 0 else None
    return data.int32


pdb = _PDB()


# ---- images, layers, pixels --------------------------------------------------------------------------------------


class Image(object):
    def __init__(self, width=0, height=0, base_type=0, ID=None):
        self.ID = _gimp.gimp_image_new(width, height, base_type) if ID is None else ID

    width = property(lambda self: _gimp.gimp_image_width(self.ID))
    height = property(lambda self: _gimp.gimp_image_height(self.ID))
    base_type = property(lambda self: _gimp.gimp_image_base_type(self.ID))
    layers = property(lambda self: _items(_gimp.gimp_image_get_layers, self.ID))

    def undo_group_start(self):
        pdb.gimp_image_undo_group_start(self)

    def undo_group_end(self):
        pdb.gimp_image_undo_group_end(self)


def _items(function, id):
    count = C.c_int()
    function.restype = C.POINTER(C.c_int32)
    found = function(id, C.byref(count))
    return [Layer(ID=found[n]) for n in range(count.value)]


class Layer(object):
    def __init__(self, image=None, name="", width=0, height=0, type=0, opacity=100.0, mode=28, ID=None):
        if ID is None:
            ID = pdb.gimp_layer_new(image, width, height, type, name, opacity, mode).ID
        self.ID = ID

    name = property(lambda self: pdb.gimp_item_get_name(self))
    width = property(lambda self: _gimp.gimp_drawable_width(self.ID))
    height = property(lambda self: _gimp.gimp_drawable_height(self.ID))
    is_rgb = property(lambda self: bool(_gimp.gimp_drawable_is_rgb(self.ID)))
    has_alpha = property(lambda self: bool(_gimp.gimp_drawable_has_alpha(self.ID)))
    offsets = property(lambda self: pdb.gimp_drawable_offsets(self))
    children = property(
        lambda self: _items(_gimp.gimp_item_get_children, self.ID) if _gimp.gimp_item_is_group(self.ID) else []
    )

    def set_offsets(self, x, y):
        pdb.gimp_layer_set_offsets(self, x, y)

    def get_pixel_rgn(self, x, y, width, height, dirty, shadow):
        return _PixelRgn(self, shadow)

    def flush(self):
        pass  # _PixelRgn has done it

    def merge_shadow(self, undo):
        pdb.gimp_drawable_merge_shadow(self, undo)

    def update(self, x, y, width, height):
        pdb.gimp_drawable_update(self, x, y, width, height)


class _PixelRgn(object):
    """region[x0:x1, y0:y1] gives and takes raw 8-bit pixels, display-encoded sRGB; of masks and channels their values."""

    def __init__(self, layer, shadow):
        self._open = _gimp.gimp_drawable_get_shadow_buffer if shadow else _gimp.gimp_drawable_get_buffer
        self._id = layer.ID
        self._bytes = (3 if layer.is_rgb else 1) + layer.has_alpha
        name = {1: b"Y' u8", 2: b"Y'A u8", 3: b"R'G'B' u8", 4: b"R'G'B'A u8"}[self._bytes]
        if pdb.gimp_item_is_channel(layer):  # as they are: the selection's are called linear, a channel's may be or not
            name = _babl.babl_get_name(_gimp.gimp_drawable_get_format(layer.ID)).split()[0] + b" u8"
        self._format = _babl.babl_format(name)

    def _rect(self, place):
        x, y = place
        return _Rect(x.start, y.start, x.stop - x.start, y.stop - y.start)

    def __getitem__(self, place):
        rect, buffer = self._rect(place), C.c_void_p(self._open(self._id))
        data = C.create_string_buffer(rect.width * rect.height * self._bytes)
        _gegl.gegl_buffer_get(buffer, C.byref(rect), 1.0, self._format, data, 0, 0)
        _gegl.g_object_unref(buffer)
        return data.raw

    def __setitem__(self, place, data):
        rect, buffer = self._rect(place), C.c_void_p(self._open(self._id))
        _gegl.gegl_buffer_set(buffer, C.byref(rect), 0, self._format, C.c_char_p(bytes(data)), 0)
        _gegl.gegl_buffer_flush(buffer)
        _gegl.g_object_unref(buffer)


class gimp(object):
    Image, Layer = Image, Layer

    @staticmethod
    def Display(image):
        return pdb.gimp_display_new(image) if _interactive[0] else None

    @staticmethod
    def message(text):
        pdb.gimp_message(text)

    @staticmethod
    def progress_init(text):
        _gimp.gimp_progress_init(text.encode("utf-8"))

    @staticmethod
    def progress_update(fraction):
        _gimp.gimp_progress_update(fraction)

    @staticmethod
    def displays_flush():
        _gimp.gimp_displays_flush()


# ---- registering and running -------------------------------------------------------------------------------------

_registered, _interactive, _kept = {}, [False], []


def register(name, blurb, help, author, copyright, date, label, imagetypes, params, results, function, menu=None):
    _registered[name.encode()] = (
        blurb,
        help,
        author,
        copyright,
        date,
        label,
        imagetypes,
        params,
        results,
        function,
        menu,
    )


def _definitions(params):
    kept = [(_PDB_TYPES[p[0]], p[1].encode(), p[2].encode("utf-8")) for p in params]
    return (_ParamDef * max(1, len(kept)))(*[_ParamDef(*k) for k in kept])


@_VOID
def _query():
    for name, (*texts, params, results, _, menu) in _registered.items():
        params = [(None, "run-mode", "The run mode"), *params]
        _PDB_TYPES[None] = INT32
        encoded = [text.encode("utf-8") for text in texts]
        counts = (1, len(params), len(results))  # 1: a plug-in
        _gimp.gimp_install_procedure(name, *encoded, *counts, _definitions(params), _definitions(results))
        _gimp.gimp_plugin_menu_register(name, menu.encode())


@_RUN
def _run(name, count, given, result_count, result):
    answer = (_Param * 2)()
    _kept[:] = [answer]
    result_count[0], result[0] = 2, C.cast(answer, C.POINTER(_Param))
    answer[0].type = STATUS
    try:
        _gegl.gegl_init(None, None)
        params, function = _registered[name][7], _registered[name][9]
        values = [_get(given[n]) for n in range(1, count)]
        _interactive[0] = given[0].data.int32 != 1
        values += [param[3] for param in params[len(values) :]]  # from the menu come image and layer alone
        made = function(*values)
        answer[0].data.int32, answer[1].type, answer[1].data.int32 = SUCCESS, LAYER, made.ID
    except Exception as error:
        _kept.append(str(error).encode("utf-8"))
        answer[0].data.int32, answer[1].type, answer[1].data.string = EXECUTION_ERROR, STRING, _kept[1]


def main():
    info = _Info(_VOID(), _VOID(), _query, _run)
    words = (C.c_char_p * (len(sys.argv) + 1))(*[word.encode() for word in sys.argv], None)
    sys.exit(_gimp.gimp_main(C.byref(info), len(sys.argv), words))
