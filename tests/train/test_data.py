"""The picture store: what it takes, and that its crops are true pieces of the pictures in all eight positions."""

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from engine.client.errors import InputMissing
from engine.files import check
from engine.train.data import PictureStore, decoded, fingerprint, pictures_in
from tests.files.pictures import exif_block
from tests.train.toys import make_pictures


def test_files_are_found_by_pattern_and_missing_ones_named(tmp_path):
    make_pictures(tmp_path / "a" / "deep")
    (tmp_path / "a" / "notes.txt").write_text("no picture")
    assert [p.name for p in pictures_in(tmp_path)] == ["0.png", "1.png", "2.png"]
    assert [p.name for p in pictures_in(tmp_path, "1*")] == ["1.png"]
    with pytest.raises(InputMissing):
        pictures_in(tmp_path, "x*")


def test_small_and_damaged_pictures_are_left_out(tmp_path):
    make_pictures(tmp_path)
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n")
    store = PictureStore(pictures_in(tmp_path), min_side=9)
    assert [p.name for p in store.files] == ["0.png", "1.png"]
    assert sorted(p.name for p in store.skipped) == ["2.png", "bad.png"]
    with pytest.raises(InputMissing, match="at least 100 pixels") as small:
        PictureStore(pictures_in(tmp_path), min_side=100)
    assert "larger pictures" in small.value.remedy and "--set crop=" in small.value.remedy
    with pytest.raises(InputMissing, match="None of 1 pictures can be read") as damaged:
        PictureStore([tmp_path / "bad.png"])
    assert "larger" not in damaged.value.remedy


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("rgb.png", {}),
        ("rgb.jpg", {"quality": 85}),
        ("rgb.jpeg", {"quality": 95, "subsampling": 0, "progressive": True}),
        ("rgb.webp", {"quality": 90}),
        ("rgb.bmp", {}),
        ("rgb.tif", {}),
        ("grey.png", {}),
        ("grey.jpg", {}),
    ],
)
def test_ordinary_files_give_the_bytes_that_pillow_decodes(tmp_path, photo, name, options):
    """Trainings and figures of earlier versions stay what they were."""
    picture = Image.fromarray(photo[:61, :83])
    (picture.convert("L") if name.startswith("grey") else picture).save(tmp_path / name, **options)
    with Image.open(tmp_path / name) as file:
        assert np.array_equal(decoded(tmp_path / name), np.asarray(file.convert("RGB")))


def test_pictures_are_learned_as_the_product_reads_them(tmp_path, photo):
    """Upright; 16 bits, floats and palettes at their own lightness; over white where they are transparent."""
    photo = photo[:20, :30]
    files = {name: tmp_path / name for name in ("turned.jpg", "deep.png", "float.tif", "clear.png", "cmyk.jpg")}
    turned = Image.fromarray(photo)
    turned.save(files["turned.jpg"], exif=b"Exif\0\0" + exif_block(6), quality=95)
    assert np.abs(decoded(files["turned.jpg"]).astype(int) - photo[::-1].swapaxes(0, 1)).mean() < 12
    Image.fromarray(photo[..., 0].astype(np.uint16) * 257).save(files["deep.png"])
    assert np.array_equal(decoded(files["deep.png"]), photo[..., :1].repeat(3, 2))
    tifffile.imwrite(files["float.tif"], photo.astype(np.float32) / 255, photometric="rgb")
    assert np.array_equal(decoded(files["float.tif"]), photo)
    hidden = np.dstack((photo, np.full(photo.shape[:2], 255, np.uint8)))
    hidden[:, :10, 3], hidden[:, 10:20, 3] = 0, 51
    Image.fromarray(hidden).save(files["clear.png"])
    seen = decoded(files["clear.png"])
    assert (seen[:, :10] == 255).all() and np.array_equal(seen[:, 20:], photo[:, 20:])
    assert np.array_equal(seen[:, 10:20], np.rint(photo[:, 10:20] * 0.2 + 255 * 0.8).astype(np.uint8))
    turned.convert("CMYK").save(files["cmyk.jpg"])
    assert decoded(files["cmyk.jpg"]).shape == photo.shape


def test_a_picture_too_large_to_read_is_left_out_and_a_large_one_is_not(tmp_path, monkeypatch):
    make_pictures(tmp_path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)
    monkeypatch.setattr(check, "PIXELS_MAX", 185)
    store = PictureStore(pictures_in(tmp_path))
    assert [p.name for p in store.files] == ["1.png", "2.png"] and [p.name for p in store.skipped] == ["0.png"]


def test_pictures_come_back_whole(tmp_path):
    store = PictureStore(pictures_in(make_pictures(tmp_path)))
    assert [tuple(store.picture(i).shape) for i in range(3)] == [(3, 16, 12), (3, 9, 20), (3, 8, 8)]
    picture = store.picture(1)
    assert picture[:, 4, 17].tolist() == [1, 4, 17]


@pytest.mark.parametrize(("flip", "positions"), [("mirror", 2), ("all", 8)])
def test_crops_are_pieces_of_the_pictures(tmp_path, flip, positions):
    store = PictureStore(pictures_in(make_pictures(tmp_path)))
    crops = store.crops(400, 5, torch.Generator().manual_seed(0), flip=flip)
    assert crops.shape == (400, 3, 5, 5) and crops.dtype == torch.uint8
    seen, corners = set(), {0: set(), 1: set(), 2: set()}
    for crop in crops.int():
        number = int(crop[0, 0, 0])
        assert (crop[0] == number).all()
        rows, columns = crop[1], crop[2]
        top, left = int(rows.min()), int(columns.min())
        truth = store.picture(number)[:, top : top + 5, left : left + 5].int()
        found = None
        for turn in range(4):
            for mirrored in (False, True):
                piece = torch.rot90(truth, turn, (1, 2))
                if torch.equal(piece.flip(2) if mirrored else piece, crop):
                    found = (turn, mirrored)
        assert found is not None
        seen.add(found)
        corners[number].add((top, left))
    assert len(seen) == positions
    assert len(corners[2]) == 4 * 4  # every place that there is
    assert max(t for t, _ in corners[0]) == 11 and max(c for _, c in corners[1]) == 15


def test_views_hold_the_asked_share_of_the_picture(tmp_path):
    """Every pixel says where it is; mirrored or not, a view's corners tell how much of the picture it holds."""
    height, width = 120, 90
    rows, columns = np.mgrid[:height, :width]
    Image.fromarray(np.stack((2 * rows, 2 * columns, 0 * rows), 2).astype(np.uint8)).save(tmp_path / "a.png")
    store = PictureStore(pictures_in(tmp_path))
    views = store.views(200, 32, torch.Generator().manual_seed(0), 0.25) * 255 / 2
    assert views.shape == (200, 3, 32, 32)
    high = (views[:, 0, -1, 0] - views[:, 0, 0, 0]) * 32 / 31
    wide = (views[:, 1, 0, -1] - views[:, 1, 0, 0]) * 32 / 31
    share = high * wide.abs() / (height * width)
    assert 0.22 < share.min() < 0.35 and share.max() > 0.85
    assert 0.6 < (wide.abs() / high).min() < 0.75 and 1.15 < (wide.abs() / high).max() < 1.4
    assert 60 < (wide < 0).sum() < 140


def test_weights_choose_pictures(tmp_path):
    files = pictures_in(make_pictures(tmp_path))
    store = PictureStore(files, weights=(0.0, 1.0, 0.0))
    assert (store.crops(20, 4, torch.Generator().manual_seed(0))[:, 0] == 1).all()


def test_the_fingerprint_knows_the_set(tmp_path):
    files = pictures_in(make_pictures(tmp_path))
    assert fingerprint(files) == fingerprint(files[::-1]) != fingerprint(files[:2])


def test_a_set_too_large_for_the_device_stays_in_main_memory(tmp_path, monkeypatch):
    files = pictures_in(make_pictures(tmp_path))
    on_device = PictureStore(files)
    assert on_device.resident and "kept on cpu" in on_device.place()
    monkeypatch.setattr("engine.train.data._fits", lambda size, device: False)
    moved = PictureStore(files)
    assert not moved.resident and "main memory" in moved.place()
    one, other = (s.crops(6, 5, torch.Generator().manual_seed(0), flip="all") for s in (on_device, moved))
    assert torch.equal(one, other) and torch.equal(on_device.picture(1), moved.picture(1))


def test_the_fingerprint_knows_the_contents(tmp_path):
    files = pictures_in(make_pictures(tmp_path))
    before = fingerprint(files)
    data = bytearray(files[0].read_bytes())
    data[-1] ^= 1
    files[0].write_bytes(bytes(data))
    assert fingerprint(files) != before
