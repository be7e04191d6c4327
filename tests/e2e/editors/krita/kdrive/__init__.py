"""Test-only plug-in: runs Python that comes over the Unix socket $KDRIVE_SOCK, in Krita's thread.

The client sends source and shuts down writing; the answer is JSON {ok, out, value}. While a dialog is open, its own event
loop goes on answering. A crash of Krita prints the Python line that caused it.
"""

import contextlib
import faulthandler
import io
import json
import os
import socket
import traceback

from krita import Extension, Krita
from PyQt5.QtCore import QSocketNotifier, QTimer

faulthandler.enable()
_names = {"Krita": Krita, "app": Krita.instance(), "__name__": "kdrive"}


class Drive(Extension):
    def setup(self):
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(os.environ["KDRIVE_SOCK"])
        self._server.listen(8)
        self._notifier = QSocketNotifier(self._server.fileno(), QSocketNotifier.Read)
        self._notifier.activated.connect(self._accept)

    def createActions(self, window):
        pass

    def _accept(self, *_):
        client, _address = self._server.accept()
        client.settimeout(5)
        source = b""
        while True:
            piece = client.recv(65536)
            if not piece:
                break
            source += piece
        QTimer.singleShot(0, lambda: self._run(client, source.decode()))  # not from inside the notifier

    def _run(self, client, source):
        out, ok = io.StringIO(), True
        _names.pop("value", None)
        try:
            with contextlib.redirect_stdout(out):
                exec(compile(source, "<test>", "exec"), _names)
        except BaseException:
            ok = False
            out.write(traceback.format_exc())
        answer = {"ok": ok, "out": out.getvalue(), "value": _names.get("value")}
        with contextlib.suppress(OSError):
            client.sendall(json.dumps(answer, default=repr).encode())
        client.close()


Krita.instance().addExtension(Drive(Krita.instance()))
