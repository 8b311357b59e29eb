"""The file var/settings.env: secrets of the first start are added to what an operator wrote, and never change (rule 2)."""

from pathlib import Path

from app.settings_file import DEV_SECRETS, make_secrets, read_kept


def test_the_first_start_writes_secrets_that_stay(tmp_path: Path) -> None:
    folder = tmp_path / "var"
    make_secrets(folder)
    path = folder / "settings.env"
    first = read_kept(path)
    assert set(first) == set(DEV_SECRETS) and len(set(first.values())) == len(DEV_SECRETS)
    assert all(len(value) >= 64 for value in first.values())
    assert path.stat().st_mode & 0o777 == 0o600
    make_secrets(folder)
    assert read_kept(path) == first


def test_a_last_line_without_its_end_stays_a_line_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "settings.env"
    path.write_text("# mine\nOPS_EMAIL=ops@village.example")
    make_secrets(tmp_path)
    kept = read_kept(path)
    assert kept["OPS_EMAIL"] == "ops@village.example"
    assert set(kept) == {"OPS_EMAIL", *DEV_SECRETS}
