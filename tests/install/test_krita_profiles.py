"""`pincel install krita`: every profile, its files, kritarc, and the zip for Krita's own importer."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from engine.client.errors import NoProfile
from engine.install import common, krita


def around(home: Path, platform="linux", **environ: str) -> common.Surroundings:
    return common.Surroundings(home, environ, platform)


def profiles(home, platform="linux", **environ):
    return common.found(krita.EDITOR, None, around(home, platform, **environ))


@pytest.mark.parametrize(
    ("platform", "data", "config"),
    [
        ("linux", ".local/share/krita", ".config/kritarc"),
        ("linux", ".var/app/org.kde.krita/data/krita", ".var/app/org.kde.krita/config/kritarc"),
        ("linux", "snap/krita/current/.local/share/krita", "snap/krita/current/.config/kritarc"),
        (
            "linux",
            "Downloads/krita-5.2.9-x86_64.appimage.home/.local/share/krita",
            "Downloads/krita-5.2.9-x86_64.appimage.home/.config/kritarc",
        ),
        ("darwin", "Library/Application Support/krita", "Library/Preferences/kritarc"),
        ("win32", "AppData/Roaming/krita", "AppData/Local/kritarc"),
        (
            "win32",
            "AppData/Local/Packages/49800Krita_x/LocalCache/Roaming/krita",
            "AppData/Local/Packages/49800Krita_x/LocalCache/Local/kritarc",
        ),
    ],
)
def test_each_profile_gets_everything_and_loses_it_again(tmp_path, platform, data, config):
    (tmp_path / data).mkdir(parents=True)
    settings = tmp_path / config
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text("[General]\nx=1\n\n[python]\nenable_other=true\n\n[last]\ny=2\n")
    before = settings.read_text()
    [profile] = profiles(tmp_path, platform)
    target = common.install(krita.EDITOR, profile)
    assert target == tmp_path / data / "pykrita/pincel"
    assert (target / "pincel_client/session.py").is_file() and (target / "manual.html").is_file()
    assert (tmp_path / data / "pykrita/pincel.desktop").is_file()
    assert (tmp_path / data / "actions/pincel.action").is_file()
    assert settings.read_text() == before.replace("[python]\n", "[python]\nenable_pincel=true\n")
    common.install(krita.EDITOR, profile)  # over itself
    assert settings.read_text().count("enable_pincel") == 1
    assert common.uninstall(krita.EDITOR, profile)
    assert settings.read_text() == before
    assert not (tmp_path / data / "pykrita/pincel.desktop").exists()
    assert not (tmp_path / data / "actions/pincel.action").exists()
    assert not common.uninstall(krita.EDITOR, profile)


def test_all_profiles_are_found_and_xdg_folders_count(tmp_path):
    for folder in ("data/krita", ".var/app/org.kde.krita/data/krita", "snap/krita/current/.local/share/krita"):
        (tmp_path / folder).mkdir(parents=True)
    found = profiles(tmp_path, XDG_DATA_HOME=str(tmp_path / "data"), XDG_CONFIG_HOME=str(tmp_path / "conf"))
    assert [p.title for p in found] == ["Krita (native)", "Krita (flatpak)", "Krita (snap)"]
    assert found[0].config == tmp_path / "conf/kritarc"


def test_a_new_kritarc_and_a_folder_named_by_hand(tmp_path):
    (tmp_path / ".local/share/krita").mkdir(parents=True)
    [profile] = common.found(krita.EDITOR, tmp_path / ".local/share/krita")
    common.install(krita.EDITOR, profile)
    assert (tmp_path / ".config/kritarc").read_text() == "[python]\nenable_pincel=true\n"


def test_without_krita_there_is_a_remedy(tmp_path):
    with pytest.raises(NoProfile) as caught:
        profiles(tmp_path, PATH="")
    assert "--folder" in caught.value.remedy


def test_links_for_developers(tmp_path):
    (tmp_path / ".local/share/krita").mkdir(parents=True)
    [profile] = profiles(tmp_path)
    target = common.install(krita.EDITOR, profile, link=True)
    assert (target / "panel.py").is_symlink() and (target / "pincel_client").is_symlink()


def test_the_zip_is_as_krita_s_importer_reads_it(tmp_path):
    """The importer wants an entry for the plug-in's folder, __init__.py in it, and NAME.action somewhere."""
    path = krita.EDITOR.write_zip(tmp_path / "pincel-krita.zip")
    with zipfile.ZipFile(path) as file:
        names = file.namelist()
    assert {"pincel.desktop", "pincel.action", "pincel/", "pincel/__init__.py", "pincel/manual.html"} <= set(names)
    assert "pincel/pincel_client/session.py" in names and not [n for n in names if "__pycache__" in n]
