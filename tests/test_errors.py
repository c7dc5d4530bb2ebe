"""What errors are and how they name the nearest known word."""

import pytest

from infoplane.errors import ConfigError, InfoplaneError, InputError, StoreError, did_you_mean


@pytest.mark.parametrize(
    ("kind", "builtin"), [(InputError, ValueError), (ConfigError, ValueError), (StoreError, RuntimeError)]
)
def test_each_error_is_ours_and_the_builtin_that_callers_expect(kind, builtin):
    assert issubclass(kind, InfoplaneError)
    assert issubclass(kind, builtin)


def test_the_nearest_known_name_is_offered():
    assert did_you_mean("bining", ["kde", "binning"]) == "; did you mean 'binning'?"


def test_without_a_near_name_all_known_ones_are_listed_in_order():
    assert did_you_mean("zzz", ["kde", "binning"]) == "; known: binning, kde"


def test_an_empty_table_is_listed_without_failing():
    assert did_you_mean("kde", []) == "; known: "


def test_the_text_of_an_error_is_one_line_whatever_went_into_it():
    assert str(ConfigError("unknown key 'a\nb'")) == "unknown key 'a b'"
