"""Pictures with a slider: what they may weigh, what they round, and what they refuse; and the live ones of the site."""

import html
import json
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest

from symnb.alive import MOST_BYTES, LivePicture
from symnb.alive_layers import N_STEPS, Image, Line, LivePanel, Points, Words, shades


def unit(title="", **options):
    return LivePanel((0, 1), (0, 1), title, **options)


def picture(n=3, **options):
    frames = [([Points([[k / n, 0.5]])], [Line([[0, 0], [1, k / n]])]) for k in range(n)]
    return LivePicture([unit("left"), unit("right")], frames, **(dict(label="k", values=range(n)) | options))


def page_of(live):
    """The page inside the iframe, and the data that its script gets."""
    source = re.fullmatch(r"<div><iframe title=\"[^\"]*\" srcdoc='([^']*)' style=\"[^\"]*\"></iframe></div>",
                          live.html())
    page = html.unescape(source[1])
    return page, json.loads(re.search(r"const D=(.*), N=\d+", page)[1])


def test_the_page_holds_what_was_given_and_asks_for_nothing():
    live = picture(words=["a", "b", "c"], handles=(1, np.array([[0, 0], [0.5, 0.5], [1, 1]])), start=2)
    page, data = page_of(live)
    assert [p["t"] for p in data["p"]] == ["left", "right"] and data["w"] == ["a", "b", "c"] and data["s"] == 2
    assert len(data["f"]) == 3 and data["h"] == [1, [0, 0, N_STEPS // 2, N_STEPS // 2, N_STEPS, N_STEPS]]
    assert not re.search(r"(?:https?:)?//\w|\bsrc=|\bhref=|\bimport\b|fetch\(|url\(", page)
    assert 'type="range"' in page and "aria-label" in page and live._repr_html_() == live.html()
    assert repr(live) == "LivePicture(3 frames of 2 panels, k)"


def test_places_are_rounded_to_a_step_of_the_panel():
    x = np.random.default_rng(0).uniform(0.01, 10, (500, 2))
    panel = LivePanel((0.01, 10), (0, 10), log=True)
    steps = np.array(panel.steps(x)).reshape(-1, 2)
    assert (steps == steps.astype(int)).all() and (0 <= steps).all() and (steps <= N_STEPS).all()
    back = np.stack([0.01 * 1000 ** (steps[:, 0] / N_STEPS), 10 * steps[:, 1] / N_STEPS], 1)
    assert np.abs(np.log(back[:, 0] / x[:, 0])).max() <= 0.5 * np.log(1000) / N_STEPS + 1e-9
    assert np.abs(back[:, 1] - x[:, 1]).max() <= 0.5 * 10 / N_STEPS + 1e-9
    assert panel.steps(np.array([[np.nan, 1], [-1, np.inf]])) == [None, N_STEPS // 10, None, None]
    _, data = page_of(LivePicture([panel], [([Points(x)],)] * 2, "k", [0, 1]))
    assert len(json.dumps(data["f"][0])) < 500 * 2 * 6 + 100


def test_ticks_lie_where_their_numbers_say():
    horizontal, vertical = LivePanel((0.05, 1), (-2.6, 2.6), log=True).ticks()
    assert [float(words) for _, words in horizontal] == [0.05, 0.1, 0.2, 0.5, 1]
    assert [round(N_STEPS * np.log(float(w) / 0.05) / np.log(20)) for _, w in horizontal] == [s for s, _ in horizontal]
    assert [words for _, words in vertical] == ["−2", "0", "2"] and unit(bare=True).ticks() == [[], []]


def test_a_grey_image_keeps_its_rows_and_its_values():
    grey = np.array([[0, 0.5, 1], [2, -1, 0.2]])
    _, width, text, corners = Image(grey).pack(unit())
    levels = np.array([int(c, 36) for c in text]).reshape(-1, width) / 35
    assert np.abs(levels - np.clip(grey, 0, 1)).max() <= 0.5 / 35 + 1e-9 and corners == [0, 0, N_STEPS, N_STEPS]


def test_shades_run_from_low_to_high():
    dark, light, same = shades([0, 0.5, 1], "gray", n=2)
    assert dark < light == same and len(dark) == 7
    assert len({*shades([3.0, 3.0])}) == 1 and shades([-9, 9], "gray", 0, 1) == shades([0, 1], "gray")


NASTY = "</script><script>alert(1)</script><img src=x onerror='alert(2)'> & \" ' $x$ DATA PAINT"


def nasty():
    panels = [LivePanel((0, 1), (0, 1), NASTY, NASTY, NASTY)]
    return LivePicture(panels, [([Words((0, 0), NASTY)],)] * 2, NASTY, [NASTY, NASTY], words=[NASTY, NASTY])


def test_no_text_becomes_markup():
    page, data = page_of(nasty())
    assert page.count("<script") == page.count("</script") == 1 and "<img" not in page
    assert data["p"][0]["t"] == data["w"][1] == data["f"][0][0][0][5] == NASTY


def test_a_dollar_is_no_formula():
    panel = LivePanel((0, 1), (0, 1), "costs $5_", "$", "$")
    live = LivePicture([panel], [([Words((0, 0), "^$")],)] * 2, "$^", ["$", "$_"])
    fig = live.still(title="$a")
    fig.canvas.draw()  # matplotlib would complain of a formula that does not end
    assert fig.axes[0].get_title(loc="left") == r"costs \$5_"


def test_a_picture_that_is_too_heavy_says_what_to_thin_out():
    dots = np.random.default_rng(0).random((2000, 2))
    heavy = LivePicture([unit("thin"), unit("thick")], [([], [Points(dots)])] * 20, "k", range(20))
    with pytest.raises(ValueError, match="more than 300: most are on 'thick', in 20 frames; thin out"):
        heavy.html()
    light = LivePicture(heavy.panels, heavy.frames[:10], "k", range(10))
    assert 100_000 < len(light.html().encode()) <= MOST_BYTES


WRONG = {
    "xlim": lambda: LivePanel((1, 0), (0, 1)),
    "ylim": lambda: LivePanel((0, 1), (0, np.nan)),
    "xlim.*log": lambda: LivePanel((0, 1), (0, 1), log=True),
    r"at has the shape \(2,\)": lambda: Points([1, 2]),
    r"at has the shape \(2, 3\)": lambda: Line(np.zeros((2, 3))),
    r"at has the shape \(1, 3\)": lambda: Words((0, 0, 0), "x"),
    "color has 2 entries for 1 points": lambda: Points([[0, 0]], ["red", "blue"]),
    r"grey has the shape \(4,\)": lambda: Image(np.zeros(4)),
    "frames has 1 entries": lambda: picture(1),
    "values has 2 entries for 3 frames": lambda: picture(values=[0, 1]),
    "words has 1 entries for 3 frames": lambda: picture(words=["x"]),
    r"fixed has 1 lists of layers for 2 panels": lambda: picture(fixed=([],)),
    r"frames\[1\] has 1 lists": lambda: LivePicture([unit(), unit()], [([], []), ([],)], "k", [0, 1]),
    r"handles must be .* \(3, 2\)": lambda: picture(handles=(0, np.zeros((2, 2)))),
    "handles must be the number of a panel, below 2": lambda: picture(handles=(2, np.zeros((3, 2)))),
    "start=3 is no frame": lambda: picture(start=3),
}


@pytest.mark.parametrize("words", WRONG)
def test_wrong_shapes_are_named(words):
    with pytest.raises(ValueError, match=words):
        WRONG[words]()


def test_a_still_has_a_row_for_each_panel_and_the_frames_asked_for():
    fig = picture(9).still([0, 4, 8], "three of them")
    rows = np.reshape(fig.axes, (2, 3))
    assert [ax.collections[0].get_offsets()[0, 0] for ax in rows[0]] == pytest.approx([0, 4 / 9, 8 / 9])
    assert [len(row.texts) for row in rows[0]] == [1, 1, 1] and fig.get_suptitle() == "three of them"
    grown = picture(3, grow=True).still()
    assert [len(ax.collections) for ax in grown.axes[:3]] == [1, 2, 3]
    plt.close("all")


# In a browser

@pytest.fixture
def show(offline, tmp_path):
    """Opens a picture as a page of the disk; returns its frame."""
    def opened(live):
        (tmp_path / "page.html").write_text(f"<!doctype html><meta charset='utf-8'>{live.html()}", encoding="utf-8")
        offline.goto((tmp_path / "page.html").as_uri())
        return offline.frame_locator("iframe")
    return opened


PIXELS = "c => c.toDataURL()"


def test_the_arrow_keys_move_it(show, offline):
    frame = show(picture(words=["none", "some", "all"]))
    assert frame.locator("p").inner_text() == "none"
    before = frame.locator("canvas").evaluate(PIXELS)
    frame.locator("input").focus()
    offline.keyboard.press("ArrowRight")
    assert frame.locator("p").inner_text() == "some" and frame.locator("output").inner_text() == "1"
    assert frame.locator("canvas").evaluate(PIXELS) != before
    offline.keyboard.press("ArrowLeft")
    assert frame.locator("canvas").evaluate(PIXELS) == before
    assert frame.locator("input").get_attribute("aria-label") == "k"


def test_a_drag_picks_the_nearest_handle(show, offline):
    frame = show(picture(3, handles=(0, np.array([[0, 0], [0.5, 0.5], [1, 1]]))))
    box = frame.locator("canvas").bounding_box()
    offline.mouse.move(box["x"] + 60, box["y"] + box["height"] - 60)
    offline.mouse.down()
    assert frame.locator("output").inner_text() == "0"
    offline.mouse.move(box["x"] + box["width"] / 2 - 30, box["y"] + 50, steps=5)
    assert frame.locator("output").inner_text() == "2"
    offline.mouse.up()
    offline.mouse.move(box["x"] + 60, box["y"] + box["height"] - 60)
    assert frame.locator("output").inner_text() == "2"


def test_a_nasty_title_is_only_drawn(show, offline):
    offline.on("dialog", lambda dialog: pytest.fail(dialog.message))
    frame = show(nasty())
    assert frame.locator("p").inner_text() == NASTY and frame.locator("script").count() == 1
    assert frame.locator("input").get_attribute("aria-label") == NASTY


def test_a_dense_screen_gets_as_many_pixels(chromium, tmp_path):
    sizes = []
    for density in (1, 2):
        page = chromium.new_page(viewport={"width": 900, "height": 700}, device_scale_factor=density)
        page.set_content(picture().html())
        sizes.append(page.frame_locator("iframe").locator("canvas").evaluate("c => c.width / c.clientWidth"))
        page.close()
    assert sizes == pytest.approx([1, 2], rel=0.01)


def test_panels_stand_below_each_other_in_a_narrow_window(show, offline):
    frame = show(picture())
    wide = frame.locator("canvas").bounding_box()
    offline.set_viewport_size({"width": 340, "height": 800})
    offline.wait_for_function(f"document.querySelector('iframe').clientHeight > {1.5 * wide['height']}")
    narrow, outer = frame.locator("canvas").bounding_box(), offline.locator("iframe").bounding_box()
    assert narrow["height"] > 1.5 * wide["height"] and outer["height"] > narrow["height"]
    assert offline.evaluate("document.documentElement.scrollWidth <= innerWidth")
