from pathlib import Path

import pytest

from spikenas._util.errors import ConfigError
from spikenas._util.paths import user_path, weights_path


def test_the_home_folder_is_meant_by_its_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/anna")
    assert user_path("~/x") == Path("/home/anna/x")
    assert user_path(Path("~")) == Path("/home/anna")
    assert user_path("a/~") == Path("a/~")
    assert user_path("~nobody-of-this-name/x") == Path("~nobody-of-this-name/x")


@pytest.mark.parametrize("text", ["", "a\0b"])
def test_what_is_no_path(text: str) -> None:
    with pytest.raises(ConfigError, match="no path"):
        user_path(text)


def test_files_of_weights_have_names_in_utf_8() -> None:
    assert weights_path("büro/日本") == Path("büro/日本")
    with pytest.raises(ConfigError, match=r"^runs/\\xff: not UTF-8"):
        weights_path("runs/\udcff")
