"""The report's file: what stands in it, that it holds every number, and what it refuses."""

import base64
import hashlib
import json
import re

import numpy as np
import pytest

import infoplane as ip
from infoplane import results
from infoplane.errors import InputError, StoreError
from infoplane.reports import html, panels, report_folders

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"'` onload=alert(1) {{title}} %{x} &lt;b&gt;",
    "<b>bold</b><a href='https://example.org'>link</a><!-- ]]>",
    "\u202eright to left\u2028\u2029 عربي 🙂\x1b",
    "long " * 2000,
]


@pytest.fixture
def written(make_result, tmp_path, read_page):
    """Return a function that reports on results and reads the page."""

    def write(*found):
        path = ip.report(list(found), tmp_path / "page.html")
        assert [one.name for one in tmp_path.iterdir()] == ["page.html"]  # no partial file is left
        return read_page(path)

    return write


# ---- numbers


def test_the_page_holds_every_number_of_the_result(make_result, written):
    ds = make_result(specs=[{"name": "binning"}, {"name": "kde"}])
    ds["information"][1, 2, 3] = np.nan
    page = written(ds)
    (panel,) = page.about["panels"]
    for place, one in enumerate(panel["estimators"]):
        expected = ds["information"][place].transpose("layer", "variable", "epoch", "member").values
        np.testing.assert_array_equal(page.unpack(one["each"]), expected.astype(np.float32).ravel())
        np.testing.assert_allclose(page.unpack(one["mean"]), np.nanmean(expected, axis=-1).ravel(), rtol=1e-6)


def test_intervals_are_students_t_over_the_members_that_have_a_number(make_result, written):
    ds = make_result()
    ds["information"][0, 3, 0, 0, 0] = np.nan
    page = written(ds)
    one = page.about["panels"][0]["estimators"][0]
    three = ds["information"].values[0, :3, 0, 0, 0]
    assert page.unpack(one["known"])[0] == 3
    expected = 4.302653 * three.std(ddof=1) / np.sqrt(3)  # t of two degrees of freedom at 97.5 %
    assert page.unpack(one["half"])[0] == pytest.approx(expected, rel=1e-6)


def test_bounds_go_along_where_the_estimator_gives_them(make_result, written):
    ds = make_result()
    ds["information_lower"] = ds["information"] - 0.25
    page = written(ds)
    one = page.about["panels"][0]["estimators"][0]
    np.testing.assert_allclose(page.unpack(one["each"]) - page.unpack(one["lower"]), 0.25, atol=1e-6)


def test_an_estimator_at_few_epochs_keeps_only_these(make_result, written):
    ds = make_result(specs=[{"name": "binning"}, {"name": "kde"}])
    ds["information"][1, :, 1:5] = np.nan
    page = written(ds)
    assert page.about["panels"][0]["estimators"][1]["epochs"] == [0, 40]


def test_fifty_members_300_epochs_7_layers_2_estimators_stay_below_8_mb(make_result, written, tmp_path):
    layers = [f"hidden{n}" for n in range(1, 7)] + ["output"]
    ds = make_result(50, range(300), layers, specs=[{"name": "binning"}, {"name": "kde"}])
    ds["information_lower"] = ds["information"] - 0.1
    ds["information_upper"] = ds["information"] + 0.1
    page = written(ds)
    assert "each" in page.about["panels"][0]["estimators"][1]
    assert (tmp_path / "page.html").stat().st_size < 8e6


def test_members_that_do_not_fit_are_left_out_and_named(make_result):
    one, other = (panels.Panel(n, f"run {n}", make_result(title=f"run {n}")) for n in (1, 2))
    room = panels._members_size(one)
    about, _, without = panels.pack([one, other], budget=room + 10)
    assert ["each" in panel["estimators"][0] for panel in about["panels"]] == [True, False]
    assert without == ["run 2"]
    assert all("mean" in panel["estimators"][0] for panel in about["panels"])


# ---- words


def test_the_summary_says_what_was_run(make_result, written):
    text = written(make_result()).text
    assert "4 networks of hidden layers 4-3 tanh." in text
    assert "Trained for 40 epochs by adam at rate 0.001 in mini-batches of 64 on 80% of the data set szt." in text
    assert "Measured on 256 inputs at 6 epochs from 0 to 40 by binning: bins 30, edges idnns" in text


def test_flags_are_explained_in_plain_words_with_the_layers_that_carry_them(make_result, written):
    ds = make_result(flags=results.encode_flags(["saturated"]))
    ds["flags"][:, :, :, 1:] = 0
    text = written(ds).text
    assert ip.explain("saturated") in text
    assert "binning: hidden1 100%" in text
    assert ip.explain("clipped") not in text


def test_a_result_without_flags_says_so(make_result, written):
    assert "No value carries a flag, and nothing failed." in written(make_result()).text


def test_what_failed_is_told_with_its_reason(make_result, written):
    ds = make_result()
    ds.attrs["failed"] = json.dumps([{"members": [2], "epoch": 5, "tries": 3, "reason": "the machine was lost"}])
    text = written(ds).text
    assert "the machine was lost" in text
    assert "members [2], epoch 5, tries 3" in text


def test_one_network_is_said_to_have_no_interval(make_result, written):
    page = written(make_result(members=1))
    assert "nothing says how far another one would differ" in page.text
    assert np.isnan(page.unpack(page.about["panels"][0]["estimators"][0]["half"])).all()
    assert "each" not in page.about["panels"][0]["estimators"][0]


def test_an_unfinished_training_is_told(make_result, written):
    ds = make_result().isel(epoch=slice(3))
    assert "Incomplete: measured up to epoch 2 of 40" in written(ds).text


def test_claims_configuration_command_and_citation_stand_in_the_page(make_result, written):
    text = written(make_result(title="szt")).text
    assert "(Shwartz-Ziv & Tishby 2017" in text or "Shwartz-Ziv & Tishby 2017" in text
    assert "train.learning_rate" in text
    assert "infoplane run szt" in text
    assert f"version {__import__('importlib.metadata', fromlist=['version']).version('infoplane')}" in text


# ---- several, and what has no plane


def test_results_of_one_name_are_told_apart(make_result, written):
    page = written(make_result(), make_result())
    assert [panel["title"] for panel in page.about["panels"]] == ["toy (1)", "toy (2)"]


def test_the_same_networks_on_shuffled_labels_are_found_as_baseline(make_result, written):
    shuffled = make_result(data={"name": "szt", "shuffle_labels": True})
    page = written(make_result(), shuffled)
    assert [panel["shuffled"] for panel in page.about["panels"]] == [1, None]


def test_the_bound_stands_where_the_input_decides_the_label(make_result, written):
    ds = make_result()
    assert written(ds).about["panels"][0]["bound"][1][-1] == pytest.approx(1.0)
    ds.attrs["label_information"] = 0.5
    assert written(ds).about["panels"][0]["bound"] is None


def test_a_result_without_labels_has_curves_but_no_plane(make_result, written):
    ds = make_result()
    ds["information"][..., 1] = np.nan
    assert written(ds).about["panels"][0]["plane"] is False


def test_a_computed_experiment_shows_its_figures(tmp_path, read_page):
    ds = ip.run("saxe-minimal", out=tmp_path / "run", members=2, points=5)
    page = read_page(report_folders([tmp_path / "run"]))
    assert page.tags.count("img") == 1
    assert [value[:22] for tag, key, value in page.attributes if (tag, key) == ("img", "src")] == [
        "data:image/png;base64,"
    ]
    assert ds.attrs["title"] in page.text


def test_a_recording_is_reported_while_it_is_made(tmp_path, read_page):
    rng = np.random.default_rng(0)
    inputs, labels = rng.standard_normal((40, 3)), rng.integers(0, 2, 40)
    recorder = ip.Recorder(inputs, labels, "binning", out=tmp_path / "record", epochs=2)
    for epoch in range(2):
        recorder.step(epoch, {"first": np.tanh(inputs * (epoch + 1))})
    recorder.close()
    page = read_page(report_folders([tmp_path / "record"]))
    assert page.about["panels"][0]["layers"] == ["first"]
    assert "1 network, layers first." in page.text


# ---- safety


def test_the_policy_lets_only_the_pages_own_scripts_run(make_result, written):
    page = written(make_result())
    policy = next(value for _, key, value in page.attributes if key == "content" and "default-src" in value)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    digest = base64.b64encode(hashlib.sha256(page.scripts["script"].encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy
    assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]


def test_nothing_in_the_page_points_elsewhere(make_result, written):
    page = written(make_result())
    assert not [one for one in page.attributes if one[1] in ("src", "href", "srcset", "action", "background")]
    assert not [key for _, key, _ in page.attributes if key.startswith("on")]
    assert "url(" not in page.scripts["style"]
    assert "@import" not in page.scripts["style"]


@pytest.mark.parametrize("name", HOSTILE, ids=["script", "image", "quotes", "markup", "direction", "long"])
def test_hostile_names_are_text(make_result, written, name):
    plain = written(make_result(layers=("first", "second"), title="toy"))
    page = written(make_result(layers=(name, "second"), title=name, data={"name": name, "shuffle_labels": False}))
    assert page.tags == plain.tags
    assert [one[:2] for one in page.attributes] == [one[:2] for one in plain.attributes]
    assert page.about["panels"][0]["layers"][0] == name
    assert " ".join(name.split()) in page.text


def test_json_in_a_script_can_neither_end_it_nor_begin_a_comment():
    text = html.in_script({"<!-- </script> &\u2028": "<script>"})
    assert not re.search(r"[<>&\u2028]", text)
    assert json.loads(text) == {"<!-- </script> &\u2028": "<script>"}


# ---- refusals


def test_an_unfinished_run_is_refused_and_resume_named(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}")
    with pytest.raises(StoreError, match=r"no results.nc yet; finish it with 'infoplane resume .*run'"):
        report_folders([tmp_path / "run"])


def test_a_damaged_result_is_refused_and_nothing_written(make_result, tmp_path):
    results.save(make_result(), tmp_path / "results.nc")
    content = (tmp_path / "results.nc").read_bytes()
    (tmp_path / "results.nc").write_bytes(content[: len(content) // 2])
    with pytest.raises(StoreError, match=r"results\.nc"):
        report_folders([tmp_path])
    assert [path.name for path in tmp_path.iterdir()] == ["results.nc"]


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(StoreError, match="nowhere"):
        report_folders([tmp_path / "nowhere"])


def test_a_page_that_cannot_be_written_is_one_line(make_result, tmp_path):
    with pytest.raises(StoreError, match=r"no/page.html"):
        ip.report(make_result(), tmp_path / "no" / "page.html")


@pytest.mark.parametrize("wrong", [3, None, [], {}, [3], "runs/szt"], ids=repr)
def test_what_is_no_result_is_refused(tmp_path, wrong):
    with pytest.raises(InputError, match=r"ds is (of type|empty)"):
        ip.report(wrong, tmp_path / "page.html")
    assert not list(tmp_path.iterdir())


def test_the_same_result_gives_the_same_page(make_result, tmp_path):
    pages = [ip.report(make_result(), tmp_path / f"{n}.html").read_bytes() for n in range(2)]
    assert pages[0] == pages[1]


def test_the_command_writes_into_the_first_folder_and_records_the_checksum(make_result, tmp_path):
    for name in ("tanh", "relu"):
        (tmp_path / name).mkdir()
        results.save(make_result(title=name), tmp_path / name / "results.nc")
    path = report_folders([tmp_path / "tanh", tmp_path / "relu"])
    assert path == tmp_path / "tanh" / "report.html"
    line = json.loads((tmp_path / "tanh" / "log.jsonl").read_text().splitlines()[-1])
    assert (line["path"], line["sha256"]) == ("report.html", hashlib.sha256(path.read_bytes()).hexdigest())


def test_an_unfinished_run_says_so_at_the_top(make_result, written):
    ds = make_result(members=3).sel(epoch=[0, 1, 2, 5])
    ds["information"][:, 2] = np.nan
    ds.attrs["failed"] = json.dumps([{"members": [2], "epoch": 5, "tries": 2, "reason": "killed", "labels": {}}])
    text = written(ds).text
    warning = "This run is not finished. Measured up to epoch 5 of 40. 1 task failed. 1 of 3 members have no values."
    assert warning in text
    assert text.index(warning) < text.index("What was run")


def test_a_finished_run_has_no_such_warning(make_result, written):
    assert "not finished" not in written(make_result()).text
