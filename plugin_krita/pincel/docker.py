"""What Krita is given: the docker, and an action for each task on the chosen layer."""

from krita import DockWidget, DockWidgetFactory, DockWidgetFactoryBase, Extension, Krita

from .host import Host
from .hub import Hub
from .panel import Panel
from .pincel_client.options import TASKS

DOCKER = "pincel_docker"
_shared = {}  # the one Hub, made with the first window
dockers = []


def hub():
    if "hub" not in _shared:
        made = _shared["hub"] = Hub(Host())
        notifier = Krita.instance().notifier()
        notifier.setActive(True)
        notifier.applicationClosing.connect(made.close)
    return _shared["hub"]


class PincelDocker(DockWidget):
    def __init__(self):
        super().__init__()
        self.setWindowTitle("Pincel")
        self.panel = Panel(hub())
        self.setWidget(self.panel)
        dockers.append(self)
        self.destroyed.connect(lambda *_, gone=self: dockers.remove(gone))

    def canvasChanged(self, canvas):
        """Another view is in front: the hub's next turn sees which."""


class PincelExtension(Extension):
    """Tools > Scripts, and Settings > Configure Krita > Keyboard Shortcuts."""

    def setup(self):
        pass

    def createActions(self, window):
        for task in TASKS.values():
            action = window.createAction("pincel_" + task.name, "Pincel: %s" % task.title, "tools/scripts")
            action.setToolTip(task.help)
            action.triggered.connect(lambda *_, name=task.name: run(name))
        window.createAction("pincel_cancel", "Pincel: Cancel", "tools/scripts").triggered.connect(lambda *_: cancel())


def run(name):
    """Run a task on the chosen layer with the docker's options for it."""
    panel = _panel()
    panel.choose_task(name)
    panel.run()


def cancel():
    _panel().cancel()


def _panel():
    """The panel of the window in front; its docker is made visible, so that progress and errors are seen."""
    window = Krita.instance().activeWindow()
    for docker in reversed(dockers):
        if window is None or window.qwindow().isAncestorOf(docker):
            docker.setVisible(True)
            docker.raise_()
            return docker.panel
    return dockers[-1].panel


def register():
    app = Krita.instance()
    app.addExtension(PincelExtension(app))
    app.addDockWidgetFactory(DockWidgetFactory(DOCKER, DockWidgetFactoryBase.DockRight, PincelDocker))
