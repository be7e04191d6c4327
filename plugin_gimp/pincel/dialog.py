"""GIMP's own ProcedureDialog for a task: last values, presets and reset come with it. Loaded only when somebody looks."""

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("GimpUi", "3.0")
gi.require_version("Gtk", "3.0")
from gi.repository import Gimp, GimpUi, GObject, Gtk  # noqa: E402
from pincel_client import controls, errors, foretell  # noqa: E402
from pincel_client.session import Session  # noqa: E402

# A dialog must not wait for an engine that is silent.
_ASK_SECONDS = 1.0


def start(name):
    """Open the connection to the display; before any other function here."""
    GimpUi.init(name)


def ask(procedure, config, task, size):
    """Show the dialog; whether the user confirmed it. The values are in the config. size: (width, height) of the layer."""
    dialog = GimpUi.ProcedureDialog.new(procedure, config, task.title)
    try:
        shown = [control for control in controls.controls(task) if control.kind != "generator"]
        for control in shown:
            if control.kind == "float":
                dialog.get_scale_entry(_argument(control), 1.0)
        dialog.fill([_argument(control) for control in shown])
        area = dialog.get_content_area()
        for control in controls.controls(task):
            if control.kind == "generator":  # a string for GIMP, a list for people
                label = procedure.find_argument(_argument(control)).get_nick()
                row = _row(label, control, _generators(config, _argument(control), task))
                area.pack_start(row, False, False, 0)
                area.reorder_child(row, 0)
        with _Forecast(config, task, size) as forecast:
            area.pack_start(forecast.label, False, False, 0)
            return dialog.run()
    finally:
        dialog.destroy()


def _argument(control):
    return control.name.replace("_", "-")


def offer_conversion():
    """Ask whether an indexed image may become RGB. True; raises Cancelled for no."""
    question = Gtk.MessageDialog(
        message_type=Gtk.MessageType.QUESTION,
        buttons=Gtk.ButtonsType.NONE,
        text="This image is indexed: its palette cannot hold the result.",
        secondary_text="Convert it to RGB together with the result? One undo takes back both.",
    )
    question.set_title("Pincel")
    question.add_button("_Cancel", Gtk.ResponseType.CANCEL)
    question.add_button("Convert to _RGB", Gtk.ResponseType.OK)
    question.set_default_response(Gtk.ResponseType.OK)
    answer = question.run()
    question.destroy()
    if answer != Gtk.ResponseType.OK:
        raise errors.Cancelled()
    return True


def _row(words, control, widget):
    """A label and a widget, like the dialog's own rows."""
    label = Gtk.Label.new_with_mnemonic(words)
    label.set_mnemonic_widget(widget)
    widget.set_tooltip_text(control.help)
    row = Gtk.Box(orientation=Gtk.Orientation.HORIZONTAL, spacing=12)
    row.pack_start(label, False, False, 0)
    row.pack_start(widget, True, True, 0)
    row.set_margin_bottom(6)
    row.show_all()
    return row


def _generators(config, name, task):
    """A list of the networks that the running engine has, bound to the config's string: presets and reset move it."""
    widget = Gtk.ComboBoxText()
    known = set()

    def offer(value, words):
        if value and value not in known:
            known.add(value)
            widget.append(value, words)

    for value, words in controls.generators(task, _models()):
        offer(value, words)
    offer(config.get_property(name), config.get_property(name))
    config.connect("notify::" + name, lambda *_: offer(config.get_property(name), config.get_property(name)))
    flags = GObject.BindingFlags.BIDIRECTIONAL | GObject.BindingFlags.SYNC_CREATE
    config.bind_property(name, widget, "active-id", flags)
    return widget


class _Forecast:
    """A line that says what the job would take, by the engine that runs now; empty where none does, or it knows nothing."""

    def __init__(self, config, task, size):
        self.config, self.task, self.size = config, task, size
        self.label = Gtk.Label(xalign=0.0)
        self.label.set_tooltip_text("What this takes, by what earlier jobs took on this machine.")
        self._foretelling, self._session, self._signal = foretell.Foretelling(), None, None

    def __enter__(self):
        try:
            self._session = Session.connect("gimp", Gimp.version(), start=False, timeout=_ASK_SECONDS)
        except errors.PincelError:
            return self
        self._signal = self.config.connect("notify", self._look)
        self._look()
        return self

    def __exit__(self, *exception):
        if self._session is not None:
            self.config.disconnect(self._signal)
            self._session.close()

    def _look(self, *_):
        values = {c.name: self.config.get_property(_argument(c)) for c in controls.controls(self.task)}
        try:
            wanted = (self.task.name, controls.collect(self.task, values).options) + self.size
        except errors.PincelError:
            wanted = None
        text = self._foretelling.wait(self._session, wanted, _ASK_SECONDS / 5)
        self.label.set_text(text)
        self.label.set_visible(bool(text))


def _models():
    """The networks of the engine that runs now; none where none does."""
    try:
        with Session.connect("gimp", Gimp.version(), start=False, timeout=_ASK_SECONDS) as session:
            return session.models
    except errors.PincelError:
        return []
