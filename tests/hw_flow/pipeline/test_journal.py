"""Steps are done once, and again when something before them changes."""

import pytest

from hw_flow.pipeline.journal import Journal
from hw_flow.steps import Steps


def chain(directory, settings, intact=True):
    ran = []
    journal = Journal.open(directory)
    for name, value in settings.items():
        def work(name=name):
            ran.append(name)
            return {"name": name}

        assert journal.step(name, value, work, Steps(), intact=lambda: intact) == {"name": name}
    return ran


def test_done_steps_are_not_repeated(tmp_path):
    settings = {"train": 1, "build": 2, "synth": 3}
    assert chain(tmp_path, settings) == ["train", "build", "synth"]
    assert chain(tmp_path, settings) == []
    assert chain(tmp_path, {**settings, "build": 5}) == ["build", "synth"]
    assert chain(tmp_path, {**settings, "build": 5}) == []


def test_a_step_whose_files_are_gone_is_repeated(tmp_path):
    chain(tmp_path, {"train": 1})
    assert chain(tmp_path, {"train": 1}, intact=False) == ["train"]


def test_a_kill_loses_only_the_running_step(tmp_path):
    chain(tmp_path, {"train": 1})

    def killed():
        raise KeyboardInterrupt

    journal = Journal.open(tmp_path)
    journal.step("train", 1, killed, Steps())
    with pytest.raises(KeyboardInterrupt):
        journal.step("build", 2, killed, Steps())
    assert chain(tmp_path, {"train": 1, "build": 2}) == ["build"]


def test_a_damaged_journal_counts_as_nothing_done(tmp_path):
    chain(tmp_path, {"train": 1})
    (tmp_path / "run.json").write_text('{"steps": ')
    assert chain(tmp_path, {"train": 1}) == ["train"]
