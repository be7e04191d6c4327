"""Every task is a procedure of a real GIMP 3: its arguments, its help, and a run without anybody looking."""

from __future__ import annotations

import numpy as np
import pytest

from engine.client import controls
from engine.client.options import TASKS
from tests.e2e.editors.pictures import Pictures


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_the_procedure_is_what_the_task_declares(console, task):
    said = console.do(f"""
p = Gimp.get_pdb().lookup_procedure("plug-in-pincel-{task.name}")
value = [p.get_menu_label(), p.get_menu_paths(), p.get_image_types(), p.get_blurb(), p.get_help_id(),
         [a.name for a in p.get_arguments()], [r.name for r in p.get_return_values()]]
""")
    assert said[:5] == [
        task.title + "...",
        ["<Image>/Filters/Pincel"],
        "*",
        task.help,
        "pincel?plug-in-pincel-" + task.name,
    ]
    arguments = [c.name.replace("_", "-") for c in controls.controls(task)]
    assert said[5] == ["run-mode", "image", "drawables", *arguments, *["convert-indexed"] * task.source]
    assert said[6] == ["layer", "result-image"]


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_a_run_from_a_script_returns_the_new_layer(console, engine, grey, task):
    pictures = Pictures(console)
    pictures.new(np.ascontiguousarray(grey[:60, :80, None]))
    assert pictures.run(task.name, **({"scale": 2.0} if task.name == "upscale" else {})) == ["success", ""]
    assert console.ask(
        "made.get_image().get_id() == img.get_id() and made.get_id() in [x.get_id() for x in img.get_layers()]"
    )
    console.do("img.delete()")


def test_a_batch_in_script_fu_gets_the_new_layer(console, engine, grey):
    """GIMP's other language for batches and its procedure browser's: arguments by name, the rest at their defaults."""
    pictures = Pictures(console)
    pictures.new(np.ascontiguousarray(grey[:60, :80, None]))
    said = console.do("""
script = '(gimp-item-set-name (car (plug-in-pincel-colorize #:run-mode RUN-NONINTERACTIVE #:image %d' \
         ' #:drawables (vector %d) #:seed 8)) "by Script-Fu")' % (img.get_id(), l.get_id())
procedure = Gimp.get_pdb().lookup_procedure("plug-in-script-fu-eval")
config = procedure.create_config()
config.set_property("script", script)
value = procedure.run(config).index(0).value_nick
""")
    assert said == "success" and pictures.tree() == ["by Script-Fu", "photo"]
    by_script, _ = pictures.take("img.get_layers()[0]", 3)
    assert pictures.run("colorize", seed=8) == ["success", ""]
    assert np.array_equal(pictures.take("made", 3)[0], by_script)
    console.do("img.delete()")


def test_generated_pictures_fill_the_selection(console, engine, grey):
    pictures = Pictures(console)
    pictures.new(np.ascontiguousarray(grey[..., None]))
    console.do("img.select_rectangle(Gimp.ChannelOps.REPLACE, 40, 30, 64, 40)")
    assert pictures.run("generate", count=2, seed=3) == ["success", ""]
    tree = pictures.tree()
    assert len(tree) == 2 and len(tree[0][1]) == 2
    made, facts = pictures.take("made.get_children()[0]", 3)
    other, _ = pictures.take("made.get_children()[1]", 3)
    assert facts[1] == 64 and facts[3] == 40
    assert made.std() > 5 and not np.array_equal(made, other)
    assert pictures.run("generate", layers="[]", place="new-image")[0] == "success"
    console.do("made.get_image().delete(); img.delete()")
