#!/usr/bin/env python3
"""Pincel in GIMP 3: a procedure and a menu entry under Filters > Pincel for each task that the engine has.

This file declares them; layers.py reads what was chosen, results.py inserts what came back, dialog.py asks the user.
Everything else, from finding the engine to the pictures, is pincel_client, the same in every editor.
"""

import os
import sys
import traceback

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("Gegl", "0.4")
from gi.repository import Gegl, Gimp, Gio, GLib, GObject  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import layers  # noqa: E402
import results  # noqa: E402
from pincel_client import controls, errors, options, work  # noqa: E402

VERSION = "0.1.0"
MENU = "<Image>/Filters/Pincel"
READWRITE = GObject.ParamFlags.READWRITE


def procedure_name(task):
    return "plug-in-pincel-" + task.name


def argument(control):
    """A control's name as an argument's: GObject knows no underscores."""
    return control.name.replace("_", "-")


class Pincel(Gimp.PlugIn):
    def do_query_procedures(self):
        help = os.path.join(HERE, "help", "en")
        self.set_help_domain("pincel", Gio.File.new_for_path(os.path.dirname(help)))
        return [procedure_name(task) for task in options.TASKS.values()]

    def do_set_i18n(self, name):
        return False

    def do_create_procedure(self, name):
        task = next(task for task in options.TASKS.values() if procedure_name(task) == name)
        procedure = Gimp.ImageProcedure.new(self, name, Gimp.PDBProcType.PLUGIN, self.run, task)
        # Every image: one with a palette gets an explanation and an offer, which a greyed-out entry could not give.
        procedure.set_image_types("*")
        mask = Gimp.ProcedureSensitivityMask.DRAWABLE
        if not task.source:
            mask |= Gimp.ProcedureSensitivityMask.NO_DRAWABLES | Gimp.ProcedureSensitivityMask.DRAWABLES
        procedure.set_sensitivity_mask(mask)
        procedure.set_menu_label(task.title + "...")
        procedure.add_menu_path(MENU)
        procedure.set_documentation(task.help, task.help, name)
        procedure.set_attribution("The Pincel founders", "MIT licence", "2026")
        taken = set("hrcols")  # by the dialog's own buttons: Help, Reset, Cancel, OK, Load and Save Settings
        for control in controls.controls(task):
            _declare(procedure, control, _mnemonic(control.label, taken))
        if task.source:
            title, blurb = (
                "Convert an _indexed image",
                "Turn an image with a palette into RGB together with the result.",
            )
            procedure.add_boolean_argument("convert-indexed", title, blurb, False, READWRITE)
        procedure.add_layer_return_value("layer", "Layer", "The new layer, or the group of them.", True, READWRITE)
        procedure.add_image_return_value("result-image", "Image", "The image that holds the layer.", True, READWRITE)
        return procedure

    def run(self, procedure, run_mode, image, drawables, config, task):
        """Run a task. Every way out is a status; whatever goes wrong is said in one sentence with its remedy."""
        try:
            layer = _run(procedure, run_mode, image, drawables, config, task)
        except errors.Cancelled:
            return procedure.new_return_values(Gimp.PDBStatusType.CANCEL, None)
        except errors.PincelError as error:
            return _failed(procedure, work.say(error))
        except Exception as error:
            traceback.print_exc()
            return _failed(procedure, work.say(errors.InternalError("The plug-in stumbled: %r." % error)))
        values = procedure.new_return_values(Gimp.PDBStatusType.SUCCESS, None)
        for index, (kind, value) in enumerate(((Gimp.Layer, layer), (Gimp.Image, layer.get_image())), 1):
            values.remove(index)
            values.insert(index, GObject.Value(kind, value))
        return values


def _failed(procedure, sentence):
    error = GLib.Error.new_literal(Gimp.PlugIn.error_quark(), sentence, 0)
    return procedure.new_return_values(Gimp.PDBStatusType.EXECUTION_ERROR, error)


def _mnemonic(label, taken):
    """The label with "_" before the first letter that no other one has, for Alt and that letter."""
    for place, letter in enumerate(label.lower()):
        if letter.isalpha() and letter not in taken:
            taken.add(letter)
            return label[:place] + "_" + label[place:]
    return label


def _declare(procedure, control, label):
    """A control as an argument of the procedure, with a widget and a place in presets and last values."""
    name, help = argument(control), control.help
    if control.kind == "bool":
        procedure.add_boolean_argument(name, label, help, control.default, READWRITE)
    elif control.kind == "int":
        procedure.add_int_argument(name, label, help, control.low, control.high, control.default, READWRITE)
    elif control.kind == "float":
        procedure.add_double_argument(name, label, help, control.low, control.high, control.default, READWRITE)
    elif control.kind == "choice":
        choice = Gimp.Choice.new()
        for number, (value, words) in enumerate(control.choices):
            choice.add(value, number, words, "")
        procedure.add_choice_argument(name, label, help, choice, control.default, READWRITE)
    elif control.kind == "layer":
        procedure.add_layer_argument(name, label, help, True, READWRITE)
    else:  # "generator", whose choices are the running engine's, and "numbers"
        procedure.add_string_argument(name, label, help, control.default, READWRITE)


def _run(procedure, run_mode, image, drawables, config, task):
    """The layer that was made. Raises PincelError; Cancelled when the user closed the dialog."""
    interactive = run_mode == Gimp.RunMode.INTERACTIVE
    Gegl.init(None)
    chosen = layers.chosen(image, drawables, task)  # wrong layers are refused before anybody fills in a dialog
    convert = task.source and config.get_property("convert-indexed")
    if interactive:
        import dialog

        dialog.start(procedure.get_name())
        if image.get_base_type() == Gimp.ImageBaseType.INDEXED and not convert:
            convert = dialog.offer_conversion()
        size = (chosen.get_width(), chosen.get_height()) if task.source else (0, 0)
        if not dialog.ask(procedure, config, task, size):
            raise errors.Cancelled()
    values = {c.name: config.get_property(argument(c)) for c in controls.controls(task)}
    request = controls.collect(task, values)
    if image.get_base_type() == Gimp.ImageBaseType.INDEXED and not convert and request.place != controls.NEW_IMAGE:
        raise layers.indexed()
    results.check(chosen, request, task)
    read = layers.Read(image, chosen, request, task)
    job = work.Work(("gimp", VERSION), task.name, read.options, read.pictures)
    _wait(job, task)
    made = results.insert(image, chosen, read, request, task, job)
    if interactive and request.place == controls.NEW_IMAGE:
        Gimp.Display.new(made.get_image())
    Gimp.displays_flush()
    for notice in read.notices + job.notices:
        Gimp.message(notice)
    return made


def _wait(job, task):
    """Step until the work is done, with text and per cent in GIMP's bar. GIMP's Cancel ends this very process: the
    engine notices the lost client and drops the job. Raises the work's error."""
    Gimp.progress_init("Pincel: " + task.title)
    shown = (None, None)
    while not job.step(0.1):
        state = (job.text, round(100 * (job.fraction or 0.0)))
        if state[0] != shown[0]:
            Gimp.progress_set_text("Pincel: %s" % state[0])
        if state[1] != shown[1]:
            Gimp.progress_update(state[1] / 100.0)
        shown = state
    Gimp.progress_end()
    if job.error is not None:
        raise job.error


Gimp.main(Pincel.__gtype__, sys.argv)
