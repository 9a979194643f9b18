"""The site of the documentation: complete, whole, and quiet on a machine without a network."""
import ast
import inspect
import json
import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from conftest import ROOT

pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning", "ignore::DeprecationWarning")  # of Sphinx

pytest.importorskip("sphinx")
bs4 = pytest.importorskip("bs4")

from sphinx.util.docutils import docutils_namespace

import symnb
from symnb.companion.docs import build_docs

NOTEBOOKS = sorted(p.relative_to(ROOT / "nbs").with_suffix("") for p in (ROOT / "nbs").rglob("*.ipynb")
                   if ".ipynb_checkpoints" not in p.parts)
MODULES = [p.relative_to(ROOT).with_suffix("") for p in sorted((ROOT / "symnb").rglob("*.py")) if p.name[0] != "_"]


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """The site, with what Sphinx had to say about it."""
    out = tmp_path_factory.mktemp("docs") / "site"
    with docutils_namespace():  # or Sphinx warns the next time that it knows itself
        return out, build_docs(out, ROOT / "nbs")


@pytest.fixture(scope="session")
def site(built):
    return built[0]


@pytest.fixture(scope="session")
def pages(site):
    """Every page, parsed; without the colours of the code, and the sidebar on the first one only, for speed."""
    def parsed(name, text):
        text = re.sub(r'<span class="\w{1,3}">([^<]*)</span>', r"\1", text)
        text = (
            text if name == "index.html" else re.sub(r'<div class="sidebar-tree">.*?(?=</aside>)', "", text, flags=re.S)
        )
        return bs4.BeautifulSoup(text, "html.parser")
    paths = {p.relative_to(site).as_posix(): p for p in site.rglob("*.html")}
    return {name: parsed(name, p.read_text(encoding="utf-8")) for name, p in paths.items()}


def test_sphinx_has_nothing_to_complain_about(built):
    assert built[1] == []


def test_a_build_leaves_the_living_functions_as_they_were(built):
    for thing in (symnb.SymmetryProbe.__init__, symnb.SymmetryFlows.__init__, symnb.SymmetryProbe.fit, symnb.data.load):
        defaults = [p.default for p in inspect.signature(thing).parameters.values()]
        assert "__signature__" not in vars(thing) and "DefaultValue" not in {type(d).__name__ for d in defaults}


def test_every_notebook_is_in_the_sidebar_in_reading_order(pages):
    entries = [a["href"] for a in pages["index.html"].select(".sidebar-tree a[href]")]
    assert {f"{n.as_posix()}.html" for n in NOTEBOOKS} <= {*entries, "index.html"} and {*entries} <= pages.keys()
    sections = [e for e in entries if e.startswith("review/")]
    assert sections == sorted(sections) and entries.index("latent_flows/section06_beyond.html") < entries.index(
        "lib/core.html"
    )


def test_each_page_has_the_headings_of_its_notebook(pages):
    for n in NOTEBOOKS:
        page = pages[f"{n.as_posix()}.html"]
        assert len(page.find_all("h1")) == 1 and page.select_one("article h1").get_text(), n
        assert n.name == "index" or page.select_one(".related-pages a.next-page, .related-pages a.prev-page"), n


def test_no_directive_and_no_error_is_shown(pages):
    for name, page in pages.items():
        shown = "\n".join(pre.get_text() for pre in page.find_all("pre"))
        assert not re.search(r"^# ?\|", shown, re.M) or name.startswith("_modules"), name
        if not name.startswith("_modules"):
            assert not re.search(r"^Traceback \(most recent", shown, re.M) and not page.select(".traceback"), name


def test_hidden_and_silent_cells_stay_so(pages):
    text = pages["index.html"].select_one("article").get_text()
    assert "notebook_map" not in text and "read_claims" not in text  # echo: false
    assert pages["index.html"].select("article table") and "claims of the review" in text  # but what they show is there


def test_formulas_are_drawn_before_anybody_looks(pages):
    assert sum(len(page.find_all("math")) for page in pages.values()) > 300
    for name, page in pages.items():
        prose = page.find("article").find_all(string=True) if page.find("article") else []
        text = "".join(t for t in prose if not t.find_parent(["pre", "code", "iframe", "dt", "script", "style"]))
        assert not re.search(r"\$[^$\n]+\$|\\(frac|mathrm|sum|sigma)\b", text), name


# Links

def targets(page, tags):
    return [(tag, element[key]) for tag, key in tags for element in page.find_all(tag) if element.get(key)]


def test_nothing_is_loaded_from_the_network(site, pages):
    loads = [
        ("script", "src"),
        ("img", "src"),
        ("iframe", "src"),
        ("source", "src"),
        ("link", "href"),
        ("video", "src"),
        ("object", "data"),
    ]
    for name, page in pages.items():
        away = [t for _, t in targets(page, loads) if urlsplit(t).scheme not in ("", "data") or t.startswith("//")]
        assert not away, (name, away)
    for style in site.rglob("*.css"):
        assert not re.search(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", style.read_text(encoding="utf-8")), style


def test_every_link_leads_somewhere(site, pages):
    places = {name: {e["id"] for e in page.find_all(id=True)} for name, page in pages.items()}
    broken = []
    for name, page in pages.items():
        for _, link in targets(page, [("a", "href"), ("img", "src"), ("script", "src"), ("link", "href")]):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or link == "#":
                continue
            target = os.path.normpath((Path(name).parent / unquote(parts.path)).as_posix()) if parts.path else name
            there = (site / target).is_file() and (
                not parts.fragment or target not in places or unquote(parts.fragment) in places[target]
            )
            if not there: broken.append((name, link))
    assert not broken


def test_links_between_notebooks_became_links_between_pages(pages):
    left = [
        (name, a["href"])
        for name, page in pages.items()
        for a in page.find_all("a", href=True)
        if a["href"].split("#")[0].endswith(".ipynb")
    ]
    assert not left
    assert "scorecard" in pages["review/section10_scorecard.html"].get_text().lower()
    assert pages["index.html"].select_one('article a[href="review/section10_scorecard.html"]')
    assert pages["map.html"].select_one('article a[href="figures.html#review-fig7"]')
    cells = [a["href"] for a in pages["map.html"].select("article table a[href*='#']") if "figures" not in a["href"]]
    assert len(cells) > 40  # every claim leads to the heading above its cell
    for page, anchor in (href.split("#") for href in cells):
        assert pages[page].find(id=anchor), f"{page} has no heading {anchor}"
    assert pages["index.html"].select_one('article a[href="py-modindex.html"]')  # of the folder of the library


def test_the_gallery_shows_every_figure_and_leads_to_its_notebook(pages):
    made = json.loads((ROOT / "figures" / "manifest.json").read_text(encoding="utf-8"))["figures"]
    for name, how in made.items():
        section = pages["figures.html"].find(id=name)
        assert section.find("img")["src"].endswith(f"{name}.png")
        assert section.find("a", href=how["notebook"].removeprefix("nbs/").replace(".ipynb", ".html"))


# The reference

@pytest.mark.parametrize("module", MODULES, ids=str)
def test_public_names_are_documented_and_lead_to_their_source(pages, module):
    tree = ast.parse((ROOT / module).with_suffix(".py").read_text(encoding="utf-8"))
    [names] = [
        ast.literal_eval(n.value)
        for n in tree.body
        if isinstance(n, ast.Assign) and getattr(n.targets[0], "id", "") == "__all__"
    ]
    imported = {a.name for n in tree.body if isinstance(n, ast.ImportFrom) for a in n.names}
    defined = {n.name for n in tree.body if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
    page = pages[f"{('lib' / module.relative_to('symnb')).as_posix()}.html"]
    for name in names:
        if name in imported:  # documented where it is defined
            assert page.find("a", class_="reference", title=re.compile(rf"\.{name}$")), name
            continue
        signature = page.find(id=f"{'.'.join(module.parts)}.{name}")
        assert signature, f"{name} is missing"
        if name in defined:
            path, anchor = signature.find("a", class_="reference", href=re.compile("_modules"))["href"].split("#")
            assert path.endswith(f"_modules/{module.as_posix()}.html") and anchor == name
            first = pages[f"_modules/{module.as_posix()}.html"].find(id=name).get_text().replace("[docs]", "")
            assert re.search(rf"(def|class) {name}\b", first), first[:80]


def test_a_signature_says_what_the_source_says(pages):
    page = pages["lib/companion/figures.html"]
    entry = page.find(id="symnb.companion.figures.save_figure")
    assert "name: str" in entry.get_text() and "None" in entry.get_text()
    body = entry.find_next("dd").get_text()
    assert "200 dpi" in body and "a matplotlib figure" in body  # the docstring, and the comment beside the argument


def test_a_class_has_the_methods_of_its_own_and_leads_to_its_public_parents(pages):
    page = pages["lib/explorer/flows.html"]
    assert page.find(id="symnb.explorer.flows.FlowExplorer.show_error") and not page.find(id=re.compile(r"\._\w+$"))
    bases = page.find(id="symnb.explorer.flows.FlowExplorer").find_next_sibling("dd").find("p")
    assert bases.find("a", class_="reference", title=re.compile(r"\.Panel$"))


def test_a_function_that_a_class_names_as_its_method_is_documented_there(pages):
    page = pages["lib/probe/estimator.html"]
    for name in ("fit", "plot", "answer", "report", "topology", "save", "load"):
        entry = page.find(id=f"symnb.probe.estimator.SymmetryProbe.{name}")
        assert entry and entry.find_next_sibling("dd").get_text().strip(), name


# A build that fails

@pytest.fixture
def small(tmp_path, tree):
    """A clone with a home page and one guide, and a site from before."""
    tree("guides/a", "1 + 1")
    nbs = tree("index", "#| hide\n'nobody sees me'", "#| echo: false\n'nor me'", "print('but me')")
    nbs.joinpath("sidebar.yml").write_text(
        "website: {sidebar: {contents: [index.ipynb, {section: Guides, contents: guides}]}}")
    metadata = json.loads((ROOT / "nbs" / "index.ipynb").read_text(encoding="utf-8"))["metadata"]
    for path in nbs.rglob("*.ipynb"):
        notebook = json.loads(path.read_text()) | {"metadata": metadata}
        title = {"cell_type": "markdown", "id": "title", "metadata": {}, "source": f"# {path.stem}"}
        path.write_text(json.dumps(notebook | {"cells": [title, *notebook["cells"]]}))
    (nbs / "styles.css").write_text("")
    (tmp_path / "settings.ini").write_text((ROOT / "settings.ini").read_text())
    for folder, file, text in [("figures", "manifest.json", '{"figures": {}}'), ("_docs", "index.html", "before")]:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / file).write_text(text)
    with docutils_namespace():
        yield tmp_path


def test_a_small_site(small):
    assert build_docs(notebooks=small / "nbs") == []
    text = (small / "_docs" / "index.html").read_text(encoding="utf-8")
    assert "but me" in text and "nobody sees me" not in text and "nor me" not in text and "echo" not in text


def test_a_failed_build_leaves_the_old_site_alone(small):
    (small / "nbs" / "sidebar.yml").unlink()
    with pytest.raises(FileNotFoundError):
        build_docs(notebooks=small / "nbs")
    assert (small / "_docs" / "index.html").read_text() == "before"


def test_a_notebook_that_the_sidebar_leaves_out_is_a_warning(small):
    (small / "nbs" / "extra.ipynb").write_text((small / "nbs" / "guides" / "a.ipynb").read_text())
    [warning] = build_docs(notebooks=small / "nbs")
    assert "extra.ipynb" in warning and "toctree" in warning


# In a browser, from the disk

@pytest.fixture
def view(offline, site):
    """A page of the browser that opens pages of the site by their names."""
    offline.open = lambda name: offline.goto((site / name).as_uri())
    return offline


OPENED = [
    "index.html",
    "lib/probe/vae.html",
    "review/section05_relevance.html",
    "latent_flows/section05_2_three_latents.html",
    "guides/alive.html",
    "figures.html",
    "_modules/symnb/core.html",
    "genindex.html",
]


@pytest.mark.parametrize("name", OPENED)
def test_a_page_opens_from_the_disk(view, name):
    view.open(name)
    assert view.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
    assert view.evaluate("document.documentElement.scrollWidth <= innerWidth"), "wider than the window"


@pytest.mark.parametrize("name", ["lib/probe/vae.html", "review/section04_probes.html"])
def test_formulas_are_seen(view, name):
    view.open(name)
    view.evaluate("document.fonts.ready")
    sizes = view.evaluate(
        "[...document.querySelectorAll('math')].map(m => m.getBoundingClientRect()).map(r => [r.width, r.height])"
    )
    assert sizes and min(min(s) for s in sizes) > 3
    assert view.evaluate("[...document.fonts].map(f => [f.family, f.status])") == [["STIX Two Math", "loaded"]]
    assert view.evaluate(
        '''document.fonts.check('1em "STIX Two Math"', "\U0001d465\U0001d707")'''
    )  # italics, which no page spells out
    assert not re.search(
        r"\$[^$\n]+\$",
        view.evaluate("""() => {const a = document.querySelector('article').cloneNode(true);
        a.querySelectorAll('pre, code').forEach(e => e.remove()); return a.textContent}"""),
    )


def test_the_search_finds_pages_without_a_server(view):
    view.open("index.html")
    view.fill(".sidebar-search", "Killing form")
    view.press(".sidebar-search", "Enter")
    view.wait_for_selector("#search-results ul.search li a")
    view.wait_for_function("document.querySelector('.search-summary')?.textContent.includes('found')")
    links = view.eval_on_selector_all("#search-results ul.search li a", "all => all.map(a => a.getAttribute('href'))")
    assert any("lie/constants" in link for link in links) and any(link.startswith("latent_flows/") for link in links)
    view.click("#search-results ul.search li a")
    view.wait_for_selector("article h1")
    assert "/search.html" not in view.url and "Killing" in view.inner_text("article")


def test_the_turntable_turns(view):
    view.open("latent_flows/section05_2_three_latents.html")
    canvas = view.frame_locator("article iframe").first.locator("canvas")
    canvas.scroll_into_view_if_needed()
    before, box = canvas.evaluate("c => c.toDataURL()"), canvas.bounding_box()
    view.mouse.move(box["x"] + 200, box["y"] + 200)
    view.mouse.down()
    view.mouse.move(box["x"] + 320, box["y"] + 240, steps=4)
    view.mouse.up()
    assert canvas.evaluate("c => c.toDataURL()") != before


def test_the_six_live_pictures_move(view):
    view.open("guides/alive.html")
    frames = view.locator("article iframe")
    assert frames.count() == 6 and view.locator("article .cell_output img").count() == 6  # and a still of each
    for i in range(6):
        frames.nth(i).scroll_into_view_if_needed()
        inside = frames.nth(i).content_frame
        canvas, slider, words = inside.locator("canvas"), inside.locator("input"), inside.locator("p")
        assert slider.get_attribute("aria-label") and slider.evaluate("r => r.max > 3") and words.inner_text()
        seen = [canvas.evaluate("c => c.toDataURL()")]
        for key in ("End", "ArrowLeft", "Home"):
            slider.press(key)
            seen.append(canvas.evaluate("c => c.toDataURL()"))
        assert len({*seen}) == 4 and slider.input_value() == "0", i
        height = inside.locator("body").evaluate("b => b.scrollHeight")
        assert height <= frames.nth(i).bounding_box()["height"], f"picture {i} is cut off below"


def test_a_digit_is_dragged_along_its_streamline(view):
    view.open("guides/alive.html")
    frame = view.locator("article iframe").nth(4)
    frame.scroll_into_view_if_needed()
    canvas, output = frame.content_frame.locator("canvas"), frame.content_frame.locator("output")
    before, box, places = canvas.evaluate("c => c.toDataURL()"), canvas.bounding_box(), set()
    view.mouse.move(box["x"] + 90, box["y"] + 120)
    view.mouse.down()
    for x, y in ((110, 120), (150, 120), (150, 240)):
        view.mouse.move(box["x"] + x, box["y"] + y)
        places.add(output.inner_text())
    view.mouse.up()
    assert canvas.evaluate("c => c.toDataURL()") != before and len(places) == 3


def test_a_narrow_window_shows_a_menu(view):
    view.set_viewport_size({"width": 400, "height": 800})
    view.open("review/section05_relevance.html")
    assert view.is_visible("label.nav-overlay-icon") and view.evaluate(
        "document.documentElement.scrollWidth <= innerWidth"
    )
