"""Files of settings: what they set, and what is refused by one sentence that names the place."""

import argparse
from pathlib import Path

import pytest

from force_field import cli
from force_field.cli import main
from force_field.plan import Plan, make_plan
from force_field.settings.merging import with_settings

WATER = """3
Properties=species:S:1:pos:R:3:forces:R:3 energy=-1.5
O 0.0 0.0 0.1 0.0 0.0 0.2
H 0.0 0.8 -0.5 0.0 0.1 -0.1
H 0.0 -0.8 -0.5 0.0 -0.1 -0.1
"""


def plan_of(text: str, tmp_path: Path, *options: str) -> Plan:
    """The plan of a run with these settings, which have {data} in place of a file of eight frames."""
    (tmp_path / "water.extxyz").write_text(WATER * 8)
    path = tmp_path / "settings.toml"
    path.write_text(text.replace("{data}", str(tmp_path / "water.extxyz")))
    given = cli.parser().parse_args(["train", "--config", str(path), *options])
    return make_plan(with_settings(given), None, path)


SETTINGS = """
[data]
files = ["{data}"]
train = 5
valid = 2
[model]
network = "mace"
size = "L"
cutoff = 5
lmax = 1
zbl = true
[training]
minutes = 30
huber = 0.5
"""


def test_settings_of_a_file_are_used_and_options_overrule_them(tmp_path: Path) -> None:
    plan = plan_of(SETTINGS, tmp_path, "--cutoff", "4.5", "--valid", "3")
    assert (plan.model.network, plan.model.zbl, plan.model.elements) == ("mace", True, (1, 8))
    assert (plan.model.channels, plan.model.lmax, plan.model.cutoff) == (128, 1, 4.5)
    assert (plan.training.minutes, plan.training.huber) == (30, 0.5)
    assert (len(plan.train), len(plan.valid)) == (5, 3)


@pytest.mark.parametrize("path", sorted(Path(__file__).parents[1].glob("few-data/*.toml")), ids=lambda path: path.stem)
def test_the_settings_for_few_data_are_settings(path: Path, tmp_path: Path) -> None:
    data = f"--data={tmp_path / 'water.extxyz'}"
    plan = plan_of(path.read_text(), tmp_path, data, "--train=5", "--valid=2")
    assert (plan.model.network, plan.model.lmax, plan.training.optimizer) == (path.stem, 3, "muon")


def test_a_file_names_the_trained_model_to_begin_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[argparse.Namespace] = []
    monkeypatch.setattr(cli, "_command", lambda name: lambda options, *_: seen.append(options) or 0)
    monkeypatch.setattr(cli, "check_checkpoint", lambda path, *_: None)
    path = tmp_path / "settings.toml"
    path.write_text('[model]\nfrom = "a.safetensors"\n')
    words = ["train", "--config", str(path), "--out", str(tmp_path / "run")]
    assert main(words) == main([*words, "--from", "b.safetensors"]) == 0
    assert [str(options.start) for options in seen] == ["a.safetensors", "b.safetensors"]


def test_a_limit_of_epochs_replaces_the_default_limit_of_minutes(tmp_path: Path) -> None:
    data = '[data]\nfiles = ["{data}"]\n'
    for text, options, limits in [
        ("", (), (0, 3.5)),
        ("[training]\nepochs = 7", (), (7, 0.0)),
        ("[training]\nminutes = 2", ("--epochs", "7"), (7, 2.0)),
        ("", ("--epochs", "7"), (7, 0.0)),
    ]:
        plan = plan_of(data + text, tmp_path, *options)
        assert (plan.training.epochs, plan.training.minutes) == limits


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[training]\nepochs = 'many'", "epochs to be an integer, got 'many'"),
        ("[model]\nchanels = 8", "unknown name 'chanels' in [model]: did you mean 'channels'?"),
        ("[training]\nlearning-rate = 1", "in [training]: did you mean 'learning_rate'?"),
        ("[modle]\nchannels = 8", "unknown section [modle]: did you mean 'model'?"),
        ("[model]\nqqqq = 8", "unknown name 'qqqq' in [model]: expected one of size, network"),
        ("[model]\nelements = [1]", "unknown name 'elements'"),
        ("model = 3", "expected the section [model], got model = 3"),
        ("[model", "is not a file of settings in TOML"),
        ("[model]\nsize = 'XXL'", "expected size to be S or M or L, got 'XXL'"),
        ("[model]\nsize = [1]", "expected size to be S or M or L"),
        ("[model]\nchannels = 'many'", "channels to be an integer, got 'many'"),
        ("[model]\nfrom = 3", "expected from to be the file of a model, got 3"),
        ("[model]\nnetwork = 'schnet'", "network to be nequip or mace or allegro"),
        ("[training]\ndtype = 'float16'", "dtype float32 or float64"),
        ("[training]\nhuber = -1", "huber not below zero"),
        ("[training]\noptimizer = 'adamax'", "the optimizer amsgrad or adam or adamw or muon"),
        ("[training]\noptimiser = 'adam'", "did you mean 'optimizer'?"),
        ("[training]\nema = 1.0", "ema from 0 to below 1"),
        ("[training]\nsecond_stage = 1.5", "second_stage from 0 to below 1"),
        ("[training]\noptimizer = 'adam'\nweight_decay = 0.1", "weight_decay needs the optimizer adamw or muon"),
        ("[training]\nper_element = 1", "per_element to be true or false"),
        ("[training]\nwarmup = -5", "warmup not below zero"),
        ("[training]\nlearning_rate = nan", "learning_rate to be a finite number"),
        ("[data]\nfiles = 'a.xyz'", "files to be a list of names"),
        ("[data]\nenergy_key = 1", "energy_key to be a text"),
        ("[data]\nforce_key = 'f'", "did you mean 'forces_key'?"),
        ("[data]\nfiles = ['a\\u0000b']", "does not exist"),
        ("[data]\nenergy_key = 'dft'", "frame 0 (line 1) has no dft"),
        ("[data]\ntrain = 2.5", "train to be a number of frames"),
    ],
)
def test_wrong_settings_are_refused(
    text: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "water.extxyz").write_text(WATER * 8)
    path = tmp_path / "settings.toml"
    path.write_text(text)
    options = [] if "files" in text else ["--data", str(tmp_path / "water.extxyz")]
    assert main(["train", "--config", str(path), "--out", str(tmp_path / "run"), *options]) == 2
    message = capsys.readouterr().err
    assert expected in message
    assert message.count("\n") == 1


def test_a_missing_file_of_settings_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--config", str(tmp_path / "none.toml")]) == 2
    assert "none.toml does not exist" in capsys.readouterr().err
