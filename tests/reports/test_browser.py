"""The report in a real browser: what moves, what is typed, what is read aloud; offline, without a message.

Needs playwright (``pip install '.[browser]'``) and a Chromium of the system; skipped with a reason otherwise.
"""

import contextlib
import shutil

import numpy as np
import pytest

import infoplane as ip
from infoplane._numbers import digits
from infoplane.estimators import build_all
from infoplane.plots import style

sync_api = pytest.importorskip("playwright.sync_api", reason="needs the extra 'browser' (playwright)")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, e.g. `apt-get install chromium`"),
]

FLAGS = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
FLAGS += " --disable-component-update --disable-sync"
PATIENCE = 60_000  # ms; a busy machine starts slowly
HOSTILE = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"'` onload=alert(1) %{x} &lt;b&gt;",
    "<b>bold</b><a href='https://example.org'>link</a>",
    "\u202eright to left عربي 🙂",
    "long" * 2500,
]


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium."""
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split(), timeout=PATIENCE)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def first(make_result, tmp_path_factory):
    """A result of two networks side by side (the second on shuffled labels), and its page."""
    ds = make_result(specs=[{"name": "binning"}, {"name": "kde"}])
    shuffled = make_result(specs=[{"name": "binning"}, {"name": "kde"}], data={"name": "szt", "shuffle_labels": True})
    ds["information_lower"] = ds["information"] - 0.25
    ds["information_upper"] = ds["information"] + 0.25
    path = ip.report({"toy": ds, "toy, shuffled": shuffled}, tmp_path_factory.mktemp("report") / "page.html")
    return ds, path


@contextlib.contextmanager
def opened(browser, path, *, clock=False, **options):
    """A page whose requests are stopped and counted, and whose messages are kept; its clock may be the test's."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: (said.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    own = path.as_uri()
    context.route("**/*", lambda route: route.continue_() if route.request.url == own else route.abort())
    page.on("request", lambda request: asked.append(request.url) if request.url != own else None)
    if clock:
        page.clock.install(time=0)
    page.goto(own)
    page.wait_for_selector("html[data-drawn]", state="attached")
    try:
        yield page
        assert said == []
        assert [url for url in asked if not url.startswith(("data:", "blob:"))] == []
    finally:
        context.close()


RESET = """() => {
    const set = (selector, key, value) => document.querySelectorAll(selector).forEach((one) => {
        if (one[key] === value) return;
        one[key] = value;
        one.dispatchEvent(new Event("change"));
    });
    document.activeElement.blur();
    set("#estimator", "value", "binning");
    set("input[name=show][value=mean]", "checked", true);
    set("input[name=scale][value=log]", "checked", true);
    set("#untrained, #shuffled, #bound", "checked", false);
    set("#layers input, #shown input", "checked", true);
    document.querySelector("#numbers").open = false;
}"""


@pytest.fixture(scope="module")
def shared(browser, first):
    """The page of the two networks, opened once."""
    with opened(browser, first[1]) as page:
        yield page


@pytest.fixture
def page(shared):
    """The same as it was when it was opened."""
    shared.evaluate(RESET)
    go_to(shared, 5)
    return shared


def dots(page, role="now", panel=0):
    """What stands in the plane: for each trace of a role its x and its y."""
    code = """([role, panel]) => [...document.querySelectorAll(".plane")[panel].data]
        .filter((trace) => trace.meta.role === role).map((trace) => [[...trace.x], [...trace.y]])"""
    return np.array(page.evaluate(code, [role, panel]))


def curves(page, role="curve"):
    """The curves of the first panel: for each its x and its y."""
    code = """(role) => document.querySelector(".curves").data.filter((trace) => trace.meta.role === role)
        .map((trace) => [[...trace.x], [...trace.y]])"""
    return page.evaluate(code, role)


def await_value(page, code, value):
    """Let the page draw until an expression has a value; its policy forbids `wait_for_function`, which is an eval."""
    for _ in range(100):
        if page.evaluate(code) == value:
            return
        page.evaluate("new Promise((done) => requestAnimationFrame(done))")
    raise AssertionError(f"{code} is {page.evaluate(code)!r}, not {value!r}")


def go_to(page, place):
    """Move the slider to a place."""
    page.locator("#epoch").evaluate(
        "(slider, place) => { slider.value = place; slider.dispatchEvent(new Event('input')); }", place
    )


def expected(ds, estimator, epoch):
    """The values of a data set at an epoch, as (layer, variable, member)."""
    return ds["information"].sel(estimator=estimator, epoch=epoch).transpose("layer", "variable", "member").values


# ---- the slider


def test_the_slider_moves_the_points_to_the_values_of_the_data_set(page, first):
    ds = first[0]
    for place, epoch in enumerate(ds["epoch"].values):
        go_to(page, place)
        assert page.inner_text("#now") == f"epoch {epoch}"
        np.testing.assert_allclose(dots(page)[..., 0], expected(ds, "binning", epoch).mean(axis=-1), rtol=1e-6)


def test_the_line_in_the_curves_follows_the_slider(page):
    for place, x in ((0, 0.0), (1, 0.5), (4, 1.5)):  # epochs 0, 1 and 10: epoch 0 is half a decade below 1
        go_to(page, place)
        assert page.evaluate("document.querySelector('.curves').layout.shapes[0].x0") == pytest.approx(x)


def test_the_trail_ends_at_the_point(page, first):
    go_to(page, 3)
    trail = dots(page, "trail")
    assert trail.shape == (3, 2, 4)
    np.testing.assert_array_equal(trail[..., -1], dots(page)[..., 0])


def test_the_table_holds_the_values_with_four_decimals_and_the_interval(page, first):
    go_to(page, 2)
    page.click("#numbers summary")
    cells = page.locator("#tables table").first.locator("td").all_inner_texts()
    mean = expected(first[0], "binning", 2).mean(axis=-1)
    assert cells[:2] == ["hidden1", f"{digits(np.float32(mean[0, 0]))}"]
    assert cells[2].startswith("± ")


# ---- play


def test_play_goes_on_to_the_end_and_pause_stops_it(browser, first):
    with opened(browser, first[1], clock=True) as page:
        page.clock.pause_at(1000)  # from now on time passes when the test says so
        go_to(page, 0)
        page.click("#play")
        assert page.get_attribute("#play", "aria-label") == "Pause"
        page.clock.run_for(1500)  # half of the three seconds that six epochs play
        reached = int(page.input_value("#epoch"))
        assert 1 <= reached <= 4
        page.click("#play")
        assert page.get_attribute("#play", "aria-label") == "Play"
        page.clock.run_for(5000)
        assert int(page.input_value("#epoch")) == reached
        page.click("#play")
        page.clock.run_for(5000)
        assert page.inner_text("#now") == "epoch 40"
        assert page.get_attribute("#play", "aria-label") == "Play"


# ---- choices


def test_another_estimator_shows_its_numbers(page, first):
    page.select_option("#estimator", "kde")
    np.testing.assert_allclose(dots(page)[..., 0], expected(first[0], "kde", 40).mean(axis=-1), rtol=1e-6)


def test_each_shows_every_member_and_one_shows_one(page, first):
    values = expected(first[0], "binning", 40)
    page.check("input[name=show][value=each]")
    np.testing.assert_allclose(dots(page, "each"), values, rtol=1e-6)
    page.select_option("#member", "2")
    assert page.is_checked("input[name=show][value=one]")
    np.testing.assert_allclose(dots(page)[..., 0], values[..., 2], rtol=1e-6)
    assert len(dots(page, "each")) == 0


def test_a_layer_that_is_unticked_leaves_plane_and_curves(page):
    assert len(curves(page)) == 6
    page.locator("#layers input").nth(1).uncheck()
    assert len(dots(page)) == 2
    assert len(curves(page)) == 4
    page.locator("#layers input").nth(1).check()
    assert len(dots(page)) == 3


def test_epochs_stand_linear_or_logarithmic(page):
    assert curves(page)[0][0] == pytest.approx([0, 0.5, 0.5 + np.log10(2), 0.5 + np.log10(5), 1.5, 0.5 + np.log10(40)])
    page.check("input[name=scale][value=linear]")
    assert curves(page)[0][0] == [0, 1, 2, 5, 10, 40]


def test_untrained_shuffled_and_bound_are_laid_beside(page, first):
    for box in ("untrained", "shuffled", "bound"):
        page.check(f"#{box}")
    start = expected(first[0], "binning", 0).mean(axis=-1)
    np.testing.assert_allclose(dots(page, "untrained")[..., 0], start, rtol=1e-6)
    np.testing.assert_array_equal(dots(page, "shuffled labels"), dots(page, panel=1))
    go_to(page, 1)
    np.testing.assert_array_equal(dots(page, "shuffled labels"), dots(page, panel=1))
    bound = dots(page, "bound")[0]
    np.testing.assert_allclose(bound[1], np.minimum(bound[0], 1.0), atol=1e-6)


def test_panels_stand_side_by_side_on_the_same_axes(page):
    ranges = page.evaluate("[...document.querySelectorAll('.plane')].map((one) => one.layout.xaxis.range)")
    assert len(ranges) == 2
    assert ranges[0] == ranges[1]
    page.locator("#shown input").nth(1).uncheck()
    assert page.locator(".plane").count() == 1


def test_an_estimator_of_another_name_and_the_same_definition_stands_beside_it(make_result, tmp_path, browser):
    specs = [{"name": "binning", "bins": 30}, {"name": "binning", "bins": 60}]
    names = list(build_all(specs))
    second = make_result(members=2, specs=specs).assign_coords(estimator=names)
    assert "binning" not in names
    path = ip.report({"one": make_result(members=2, specs=specs[:1]), "two": second}, tmp_path / "page.html")
    with opened(browser, path) as page:
        assert page.input_value("#estimator") == "binning"
        np.testing.assert_allclose(dots(page, panel=1)[..., 0], expected(second, names[0], 40).mean(axis=-1), rtol=1e-6)


def test_names_of_layers_do_not_cover_each_other(browser, first):
    code = """() => [...document.querySelector(".plane").querySelectorAll(".scatterlayer text")].map((one) => {
        const { left, right, top, bottom } = one.getBoundingClientRect();
        return [left, right, top, bottom];
    })"""
    with opened(browser, first[1], viewport={"width": 360, "height": 740}) as page:
        boxes = page.evaluate(code)
        assert len(boxes) >= 3  # of layers, and of the input
        for place, one in enumerate(boxes):
            assert one[1] <= 360
            for other in boxes[:place]:
                wide, high = (min(one[n + 1], other[n + 1]) - max(one[n], other[n]) for n in (0, 2))
                assert min(wide, high) <= 2


def test_hover_tells_member_layer_bits_and_interval(page, first):
    page.select_option("#member", "2")
    text = page.evaluate(
        "document.querySelector('.plane').data.find((trace) => trace.meta.role === 'now').hovertext[0]"
    )
    value = np.float32(expected(first[0], "binning", 40)[0, 0, 2])
    assert text.startswith("<b>hidden1</b><br>network 2, epoch 40")
    assert f"I(X;T) {digits(value)} between {digits(value - 0.25)} and {digits(value + 0.25)} bits" in text


# ---- keyboard


def test_the_page_is_played_by_keyboard_alone(browser, first):
    with opened(browser, first[1], clock=True) as page:
        page.clock.pause_at(1000)  # from now on time passes when the test says so
        page.keyboard.press("Home")
        assert page.inner_text("#now") == "epoch 0"
        page.keyboard.press("ArrowRight")
        assert page.inner_text("#now") == "epoch 1"
        page.keyboard.press("End")
        page.keyboard.press("ArrowLeft")
        assert page.inner_text("#now") == "epoch 10"
        page.keyboard.press(" ")
        assert page.get_attribute("#play", "aria-label") == "Pause"
        page.keyboard.press(" ")
        assert page.get_attribute("#play", "aria-label") == "Play"


def test_tab_reaches_every_control_and_each_shows_its_focus(page):
    page.locator("h1").click()
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.name || ''"))
        if "numbers" in reached or page.evaluate("document.activeElement.closest('#numbers') !== null"):
            break
        if page.evaluate("document.activeElement.matches('#play, #epoch, #estimator')"):
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert {"play", "epoch", "estimator", "show", "scale", "untrained", "bound"} <= reached


def test_the_slider_says_its_epoch(page):
    page.focus("#epoch")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert page.get_attribute("#epoch", "aria-valuetext") == "epoch 1"
    assert "epoch 1:" in page.get_attribute(".plane", "aria-label")


# ---- safety


@pytest.mark.parametrize("name", HOSTILE, ids=["script", "image", "quotes", "markup", "direction", "long"])
def test_hostile_names_are_text_and_run_nothing(make_result, tmp_path, browser, name):
    counts = []
    for one in ("first", name):
        ds = make_result(members=2, layers=(one, "second"), title=one, data={"name": one})
        with opened(
            browser, ip.report({one: ds}, tmp_path / "page.html"), viewport={"width": 360, "height": 740}
        ) as page:
            page.check("input[name=show][value=each]")
            page.click("#numbers summary")
            inside = "script, img, iframe, object, embed, link, a[href], b, [onerror], [onload]"
            counts.append([page.locator(inside).count(), page.locator("body > *").count()])
            assert page.locator("#layers label").count() == 2
            assert page.locator("#layers bdi").first.text_content() == one
            assert page.evaluate("document.documentElement.scrollWidth") <= 360
            drawn = page.locator(".plane .scatterlayer text").all_text_contents()
            assert any(text[:10].strip() and one.startswith(text[:10]) for text in drawn), drawn
    assert counts[0] == counts[1]


# ---- looks


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_finding_of_accessibility(browser, first, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python").Axe()
    with opened(browser, first[1], color_scheme=scheme, bypass_csp=True) as page:
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        found = axe.run(page).response["violations"]
        serious = [one for one in found if one["impact"] in ("serious", "critical")]
        assert [(one["id"], [node["html"][:120] for node in one["nodes"]][:3]) for one in serious] == []


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_no_width_scrolls_sideways(browser, first, width):
    with opened(browser, first[1], viewport={"width": width, "height": 740}) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        right = page.evaluate(
            "Math.max(...[...document.querySelectorAll('.chart')].map((one) => one.getBoundingClientRect().right))"
        )
        assert right <= width


def test_dark_mode_is_dark_and_the_charts_follow(browser, first):
    code = "[getComputedStyle(document.body).backgroundColor, document.querySelector('.plane').layout.font.color]"
    with opened(browser, first[1], color_scheme="dark") as page:
        assert page.evaluate(code) == ["rgb(20, 23, 27)", "#e4e7ea"]
        page.emulate_media(color_scheme="light")
        await_value(page, "document.querySelector('.plane').layout.font.color", "#1f2328")


def test_print_is_light_opens_what_is_folded_and_leaves_the_controls_out(browser, first):
    with opened(browser, first[1], color_scheme="dark") as page:
        page.emulate_media(media="print")
        await_value(page, "document.querySelector('.plane').layout.font.color", "#000000")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.evaluate("document.querySelector('.plane').layout.width") == 640  # fits on A4, whatever the window
        assert not page.is_visible("#play")
        assert not page.is_visible(".choices")
        assert page.is_visible("#configuration table")
        assert page.pdf()[:5] == b"%PDF-"


def test_layers_have_the_colours_of_the_figures(page):
    code = "document.querySelector('.plane').data.filter((t) => t.meta.role === 'now').map((t) => t.marker.color)"
    assert page.evaluate(code) == [colour.lower() for colour in style.LAYER_COLOURS[:3]]


# ---- many layers


NAMED = """() => {
    const written = [...document.querySelectorAll('.plane .scatterlayer text')].filter((one) => one.textContent.trim());
    return written.map((one) => {
        const box = one.getBoundingClientRect();
        return [one.textContent, box.left, box.right, box.top, box.bottom];
    });
}"""


@pytest.mark.parametrize("count", [10, 60, pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.parametrize("width", [302, pytest.param(1280, marks=pytest.mark.slow)])  # 302 pixels are 8 cm
def test_names_of_many_layers_are_short_and_apart(make_result, tmp_path, browser, count, width):
    layers = tuple(f"layer{1 + 4 * place // count}.{place}" for place in range(count))
    ds = make_result(members=1, layers=layers)
    saturated = int(0.8 * count)
    ds["information"][:, :, :, :saturated] = np.array([8.0, 1.0])
    with opened(browser, ip.report(ds, tmp_path / "page.html"), viewport={"width": width, "height": 740}) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        named = page.evaluate(NAMED)
        joined = [text for text, *_ in named if text.endswith(f"({saturated})")]
        assert len(joined) == 1
        assert joined[0].startswith("layer")
        assert max(len(text) for text, *_ in named) <= 44
        layer_names = [box for text, *box in named if text != "input"]
        assert len(layer_names) <= 24
        if len(layer_names) > 3:  # up to three are always written
            apart = [
                min(one[1], other[1]) - max(one[0], other[0]) < 6 or min(one[3], other[3]) - max(one[2], other[2]) < 6
                for at, one in enumerate(layer_names)
                for other in layer_names[:at]
            ]
            assert all(apart)
