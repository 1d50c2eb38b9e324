from pathlib import Path

import pytest

from spikenas._util.errors import ConfigError
from spikenas._util.paths import user_path


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
