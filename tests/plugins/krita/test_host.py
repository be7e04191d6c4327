"""Krita's side of the plug-in: what is read, how results are placed, and that one undo takes them away."""

from __future__ import annotations

import struct

import pytest

from tests.fakes import krita as fake
from tests.fakes import krita_nodes as layers


def leaf(plugin, pixels, space, **more):
    rect = plugin("pincel_client.region").Rect(more.pop("x", 0), more.pop("y", 0), pixels.width, pixels.height)
    return plugin("place").Leaf("made", pixels, rect, space, **more)


def run(stepper):
    for _ in range(1000):
        if stepper.step():
            return stepper
    raise AssertionError("it does not end")


@pytest.mark.parametrize(
    ("model", "depth", "channels", "dtype"),
    [
        ("RGBA", "U8", "BGRA", "u8"),
        ("RGBA", "U16", "BGRA", "u16"),
        ("RGBA", "F16", "RGBA", "f16"),
        ("RGBA", "F32", "RGBA", "f32"),
        ("GRAYA", "U8", "GRAYA", "u8"),
        ("GRAYA", "U16", "GRAYA", "u16"),
        ("GRAYA", "F32", "GRAYA", "f32"),
    ],
)
def test_bytes_are_called_what_they_are(host, app, plugin, model, depth, channels, dtype):
    document = fake.Document(app, 4, 3, model, depth, "sRGB-elle-V2-g10.icc")
    size = layers.CHANNELS[model] * layers.SIZES[depth]
    node = document.put("a", bytes(range(12 * size % 251 or 1)) * 12, 0, 0, 4, 3)
    pixels = host.read(document, node, host.extent(document, node))
    assert (pixels.channels, pixels.dtype, pixels.transfer) == (channels, dtype, "linear")
    assert bytes(pixels.data) == node.pixelData(0, 0, 4, 3)


@pytest.mark.parametrize("model", ["CMYKA", "LABA"])
def test_other_models_are_refused_by_name_with_the_remedy(host, app, plugin, model):
    document = fake.Document(app, 4, 3, model, "U8")
    node = document.put("a", bytes(12 * layers.CHANNELS[model]), 0, 0, 4, 3)
    with pytest.raises(plugin("pincel_client.errors").UnsupportedMode) as caught:
        host.read(document, node, host.extent(document, node))
    assert "Convert" in caught.value.remedy
    assert {"CMYKA": "CMYK", "LABA": "L*a*b*"}[model] in caught.value.sentence


def test_a_profile_whose_name_says_nothing_is_measured(host, app):
    assert host.transfer(("RGBA", "F32", "my-monitor.icc")) == "srgb"
    assert host.transfer(("RGBA", "U16", "ACEScg-elle-V4-g10.icc")) == "linear"
    assert app.documents() == []  # the scratch document is gone


def test_a_group_is_read_by_its_projection(host, document):
    group = document.put("G", b"", 0, 0, 0, 0, "grouplayer")
    document.put("inside", bytes([9, 8, 7, 255]) * 100, 5, 6, 10, 10, parent=group)
    rect = host.extent(document, group)
    assert tuple(rect) == (5, 6, 10, 10)
    assert bytes(host.read(document, group, rect).data) == bytes([9, 8, 7, 255]) * 100


def test_a_layer_beyond_the_canvas_is_read_where_they_meet(host, document):
    node = document.put("off", bytes([1, 2, 3, 255]) * 400, 30, -5, 20, 20)
    assert tuple(host.extent(document, node)) == (30, 0, 10, 15)


def test_a_mask_stands_for_its_layer(host, document):
    photo = document.activeNode()
    document.setActiveNode(document.put("m", b"\xff", 0, 0, 1, 1, "transparencymask", parent=photo))
    assert host.active_layer(document) is photo


def test_one_undo_takes_a_result_away(host, plugin, document):
    Pixels = plugin("pincel_client.pixels").Pixels
    pixels = Pixels(bytes([1, 2, 3, 255]) * 100, 10, 10, "BGRA", "u8")
    photo = document.activeNode()
    done = run(
        plugin("place").Placing(host, document, [leaf(plugin, pixels, host.space(document), x=3, y=4)], host.id(photo))
    )
    assert done.error is None
    made = document.rootNode().childNodes()[1]
    assert made.pixelData(3, 4, 10, 10) == pixels.data and host.id(made) == done.added
    assert len(document._undo) == 1
    document.undo()
    assert document.rootNode().childNodes() == [photo]


def test_masks_groups_and_other_spaces_are_still_one_undo_step(host, plugin, app, document):
    Pixels = plugin("pincel_client.pixels").Pixels
    pixels = Pixels(struct.pack("<4f", 0.25, 0.5, 0.75, 1) * 100, 10, 10, "RGBA", "f32", "linear")
    space, mask = ("RGBA", "F32", "sRGB-elle-V2-g10.icc"), bytes(range(100))
    leaves = [leaf(plugin, pixels, space, mask=mask), leaf(plugin, pixels, space)]
    photo = document.activeNode()
    done = run(plugin("place").Placing(host, document, leaves, host.id(photo), group="Both"))
    assert done.error is None
    group = document.rootNode().childNodes()[1]
    assert [n.name() for n in group.childNodes()] == ["made", "made"]
    first = group.childNodes()[0]
    assert (first.colorDepth(), first.pixelData(0, 0, 10, 10)) == ("F32", pixels.data)
    assert first.childNodes()[0].pixelData(0, 0, 10, 10) == mask
    assert len(document._undo) == 1 and app.documents() == [document]


def test_below_the_lines_and_under_the_lowest_layer(host, plugin, app, document):
    Pixels = plugin("pincel_client.pixels").Pixels
    pixels = Pixels(bytes([1, 2, 3, 255]) * 100, 10, 10, "BGRA", "u8")
    lines = document.put("lines", bytes(4) * 100, 0, 0, 10, 10)
    placing = plugin("place").Placing
    run(placing(host, document, [leaf(plugin, pixels, host.space(document))], host.id(lines), below=True))
    assert [n.name() for n in document.rootNode().childNodes()] == ["photo", "made", "lines"]
    lowest = host.id(document.rootNode().childNodes()[0])
    done = run(placing(host, document, [leaf(plugin, pixels, host.space(document))], lowest, below=True))
    assert host.id(document.rootNode().childNodes()[0]) == done.added and not done.notices
    assert host.id(document.rootNode().childNodes()[1]) == lowest and done.together is not None
    # In a document that is not in front no layer can be lowered: there multiplying does the same.
    app.setActiveDocument(None)
    lowest = done.added
    done = run(placing(host, document, [leaf(plugin, pixels, host.space(document))], lowest, below=True))
    assert document.rootNode().childNodes()[1].blendingMode() == "multiply" and "Multiply" in done.notices[0]


def test_a_document_that_is_closed_meanwhile_ends_it(host, plugin, app, document):
    Pixels = plugin("pincel_client.pixels").Pixels
    pixels = Pixels(bytes(4 * 100), 10, 10, "BGRA", "u8")
    placing = plugin("place").Placing(host, document, [leaf(plugin, pixels, host.space(document), mask=bytes(100))])
    placing.step()
    document.close()
    assert run(placing).error.code == "cancelled"
    assert app.documents() == []


@pytest.mark.parametrize("broken", ["setPixelData", "addChildNode"])
def test_what_krita_itself_raises_ends_it_and_leaves_no_document_of_ours(
    host, plugin, app, document, monkeypatch, broken
):
    pixels = plugin("pincel_client.pixels").Pixels(bytes(4 * 100), 10, 10, "BGRA", "u8")
    layer = leaf(plugin, pixels, host.space(document), mask=bytes(100))

    def breaks(*given):
        raise RuntimeError("wrapped C/C++ object has been deleted")

    for made in (plugin("place").Placing(host, document, [layer]), plugin("place").NewDocument(host, "new", layer)):
        made.step()  # the document of our own is there
        assert len(app.documents()) == 2
        with monkeypatch.context() as patched:
            patched.setattr(layers.Node, broken, breaks)
            run(made)
        assert (made.error.code, made.added, app.documents()) == ("internal", None, [document])
        assert "has been deleted" in made.error.sentence and "pincel doctor" in made.error.remedy


@pytest.mark.parametrize(
    ("channels", "space", "expected"),
    [
        ("RGBA", ("RGBA", "U8", ""), [30, 20, 10, 40]),
        ("RGB", ("RGBA", "U8", ""), [30, 20, 10, 255]),
        ("GRAY", ("GRAYA", "U8", ""), [10, 255]),
        ("BGRA", ("RGBA", "U8", ""), [10, 20, 30, 40]),
    ],
)
def test_results_get_kritas_order(plugin, channels, space, expected):
    count = {"RGBA": 4, "BGRA": 4, "RGB": 3, "GRAY": 1}[channels]
    pixels = plugin("pincel_client.pixels").Pixels(bytes([10, 20, 30, 40][:count]) * 6, 3, 2, channels, "u8")
    assert list(plugin("colours").krita_bytes(pixels, space, 0, 2)) == expected * 6


def test_small_pictures_take_every_nth_pixel(plugin):
    Pixels, Rect = plugin("pincel_client.pixels").Pixels, plugin("pincel_client.region").Rect
    data = struct.pack("<400H", *(n for p in range(100) for n in (p, p + 1, p + 2, p + 3)))
    pixels = Pixels(data, 10, 10, "BGRA", "u16")
    made = plugin("thumbs").small(pixels, 4, Rect(1, 1, 8, 8))
    assert (made.width, made.height) == (4, 4)
    assert struct.unpack("<8H", bytes(made.data)[:16]) == (11, 12, 13, 14, 13, 14, 15, 16)


def test_flats_are_named_by_their_colour_and_cover_what_was_there(host, plugin, document):
    Pixels = plugin("pincel_client.pixels").Pixels
    data = bytes([20, 20, 220, 255]) * 200 + bytes([220, 60, 30, 255]) * 200
    photo = document.put("lines", bytes(1600), 0, 0, 20, 20)
    placing = plugin("flats").Flats(
        host, document, leaf(plugin, Pixels(data, 20, 20, "BGRA", "u8"), host.space(document)), host.id(photo), "Flats"
    )
    assert run(placing).error is None
    group = next(n for n in document.rootNode().childNodes() if n.name() == "Flats")
    names = sorted(n.name().split(" (")[0] for n in group.childNodes())
    assert names == ["blue", "red"]
    red = next(n for n in group.childNodes() if n.name().startswith("red"))
    assert red.pixelData(0, 0, 1, 1) == bytes([20, 20, 220, 255]) and red.pixelData(0, 15, 1, 1)[3] == 0
    assert len(document._undo) == 1


@pytest.mark.parametrize(
    ("channels", "dtype", "data", "transfer", "expected"),
    [
        ("BGRA", "u8", [1, 2, 3, 4], "srgb", [1, 2, 3, 4]),
        ("RGB", "u8", [1, 2, 3], "srgb", [3, 2, 1, 255]),
        ("GRAYA", "u8", [7, 9], "srgb", [7, 7, 7, 9]),
        ("GRAY", "u8", [7], "srgb", [7, 7, 7, 255]),
        ("BGRA", "u16", [0, 1, 0, 2, 0, 3, 0, 4], "srgb", [1, 2, 3, 4]),
        ("BGRA", "u8", [128, 0, 255, 128], "linear", [188, 0, 255, 128]),
    ],
)
def test_pictures_for_the_screen(plugin, channels, dtype, data, transfer, expected):
    pixels = plugin("pincel_client.pixels").Pixels(bytes(data) * 6, 3, 2, channels, dtype, transfer)
    assert list(plugin("colours").display_bytes(pixels)) == expected * 6


def test_floats_are_shown_as_krita_converts_them(host, plugin):
    pixels = plugin("pincel_client.pixels").Pixels(struct.pack("<4f", 1, 0.5, 0, 1) * 6, 3, 2, "RGBA", "f32", "linear")
    image = host.image(pixels, ("RGBA", "F32", "sRGB-elle-V2-g10.icc"))
    assert (image.width(), image.height(), image.pixel(2, 1)) == (3, 2, 0xFFFFBC00)


def test_hints_are_read_over_the_source_and_a_reference_where_it_lies(host, plugin, document):
    photo = document.activeNode()
    photo._box, photo._data = (0, 0, 20, 30), photo._data[: 4 * 20 * 30]
    other = document.put("other", bytes([9, 8, 7, 255]) * 60, 28, 5, 10, 6)  # beside the photograph
    document.setActiveNode(photo)
    task = plugin("pincel_client.options").TASKS["sketch"]
    values = {"hints": host.id(other), "reference": host.id(other)}
    started = plugin("run").Run(host, document, task, values)
    assert started.error is None
    _, pictures = started._work_arguments
    hints, reference = pictures["hints"], pictures["reference"]
    assert (hints.x, hints.y, hints.width, hints.height) == (0, 0, 20, 30)
    assert (reference.x, reference.y, reference.width, reference.height) == (28, 5, 10, 6)
    assert bytes(reference.data) == bytes([9, 8, 7, 255]) * 60
    other._box = (50, 5, 10, 6)  # beyond the canvas
    values = {"reference": host.id(other)}
    assert plugin("run").Run(host, document, task, values).error.sentence == (
        "The layer other has no pixels on the canvas."
    )
