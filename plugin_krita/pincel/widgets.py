"""A form for a task, made from its Controls: one row each, with the declaration's help as a tooltip."""

from .qt import Qt, QtCore, QtWidgets, Signal


class Form(QtWidgets.QWidget):
    """controls: of the task. values(): {name: value} as client.controls.collect takes them. Signal changed()."""

    changed = Signal()

    def __init__(self, made, parent=None):
        super().__init__(parent)
        self.controls, self.widgets, self._quiet = made, {}, False
        layout = QtWidgets.QFormLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setFieldGrowthPolicy(QtWidgets.QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        layout.setRowWrapPolicy(QtWidgets.QFormLayout.RowWrapPolicy.WrapLongRows)
        for control in made:
            widget = self.widgets[control.name] = _MAKERS[control.kind](control, self._changed)
            widget.setObjectName("pincel_" + control.name)
            widget.setToolTip(control.help)
            if control.kind == "bool":
                layout.addRow(widget)
            else:
                label = QtWidgets.QLabel(control.label)
                label.setToolTip(control.help)
                layout.addRow(label, widget)

    def _changed(self, *_):
        if not self._quiet:
            self.changed.emit()

    def values(self):
        return {control.name: _get(control, self.widgets[control.name]) for control in self.controls}

    def set_values(self, values):
        """Show these values; those that a control cannot show stay as they are."""
        self._quiet = True
        try:
            for control in self.controls:
                if control.name in values:
                    _set(control, self.widgets[control.name], values[control.name])
        finally:
            self._quiet = False

    def set_choices(self, name, choices):
        """Offer other [(value, words)] in a combo box; what was chosen stays chosen where it is still there."""
        box = self.widgets.get(name)
        if box is None or [(box.itemData(n), box.itemText(n)) for n in range(box.count())] == choices:
            return
        self._quiet = True
        try:
            chosen = box.currentData()
            box.clear()
            for value, words in choices:
                box.addItem(words, value)
            box.setCurrentIndex(max(0, [value for value, _ in choices].index(chosen) if chosen in dict(choices) else 0))
        finally:
            self._quiet = False


def _whole(control, changed):
    box = QtWidgets.QSpinBox()
    box.setRange(int(control.low), int(control.high))
    box.setValue(int(control.default))
    if control.none is not None:
        box.setSpecialValueText("not set")
    box.valueChanged.connect(changed)
    return box


def _number(control, changed):
    box = QtWidgets.QDoubleSpinBox()
    box.setDecimals(control.digits)
    box.setRange(control.low, control.high)
    box.setSingleStep(0.05 if control.high - control.low <= 5 else 0.5)
    box.setValue(control.default)
    if control.none is not None:
        box.setSpecialValueText("not set")
    box.valueChanged.connect(changed)
    return box


def _yes_no(control, changed):
    box = QtWidgets.QCheckBox(control.title)
    box.setChecked(bool(control.default))
    box.toggled.connect(changed)
    return box


def _choice(control, changed):
    box = QtWidgets.QComboBox()
    box.setSizeAdjustPolicy(QtWidgets.QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(8)
    choices = control.choices if control.kind != "layer" else [(None, "None")]
    for value, words in choices:
        box.addItem(words, value)
    box.setCurrentIndex(max(0, box.findData(control.default)))
    box.currentIndexChanged.connect(changed)
    return box


def _numbers(control, changed):
    line = QtWidgets.QLineEdit(control.default)
    line.setPlaceholderText("numbers with commas, or empty")
    line.editingFinished.connect(changed)
    return line


_MAKERS = {
    "int": _whole,
    "float": _number,
    "bool": _yes_no,
    "choice": _choice,
    "generator": _choice,
    "layer": _choice,
    "numbers": _numbers,
}


def _get(control, widget):
    if control.kind in ("int", "float"):
        return widget.value()
    if control.kind == "bool":
        return widget.isChecked()
    if control.kind == "numbers":
        return widget.text()
    return widget.currentData()


def _set(control, widget, value):
    try:
        if control.kind in ("int", "float"):
            widget.setValue(control.default if value is None else int(value) if control.kind == "int" else float(value))
        elif control.kind == "bool":
            widget.setChecked(bool(value))
        elif control.kind == "numbers":
            widget.setText(str(value or ""))
        else:
            index = widget.findData(value)
            if index < 0 and control.kind in ("layer", "generator") and value is not None:
                widget.addItem(str(value), value)  # its name comes with the next list
                index = widget.count() - 1
            if index >= 0:
                widget.setCurrentIndex(index)
    except (TypeError, ValueError):
        pass  # a document that was written by another version


def line(*widgets):
    """A row of widgets without margins."""
    row = QtWidgets.QHBoxLayout()
    row.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        row.addWidget(widget)
    return row


def button(text, help, clicked):
    made = QtWidgets.QPushButton(text)
    made.setToolTip(help)
    made.clicked.connect(lambda *_: clicked())
    return made


def icons(side):
    """A list of pictures that are chosen by a click."""
    made = QtWidgets.QListWidget()
    made.setViewMode(QtWidgets.QListView.ViewMode.IconMode)
    made.setFlow(QtWidgets.QListView.Flow.LeftToRight)
    made.setWrapping(False)
    made.setMovement(QtWidgets.QListView.Movement.Static)
    made.setIconSize(QtCore.QSize(side, side))
    made.setFixedHeight(side + 44)
    made.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    return made
