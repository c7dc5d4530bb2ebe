"""The keys of the experiment: what they come to, and what of them is refused in which words."""

import pytest

from infoplane.errors import ConfigError
from infoplane.experiments import configure


def refused(changes):
    with pytest.raises(ConfigError) as error:
        configure("as-if-random", changes=changes)
    return str(error.value)


def test_the_settings_are_those_of_the_code_that_it_follows():
    settings = configure("as-if-random")
    assert settings.sizes == [12, 12, 10, 8, 6, 4, 2]
    assert (settings.model.init, settings.train.learning_rate, settings.train.batch_size) == ("keras", 1e-3, 512)
    assert len(settings.measured) == 819
    assert settings.n_steps * settings.train.epochs == 10_500
    assert settings.members == 5
    assert 6100 in settings.window.ends


def test_every_estimator_has_a_name_of_its_own():
    assert list(configure("as-if-random").measures) == [
        "ross",
        "binning(correction=grassberger)",
        "binning(correction=none)",
        "kde",
        "gaussian",
    ]


def test_one_sample_of_the_weights_is_refused_with_the_function_to_use():
    assert "infoplane.layer_information" in refused({"window.length": 1})


@pytest.mark.parametrize("length", [-3, 0, 2, 7])
def test_too_few_samples_to_be_followed_are_refused(length):
    assert f"window.length is {length}; expected 8 to" in refused({"window.length": length})


def test_no_windows_are_refused():
    assert "window.ends is []; expected at least one" in refused({"window.ends": []})


def test_a_window_that_begins_before_the_training_is_refused():
    assert "would begin before the training; expected 100 or later" in refused({"window.ends": [50, 200]})


def test_windows_in_another_order_are_refused():
    assert "each later than the one before" in refused({"window.ends": [200, 100]})


def test_windows_past_the_end_are_refused_with_the_end():
    assert "window.ends names 10501, past the end: 1500 epochs are 10500 updates" in refused({"window.ends": [10_501]})


def test_windows_of_epochs_end_at_the_last_epoch():
    changes = {"window.unit": "epochs", "window.ends": [1500]}
    assert configure("as-if-random", changes=changes).pace == 7
    assert "1500 epochs are 1500 epochs" in refused(changes | {"window.ends": [1501]})


@pytest.mark.parametrize("lengths", [[1, 5], [5, 5], [20_000]])
def test_lengths_that_are_none_are_refused(lengths):
    assert "window.lengths" in refused({"window.lengths": lengths})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"estimators": ["ksg1"]}, "ksg1"),
        ({"estimators": ["noisy"]}, "clouds are measured by binning, kde, ross, gaussian"),
        ({"estimators": [{"name": "kde", "variance": [0.1, 0.2]}]}, "one value a parameter"),
        ({"sources": ["window", "window"]}, "sources names one of window, window twice"),
        ({"sources": ["seed"]}, "sources"),
        ({"model.activations": ["tanh", "tanh"]}, "model.activations names one"),
        ({"train.batch_size": 5000}, "there are 3277 rows to train on"),
        ({"train.fraction": 1.0}, "measure.part is 'test', which has 0 rows"),
        ({"train.fraction": 1e-9}, "train.fraction"),
        ({"measure.queries": 1}, "measure.queries"),
        ({"windows.length": 9}, "unknown key 'windows'"),
    ],
)
def test_what_else_is_wrong_is_said_in_one_line(changes, words):
    message = refused(changes)
    assert words in message
    assert "\n" not in message


def test_each_network_has_keys_of_its_own():
    tree = configure("as-if-random").network("relu", "branch")
    assert tree["source"] == "branch"
    assert tree["model"]["activation"] == "relu"
    assert "activations" not in tree["model"]
