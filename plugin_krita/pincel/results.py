"""The lower half of the docker: before and after, the variants of the last run, and what the document remembers."""

import time

from .compare import Wipe
from .qt import QtCore, QtGui, QtWidgets
from .widgets import button, icons, line

ICON = 72


class Results:
    """Mixed into Panel, whose hub, state, last (the run whose variants are shown) and form it uses."""

    def build_results(self):
        """Make the widgets."""
        self.wipe = Wipe()
        self.variants, self.entries = icons(ICON), icons(ICON)
        self.variants.setToolTip("Click a variant to compare it, double-click to put it into the document.")
        self.variants.itemClicked.connect(lambda item: self._compare_variant(self.variants.row(item)))
        self.variants.itemDoubleClicked.connect(lambda item: self.put(self.variants.row(item)))
        self.use_button = button("Use it", "Puts the chosen variant into the document.", self._use)
        self.all_button = button("Use all", "Puts all variants into the document, in a group.", lambda: self.put(None))
        self.entries.setToolTip("This document's results: click to compare, double-click to apply again.")
        self.entries.itemClicked.connect(lambda item: self._compare_entry(self.entries.row(item)))
        self.entries.itemDoubleClicked.connect(lambda item: self.apply_again(self.entries.row(item)))
        self.variants_box = _section("Variants", self.variants, self.use_button, self.all_button)
        self.again_button = button(
            "Apply again", "Puts the chosen result into the document once more.", lambda: self.apply_again()
        )
        self.history_box = _section("Results of this document", self.entries, self.again_button)

    def put(self, number):
        """Put a variant of the last run into the document, None: all of them."""
        if self.last is not None and self.last.done and self.last.results:
            self.last.put(number)
            self.hub.add(self.last)

    def _use(self):
        self.put(max(0, self.variants.currentRow()))

    def apply_again(self, row=None):
        """Put a result of the history into the document once more; it is made anew if its pixels are gone."""
        row = self.entries.currentRow() if row is None else row
        if self.state is None or not 0 <= row < len(self.state.entries) or self.hub.run_of(self.key) is not None:
            return
        entry = self.state.entries[row]
        if entry.run is not None:
            entry.run.put(entry.number)
            self.hub.add(entry.run)
        elif entry.task in self.hub.tasks:
            self.choose_task(entry.task)
            self.form.set_values(entry.again())
            self.run()

    def _show_variants(self):
        run = self.last if self.last is not None and self.last.results and len(self.last.results) > 1 else None
        self.variants_box.setVisible(run is not None)
        self.variants.clear()
        for number, picture in enumerate(run.after if run is not None else ()):
            self.variants.addItem(_item(picture, "%d" % (number + 1)))

    def _show_history(self):
        entries = self.state.entries if self.state is not None else []
        self.history_box.setVisible(bool(entries))
        self.entries.clear()
        for entry in entries:
            words = time.strftime("%H:%M", time.localtime(entry.made))
            self.entries.addItem(_item(entry.after, words if entry.seed is None else "%s, %d" % (words, entry.seed)))

    def _compare_variant(self, row):
        if self.last is not None and 0 <= row < len(self.last.after):
            self.wipe.show_pair(self.last.before, self.last.after[row])

    def _compare_entry(self, row):
        if self.state is not None and 0 <= row < len(self.state.entries):
            self.wipe.show_pair(self.state.entries[row].before, self.state.entries[row].after)


def _section(title, shown, *buttons):
    box = QtWidgets.QGroupBox(title)
    layout = QtWidgets.QVBoxLayout(box)
    layout.setContentsMargins(4, 4, 4, 4)
    layout.addWidget(shown)
    layout.addLayout(line(*buttons))
    box.hide()
    return box


def _item(picture, words):
    icon = QtGui.QIcon(QtGui.QPixmap.fromImage(picture)) if picture is not None else QtGui.QIcon()
    item = QtWidgets.QListWidgetItem(icon, words)
    item.setSizeHint(QtCore.QSize(ICON + 12, ICON + 24))
    return item
