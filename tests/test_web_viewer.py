"""The feature viewer in a real browser: what a reader does with it, and what it must never do."""

import dataclasses
import json
import re
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
from browser import open_browser
from feature_reader import Reader
from feature_site import DEAD, random_sae, tiny_network, walked_cache
from playwright.sync_api import Browser, Page, expect

from procscope.visualization.atlas.entry import shown
from procscope.web.features.atlas import AtlasPictures, LatentAtlas
from procscope.web.features.inputs import SiteInputs, open_inputs
from procscope.web.features.site import write_site

N_LATENTS = 100
HOSTILE = "</script><img src=x onerror='window.hurt=1'><b>bold</b>{{7*7}}\u2028\"'&amp;"
"""Put wherever a name comes from outside."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> SiteInputs:
    folder = tmp_path_factory.mktemp("viewer")
    network = tiny_network(folder / "network.safetensors")
    cache = walked_cache(folder / "cache", network, frames=256)
    sae = random_sae(folder / "sae.safetensors", cache, "fc", N_LATENTS, 6)
    return open_inputs(str(sae), cache=cache.path, model=str(network))


@pytest.fixture(scope="module")
def site(inputs, tmp_path_factory) -> Path:
    """The folder of a site in which every name is hostile."""
    assert inputs.latents.meanings is not None
    names = tuple(f"{HOSTILE} {name}" for name in inputs.latents.meanings.statements)
    picture = shown(np.full((8, 8, 3), 77, np.uint8), HOSTILE)
    hostile = dataclasses.replace(
        inputs,
        trained=inputs.trained._replace(name=HOSTILE, model=HOSTILE),
        latents=dataclasses.replace(
            inputs.latents, meanings=inputs.latents.meanings._replace(statements=names)
        ),
        atlas=LatentAtlas({5: (AtlasPictures(HOSTILE, HOSTILE, ((picture.png, HOSTILE),), 1.0, HOSTILE),)}),
        missing={HOSTILE: HOSTILE},
    )
    return write_site(hostile, tmp_path_factory.mktemp("sites") / "site").parent


@pytest.fixture(scope="module")
def shared(browser, site) -> Iterator[Reader]:
    with browser.new_context(viewport={"width": 1100, "height": 1050}, color_scheme="light") as context:
        context.set_default_timeout(30_000)
        yield Reader(context.new_page(), site)


@pytest.fixture
def reader(shared, site) -> Iterator[Reader]:
    """At a new page, which must be in order at the end."""
    if shared.folder != site:
        shared.of(site)
    shared.wrong.clear()
    shared.asked.clear()
    yield shared
    shared.check()
    assert shared.page.evaluate("window.hurt") is None


def column(site: Path, name: str) -> list:
    """A column of the table, from the file."""
    text = (site / "data" / "table.js").read_text()
    return json.loads(text.removeprefix("procscope.receiveTable(").removesuffix(");\n"))[name]


def heading(page: Page):
    return page.locator("#latent-view h1")


# -- The table ------------------------------------------------------------------


def test_the_table_shows_all_latents_but_holds_only_those_in_sight(reader, site):
    page = reader.open()
    expect(page.locator(".count")).to_have_text(f"{N_LATENTS} of {N_LATENTS}")
    assert page.locator(".table").get_attribute("aria-rowcount") == str(N_LATENTS + 1)
    assert 10 < page.locator(".rows .row").count() < 40
    dead = sum(rate == 0 for rate in column(site, "rate"))
    assert dead >= DEAD
    expect(page.locator(".head-numbers")).to_contain_text(f"{dead} dead on 256 frames")
    page.locator(".table").evaluate("table => table.scrollTop = table.scrollHeight")
    expect(page.locator(".rows .row.dead").first).to_be_visible()


def test_sorting(reader, site):
    page = reader.open()
    lift = column(site, "lift")
    expected = sorted(range(N_LATENTS), key=lambda one: (lift[one] is None, -(lift[one] or 0), one))
    assert reader.latents()[:8] == expected[:8]
    header = page.get_by_role("columnheader", name="Firing rate")
    header.get_by_role("button").click()
    expect(header).to_have_attribute("aria-sort", "descending")
    rate = column(site, "rate")
    assert reader.latents()[:8] == sorted(range(N_LATENTS), key=lambda one: (-rate[one], one))[:8]
    header.get_by_role("button").click()
    expect(header).to_have_attribute("aria-sort", "ascending")
    assert reader.latents()[:8] == sorted(range(N_LATENTS), key=lambda one: (rate[one], one))[:8]
    assert page.locator("[aria-sort=ascending], [aria-sort=descending]").count() == 1
    page.get_by_role("columnheader", name="Latent").get_by_role("button").click()
    expect(page).to_have_url(re.compile("sort=latent"))
    assert reader.latents()[:3] == [0, 1, 2]


def test_searching(reader, site):
    page = reader.open()
    search = page.get_by_role("searchbox")
    rate = column(site, "rate")

    def found(text: str) -> set[int]:
        search.fill(text)
        page.wait_for_function("q => new URLSearchParams(location.hash.slice(1)).get('q') === q", arg=text)
        n = int(page.locator(".count").inner_text().split(" of ")[0])
        rows = set(reader.latents())
        assert len(rows) == min(n, len(rows))
        return rows if n < 20 else {n}

    assert found("17") == {17}
    assert found("#18") == {18}
    assert found("dead") == {one for one in range(N_LATENTS) if rate[one] == 0}
    bound = sorted(rate)[-6]
    assert found(f"rate>={bound}") == {one for one in range(N_LATENTS) if rate[one] >= bound}
    assert found(f"rate>={100 * bound:.6g}%") == {
        one for one in range(N_LATENTS) if rate[one] >= bound - 1e-9
    }
    expect(page.locator(".count")).not_to_have_text(f"0 of {N_LATENTS}")
    live = sum(one > 0 for one in rate)
    assert found("BEST_MOVE") in ({live}, found("best_move"))
    assert found('"best_move is"') == found("best_move is")
    assert found("no such thing") == {0} or page.locator(".count").inner_text().startswith("0 of")
    page.get_by_role("button", name="Show all").click()
    expect(page.locator(".count")).to_have_text(f"{N_LATENTS} of {N_LATENTS}")
    assert search.input_value() == ""


def test_filtering(reader, site):
    page = reader.go("")
    rate, statement, action = (column(site, name) for name in ("rate", "statement", "action"))
    page.get_by_role("button", name=re.compile("^Dead")).click()
    dead = {one for one in range(N_LATENTS) if rate[one] == 0}
    expect(page.locator(".count")).to_have_text(f"{len(dead)} of {N_LATENTS}")
    assert set(reader.latents()) == dead
    page.get_by_role("button", name="Live").click()
    expect(page.locator(".count")).to_have_text(f"{N_LATENTS - len(dead)} of {N_LATENTS}")
    says = page.get_by_label("Statement")
    says.select_option(index=1)
    chosen = says.input_value()
    n = sum(one >= 0 for one in statement)
    assert HOSTILE in chosen
    expect(page.locator(".count")).not_to_have_text(f"{n} of {N_LATENTS}")
    says.select_option(index=0)
    acts = page.get_by_label("Action changed most")
    acts.select_option(index=1)
    name = acts.input_value()
    overview = json.loads((site / "data" / "overview.js").read_text().split("(", 1)[1].removesuffix(");\n"))
    place = [one["name"] for one in overview["actions"]].index(name)
    expected = sum(one == place and rate[i] > 0 for i, one in enumerate(action))
    expect(page.locator(".count")).to_have_text(f"{expected} of {N_LATENTS}")


# -- A latent -----------------------------------------------------------------------


def test_a_row_opens_its_latent_and_back_returns_to_it(reader):
    page = reader.open("#sort=latent")
    page.locator("#row-6").click()
    expect(heading(page)).to_have_text("Latent 6")
    expect(page).to_have_title(re.compile("^Latent 6 · "))
    page.go_back()
    expect(page.locator("#row-6")).to_have_attribute("aria-selected", "true")
    expect(page).to_have_url(re.compile("#sort=latent$"))
    page.go_forward()
    expect(heading(page)).to_have_text("Latent 6")


def test_a_latents_page_has_all_its_parts(reader, site):
    firing = int(np.argmax(column(site, "rate")))
    page = reader.go(f"#latent={firing}")
    expect(heading(page)).to_have_text(f"Latent {firing}")
    titles = page.locator("section > h2")
    for title in ("Strongest frames", "Frames by activation", "Effect on actions", "What it says"):
        expect(titles.filter(has_text=title)).to_have_count(1)
    for title in ("How strongly it fires", "Where the agent is when it fires", "Nearest latents"):
        expect(titles.filter(has_text=title)).to_have_count(1)
    tiles = page.locator("section").filter(has_text="Strongest frames").locator(".tile")
    assert 5 <= tiles.count() <= 25
    image = tiles.first.locator("img")
    assert image.get_attribute("loading") == "lazy"
    page.wait_for_function("document.querySelector('.tile img').naturalWidth === 8 * 64")
    assert tiles.first.locator("canvas").evaluate(
        "canvas => canvas.getContext('2d').getImageData(0, 0, 8, 8).data.some(value => value > 0)"
    )
    assert page.locator(".petal").count() == 8
    assert page.locator(".still").count() == 1
    assert page.locator(".effects tbody tr").count() == 15
    assert page.locator(".histogram .bin").count() == 32
    expect(page.locator(".map-read").first).to_contain_text("mean")
    assert page.locator(".nearest a").count() == 8
    page.locator(".nearest a").first.click()
    expect(heading(page)).not_to_have_text(f"Latent {firing}")


def test_heat_maps_are_switched_and_faded(reader):
    page = reader.go("#latent=5")
    heat = page.locator(".tile .heat").first
    expect(heat).to_be_visible()
    page.get_by_label("Opacity of heat maps").fill("30")
    expect(heat).to_have_css("opacity", "0.3")
    reader.press("h")
    expect(heat).to_be_hidden()
    expect(page.get_by_role("button", name="Heat maps")).to_have_attribute("aria-pressed", "false")
    page.get_by_role("button", name="Heat maps").click()
    expect(heat).to_be_visible()


def test_a_frame_is_enlarged(reader):
    page = reader.go("#latent=5")
    page.locator(".tile").first.click()
    dialog = page.get_by_role("dialog", name="Frame")
    expect(dialog).to_contain_text("level seed")
    expect(dialog).to_contain_text("1 of ")
    reader.press("ArrowRight")
    expect(dialog).to_contain_text("2 of ")
    reader.press("Escape")
    expect(dialog).to_be_hidden()
    expect(heading(page)).to_have_text("Latent 5")


def test_a_dead_latent_says_so(reader):
    page = reader.go(f"#latent={N_LATENTS - 1}")
    expect(page.locator("#latent-view .missing")).to_contain_text("above 0 in none of the 256 frames")


def test_a_link_to_no_latent_says_so(reader):
    page = reader.go("")
    for asked in ("100", "-1", "x", "1e2", "<img src=x>"):
        page.evaluate("asked => { location.hash = '#latent=' + encodeURIComponent(asked); }", asked)
        expect(page.locator("#latent-view")).to_contain_text(
            f"has latents 0 to 99; the link asks for “{asked}”"
        )
        expect(heading(page)).to_have_text("No such latent")


def test_a_link_opens_its_latent_and_table_in_a_new_window(reader):
    page = reader.open()
    page.get_by_role("searchbox").fill("rate>0")
    page.get_by_role("columnheader", name="Maximum").get_by_role("button").click()
    expect(page).to_have_url(re.compile("sort=-maximum"))
    order = reader.latents()
    page.locator(f"#row-{order[2]}").click()
    expect(heading(page)).to_have_text(f"Latent {order[2]}")
    other = page.context.new_page()
    other.goto(page.url)
    expect(heading(other)).to_have_text(f"Latent {order[2]}")
    expect(other.locator(".latent-bar")).to_contain_text("3 of ")
    other.keyboard.press("Escape")
    expect(other.get_by_role("searchbox")).to_have_value("rate>0")
    expect(other.locator(f"#row-{order[2]}")).to_have_attribute("aria-selected", "true")
    other.close()


# -- Keys -----------------------------------------------------------------------


def test_keys(reader):
    page = reader.open("#sort=latent")
    table = page.locator(".table")
    reader.press("j", "j", "ArrowDown", "k")
    expect(page.locator("#row-2")).to_have_attribute("aria-selected", "true")
    expect(table).to_have_attribute("aria-activedescendant", "row-2")
    reader.press("End")
    expect(page.locator(f"#row-{N_LATENTS - 1}")).to_be_in_viewport()
    reader.press("Home", "j", "Enter")
    expect(heading(page)).to_have_text("Latent 1")
    expect(heading(page)).to_be_focused()
    reader.press("j")
    expect(heading(page)).to_have_text("Latent 2")
    reader.press("ArrowRight")
    expect(heading(page)).to_have_text("Latent 3")
    reader.press("k")
    expect(heading(page)).to_have_text("Latent 2")
    reader.press("Escape")
    expect(page.locator("#row-2")).to_have_attribute("aria-selected", "true")
    expect(table).to_be_focused()
    reader.press("/")
    search = page.get_by_role("searchbox")
    expect(search).to_be_focused()
    page.keyboard.type("jk/?")  # letters, not commands
    expect(search).to_have_value("jk/?")
    reader.press("Escape")
    expect(search).to_have_value("")
    reader.press("Escape")
    expect(table).to_be_focused()
    reader.press("?")
    help_dialog = page.get_by_role("dialog", name="Help")
    expect(help_dialog).to_contain_text("next and previous latent")
    reader.press("j", "Escape")
    expect(help_dialog).to_be_hidden()
    expect(page.locator("#row-0")).to_have_attribute("aria-selected", "true")


# -- Looks ------------------------------------------------------------------------


def test_light_and_dark(reader):
    paper = "getComputedStyle(document.documentElement).backgroundColor"
    light, dark = "rgb(252, 252, 250)", "rgb(20, 23, 27)"
    page = reader.open()
    for scheme, expected in (("dark", dark), ("light", light)):
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate(paper) == expected
    reader.press("t")
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(paper) == light
    page.emulate_media(color_scheme="light")
    reader.press("t")
    assert page.evaluate(paper) == dark
    page.reload()
    assert page.evaluate(paper) == dark, "the choice is remembered"
    expect(page.get_by_role("button", name="Theme: dark. Change it")).to_be_visible()
    page.evaluate("localStorage.clear()")
    page.goto("about:blank")


CONTRAST = """() => {
  const channel = (value) => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const light = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map((v) => channel(v / 255))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const style = getComputedStyle(document.documentElement);
  const probe = document.createElement('span');
  document.body.append(probe);
  const of = (name) => { probe.style.color = `var(${name})`; return light(getComputedStyle(probe).color); };
  const against = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const found = {};
  for (const text of ['--ink', '--quiet', '--accent', '--more', '--less'])
    for (const ground of ['--paper', '--panel']) found[`${text} on ${ground}`] = against(of(text), of(ground));
  probe.remove();
  return found;
}"""


def test_text_stands_out_from_its_ground(reader):
    """At least 4.5 to 1, as WCAG 2 asks of text (AA)."""
    page = reader.go("")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert {pair: ratio for pair, ratio in page.evaluate(CONTRAST).items() if ratio < 4.5} == {}
    page.emulate_media(color_scheme="light")


def test_everything_that_can_be_used_has_a_name(reader):
    script = """() => [...document.querySelectorAll('button, select, input, a, [role=img], canvas, img')]
        .filter((one) => one.checkVisibility() && !one.closest('[aria-hidden]'))
        .filter((one) => !(one.getAttribute('aria-label') || one.getAttribute('alt') !== null || one.textContent.trim()
            || one.labels?.length))
        .map((one) => one.outerHTML)"""
    page = reader.go("")
    assert page.evaluate(script) == []
    page = reader.go("#latent=5")
    expect(page.locator(".nearest")).to_be_visible()
    assert page.evaluate(script) == []


def test_a_phone_scrolls_in_one_direction(browser, site):
    wide = """() => [document.documentElement, ...document.querySelectorAll('.table, #latent-view, .rows .row')]
        .filter((one) => one.scrollWidth > one.clientWidth + 1 || one.getBoundingClientRect().right > 391)
        .map((one) => `${one.tagName}.${one.className} ${one.scrollWidth}`)"""
    with browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    ) as context:
        made = Reader(context.new_page(), site)
        for fragment in ("", "#latent=5"):
            page = made.open(fragment)
            expect(page.locator(".nearest" if fragment else ".rows .row").first).to_be_visible()
            assert page.evaluate(wide) == []
        made.check()


# -- What comes from outside ------------------------------------------------------


def test_hostile_names_are_text(reader, inputs):
    page = reader.go("")
    page.locator(".about summary").click()
    expect(page.locator(".about")).to_contain_text("onerror='window.hurt=1'")
    expect(page.locator(".missing")).to_contain_text(HOSTILE.split("\u2028")[0])
    expect(page.locator(".rows .cell.statement").first).to_contain_text("<b>bold</b>")
    expect(page.locator("h1").first).to_contain_text("</script>")
    page = reader.go("#latent=5")
    expect(page.locator(".atlas")).to_contain_text("<img src=x")
    expect(page.locator(".latent-head .statement")).to_contain_text("{{7*7}}")
    page.locator(".atlas img").scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('.atlas img').naturalWidth === 8")
    assert page.locator("b:text-is('bold'), img[src=x]").count() == 0
    assert page.evaluate("window.hurt") is None
    page = reader.go("#q=<img src=x onerror=window.hurt=1>&sort=<b>&show=<b>&says=<b>")
    expect(page.locator(".count")).to_have_text(f"0 of {N_LATENTS}")


def test_the_page_itself_refuses_other_hosts(shared, site):
    """Even if a name had become markup, the browser would not have asked."""
    asked = []

    class Host(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    host = HTTPServer(("127.0.0.1", 0), Host)
    threading.Thread(target=host.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{host.server_port}/x"
    load = """([kind, address]) => new Promise((end) => {
      const element = document.createElement(kind);
      element.onload = element.onerror = () => end('refused');
      element.src = address;
      document.head.append(element);
    })"""
    fetch = "address => fetch(address, { mode: 'no-cors' }).then(() => 'asked', () => 'refused')"
    try:
        page = shared.of(site).open()
        assert [page.evaluate(load, [kind, address]) for kind in ("img", "script")] == ["refused", "refused"]
        assert page.evaluate(fetch, address) == "refused"
        assert any("Content Security Policy" in text for text in shared.wrong)
    finally:
        host.shutdown()
        host.server_close()
    assert asked == []


def test_no_script_makes_markup_of_text():
    page = Path(write_site.__code__.co_filename).parent / "page"
    for path in page.rglob("*.js"):
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", path.read_text()
        ), path


def test_a_moved_site_works(shared, site, tmp_path):
    moved = tmp_path / "elsewhere, with spaces & ü#"
    shutil.copytree(site, moved)
    page = shared.of(moved).open("#latent=5")
    expect(heading(page)).to_have_text("Latent 5")
    page.wait_for_function("document.querySelector('.tile img').naturalWidth > 0")
    shared.check()


def test_a_site_that_lost_files_says_which(shared, site, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(site, broken)
    (broken / "latents" / "5.js").unlink()
    text = (broken / "latents" / "6.js").read_text()
    (broken / "latents" / "6.js").write_text(re.sub(r'"build":"\w+"', '"build":"0"', text))
    page = shared.of(broken).open("#latent=5")
    expect(page.get_by_role("alert")).to_contain_text("The file latents/5.js is missing")
    page = shared.open("#latent=6")
    expect(page.get_by_role("alert")).to_contain_text("The site was built anew. Reload the page.")
    shutil.rmtree(broken / "data")
    page = shared.of(broken).open()
    expect(page.locator("#table-view")).to_have_text(re.compile("The folder data/ of this site is missing"))
