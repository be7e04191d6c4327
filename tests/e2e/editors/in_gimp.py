"""Runs inside GIMP's batch interpreter: executes the Python that comes over the Unix socket $PINCEL_TEST_SOCKET.

Each connection sends a piece of Python and gets {"ok", "out", "value"} as JSON; `value` is what the code assigned to that
name. Names stay from one piece to the next. "quit" ends it.
"""

import contextlib
import io
import json
import os
import socket
import traceback


def serve(path):
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(path)
    listening.listen(8)
    names = {"__name__": "in_gimp"}
    exec("from gi.repository import Gimp, Gegl, Gio, GLib, GObject", names)
    while True:
        connection, _ = listening.accept()
        with connection, contextlib.suppress(OSError):
            code = everything(connection)
            if code == "quit":
                return connection.sendall(b'{"ok": true, "out": "", "value": null}')
            connection.sendall(json.dumps(execute(code, names), default=repr).encode())


def everything(connection):
    return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


def execute(code, names):
    said = io.StringIO()
    names.pop("value", None)
    try:
        with contextlib.redirect_stdout(said):
            exec(compile(code, "<test>", "exec"), names)
    except BaseException:
        return {"ok": False, "out": said.getvalue() + traceback.format_exc(), "value": None}
    return {"ok": True, "out": said.getvalue(), "value": names.get("value")}


serve(os.environ["PINCEL_TEST_SOCKET"])
