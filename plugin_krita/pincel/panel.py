"""The docker's content, an ordinary widget: it also runs outside Krita (`python -m tests.panel`)."""

import time

from . import controls_krita, history
from . import hub as hubs
from .pincel_client import controls
from .pincel_client.errors import PincelError
from .pincel_client.foretell import Foretelling
from .pincel_client.work import say
from .preview import Watch
from .qt import Qt, QtWidgets
from .results import Results
from .widgets import Form, button, line

SAVE_SECONDS = 1.0
FORETELL_SECONDS = 0.3
_ENGINE = {
    hubs.OFF: "Engine: not running; it starts by itself",
    hubs.STARTING: "Engine: starting…",
    hubs.READY: "Engine: ready",
    hubs.BUSY: "Engine: busy",
    hubs.FAILED: "Engine: none",
}


class Panel(Results, QtWidgets.QWidget):
    """hub: the Hub that all dockers share."""

    def __init__(self, hub, parent=None):
        super().__init__(parent)
        self.hub, self.host = hub, hub.host
        self.key, self.states, self.forms = "", hub.states, {}
        self.last = None  # the run whose variants are shown
        self._unsaved = None
        self._foretelling, self._foretold = Foretelling(), 0.0
        self._build()
        self._watch = Watch(hub, self._preview_wanted)
        hub.changed.connect(self.refresh)
        hub.finished.connect(self._finished)
        hub.tickers += [self._follow, self._foretell]
        self._task_chosen()
        self.refresh()

    # ---- the widgets ---------------------------------------------------------------------------------------------

    def _build(self):
        self.engine_label = QtWidgets.QLabel()
        self.engine_label.setWordWrap(True)
        self.free_button = button("Free memory now", "Ends idle workers: their memory returns at once.", self.hub.free)
        self.task_box = QtWidgets.QComboBox()
        for task in self.hub.tasks.values():
            self.task_box.addItem(task.title, task.name)
            self.task_box.setItemData(self.task_box.count() - 1, task.help, Qt.ItemDataRole.ToolTipRole)
        self.task_box.currentIndexChanged.connect(self._task_chosen)
        self.stack = QtWidgets.QVBoxLayout()
        self.live = QtWidgets.QCheckBox("Live preview while hints are painted")
        self.live.setToolTip("A small preview below, made anew whenever the hints' layer has changed.")
        self.run_button = button("Run", "Works on the chosen layer or what is selected of it.", self.run)
        self.cancel_button = button("Cancel", "Stops the work; the document stays as it is.", self.cancel)
        self.forecast = QtWidgets.QLabel()
        self.forecast.setToolTip("What this takes for the whole picture, by what earlier jobs took on this machine.")
        self.bar = QtWidgets.QProgressBar()
        self.status = QtWidgets.QLabel()
        self.status.setWordWrap(True)
        self.status.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.build_results()
        content = QtWidgets.QWidget()
        layout = QtWidgets.QVBoxLayout(content)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addLayout(line(self.engine_label, self.free_button))
        layout.addWidget(self.task_box)
        layout.addLayout(self.stack)
        layout.addWidget(self.live)
        layout.addLayout(line(self.run_button, self.cancel_button))
        for widget in (self.forecast, self.bar, self.status, self.wipe, self.variants_box, self.history_box):
            layout.addWidget(widget)
        layout.addStretch(1)
        scroll = QtWidgets.QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(content)
        whole = QtWidgets.QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(scroll)
        self.setMinimumWidth(240)
        for name, widget in (("run", self.run_button), ("cancel", self.cancel_button), ("task", self.task_box)):
            widget.setObjectName("pincel_" + name)

    @property
    def task(self):
        return self.hub.tasks[self.task_box.currentData()]

    @property
    def form(self):
        return self.forms[self.task.name]

    def choose_task(self, name):
        self.task_box.setCurrentIndex(self.task_box.findData(name))

    def _task_chosen(self, *_):
        self._show_task()
        self._options_changed()

    def _show_task(self):
        task = self.task
        if task.name not in self.forms:
            form = self.forms[task.name] = Form(controls_krita.controls_for(task))
            form.changed.connect(self._options_changed)
            self.stack.addWidget(form)
        for name, form in self.forms.items():
            form.setVisible(name == task.name)
        self.live.setVisible("hints" in task.extras)
        self._fill_choices()

    def _fill_choices(self):
        """The lists that change: generators of the engine, layers of the document."""
        models = self.hub.session.models if self.hub.session is not None else []
        document = self.host.active()
        layers = [(None, "None")] + (self.host.layers(document) if document is not None else [])
        for control in self.form.controls:
            if control.kind == "generator":
                self.form.set_choices(control.name, controls.generators(self.task, models))
            elif control.kind == "layer":
                self.form.set_choices(control.name, layers)

    # ---- the document in front -----------------------------------------------------------------------------------

    def _follow(self):
        """At every turn of the hub: is another document in front, is something to be kept in this one?"""
        document = self.host.active()
        key = self.host.key(document)
        if key != self.key:
            self._save()
            self.key = key
            self.last = None
            self._take_up(document)
        elif self._unsaved is not None and time.monotonic() > self._unsaved:
            self._save()

    def _take_up(self, document):
        if self.key and self.key not in self.states:
            self.states[self.key] = history.State.from_text(self.host.load_state(document))
        state = self.state
        if state is not None and state.task in self.hub.tasks:
            # Quietly: a task that the user chooses writes down what its form shows, here still another document's.
            self.task_box.blockSignals(True)
            self.choose_task(state.task)
            self.task_box.blockSignals(False)
            self._show_task()
        self._fill_choices()
        for name, form in self.forms.items():
            if state is not None and name in state.values:
                form.set_values(state.values[name])
        self._fill_choices()
        self.wipe.show_pair(None, None)
        self._show_history()
        self._show_variants()
        self.refresh()

    @property
    def state(self):
        return self.states.get(self.key)

    def _options_changed(self):
        if self.state is not None:
            self.state.task = self.task.name
            self.state.values[self.task.name] = self.form.values()
            self._unsaved = time.monotonic() + SAVE_SECONDS

    def _save(self):
        """Keep the state in the document that it belongs to, if that is still in front."""
        if self._unsaved is None:
            return
        self._unsaved = None
        document = self.host.active()
        if self.state is not None and self.host.key(document) == self.key:
            self.host.save_state(document, self.state.to_text())

    # ---- work ----------------------------------------------------------------------------------------------------

    def run(self):
        """The Run button, and the actions."""
        document = self.host.active()
        if document is None:
            self.status.setText("Open a picture first.")
            return None
        self._follow()
        if self.hub.run_of(self.key) is not None:
            return None
        self._fill_choices()
        self._options_changed()
        return self.hub.run(document, self.task, self.form.values())

    def _foretell(self):
        """At the hub's turns, now and then: what a run with these options would take."""
        if time.monotonic() - self._foretold < FORETELL_SECONDS:
            return
        self._foretold, wanted = time.monotonic(), None
        document = self.host.active()
        if document is not None and self.isVisible() and self.hub.run_of(self.key) is None:
            try:
                options = controls.collect(self.task, self.form.values()).options
                wanted = self.task.name, options, document.width(), document.height()
            except PincelError:
                pass  # the run itself will say what is wrong
        if self._foretelling.look(self.hub.session, wanted):
            self.forecast.setText(self._foretelling.text)
            self.forecast.setVisible(bool(self._foretelling.text))

    def cancel(self):
        run = self.hub.run_of(self.key)
        if run is not None:
            run.cancel()
            self.hub.wake()

    def _finished(self, run):
        if run is self._watch.preview:
            if run.error is None and run.key == self.key:
                self.wipe.show_pair(run.before, run.after, "preview")
            elif run.error is not None and run.error.code != "cancelled":
                self.status.setText("Preview: " + say(run.error))
            return
        state = self.states.get(run.key)
        if state is None or not hasattr(run, "results"):
            return
        if run.results and run.error is None and not any(entry.run is run for entry in state.entries):
            for number in reversed(range(len(run.results))):
                state.add(history.Entry.of(run, number))
            history.forget_pixels(self.states.values())
            if self.host.alive(run.document):
                self.host.save_state(run.document, state.to_text())
        if run.key == self.key:
            if run.results and run.error is None:
                self.last = run
                self.wipe.show_pair(run.before, run.after[run.chosen or 0])
                self._show_history()
                self._show_variants()
            self.status.setText(run.text)
        self._foretelling.again()
        self.refresh()

    def _preview_wanted(self):
        """What Watch asks: see there."""
        document = self.host.active()
        if not self.live.isChecked() or not self.live.isVisible() or document is None:
            return None
        values = self.form.values()
        if values.get("hints") is None or self.hub.run_of(self.key) is not None:
            return None
        return document, self.task, values, values["hints"]

    # ---- what is shown -------------------------------------------------------------------------------------------

    def refresh(self):
        hub, run = self.hub, self.hub.run_of(self.key)
        words = _ENGINE[hub.engine]
        if hub.engine in (hubs.READY, hubs.BUSY):
            memory = ", %d MB" % (hub.memory >> 20) if hub.memory else ""
            words += " (%s%s)" % (hub.device or "no worker yet", memory)
        self.engine_label.setText(words)
        self.engine_label.setToolTip(hub.sentence)
        self.free_button.setEnabled(hub.session is not None)
        self.run_button.setEnabled(run is None and bool(self.key))
        self.cancel_button.setEnabled(run is not None)
        self.bar.setVisible(run is not None)
        if run is not None:
            fraction = run.fraction
            self.bar.setRange(0, 0 if fraction is None else 1000)
            self.bar.setValue(0 if fraction is None else int(1000 * fraction))
            self.status.setText(run.text)
        if not self.task_box.view().isVisible():
            self._fill_generators()

    def _fill_generators(self):
        if self.hub.session is not None:
            for control in self.form.controls:
                if control.kind == "generator":
                    choices = controls.generators(self.task, self.hub.session.models)
                    self.form.set_choices(control.name, choices)
