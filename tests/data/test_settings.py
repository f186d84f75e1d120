from pathlib import Path

import pytest

from course_utils.data.settings import (
    COURSE_FOLDER,
    DataError,
    data_folder,
    forced_tier,
    made_folder,
)


def test_the_data_folder_is_in_the_course_by_default(monkeypatch):
    monkeypatch.delenv("COURSE_DATA", raising=False)
    assert data_folder() == COURSE_FOLDER / "data"
    assert (COURSE_FOLDER / "course_utils" / "data" / "settings.py").is_file()


@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_setting_counts_as_none(monkeypatch, empty):
    monkeypatch.setenv("COURSE_DATA", empty)
    monkeypatch.setenv("COURSE_TIER", empty)
    assert data_folder() == COURSE_FOLDER / "data"
    assert forced_tier() is None


def test_course_data_moves_the_data_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    assert data_folder() == tmp_path


def test_course_data_may_be_relative_or_begin_with_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COURSE_DATA", "here")
    assert data_folder() == Path.cwd() / "here"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COURSE_DATA", "~/there")
    assert data_folder() == tmp_path / "there"


@pytest.mark.parametrize(
    ("text", "tier"),
    [("real", "real"), ("embedded", "embedded"), (" Real ", "real"), ("auto", None)],
)
def test_course_tier_forces_a_tier(monkeypatch, text, tier):
    monkeypatch.setenv("COURSE_TIER", text)
    assert forced_tier() == tier


def test_no_course_tier_leaves_the_choice_open(monkeypatch):
    monkeypatch.delenv("COURSE_TIER", raising=False)
    assert forced_tier() is None


def test_an_unknown_tier_is_refused_with_the_known_ones(monkeypatch):
    monkeypatch.setenv("COURSE_TIER", "reel")
    with pytest.raises(DataError, match=r"'reel'.*'real'.*'embedded'"):
        forced_tier()


def test_what_is_made_goes_into_the_data_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    assert made_folder() == tmp_path


def test_a_protected_or_missing_data_folder_is_replaced_by_the_one_of_the_course(
    monkeypatch, tmp_path
):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "nowhere"))
    assert made_folder() == COURSE_FOLDER / "data"
    protected = tmp_path / "protected"
    protected.mkdir()
    protected.chmod(0o555)  # nobody may write to it, not even root, who could
    monkeypatch.setenv("COURSE_DATA", str(protected))
    assert made_folder() == COURSE_FOLDER / "data"
    monkeypatch.delenv("COURSE_DATA")
    assert made_folder() == COURSE_FOLDER / "data"
