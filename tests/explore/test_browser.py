"""The page in Chromium: what moves what, and that it is quiet, narrow, dark and calm where it should be."""

import math
import re
import time

import pytest
import torch

import softdraw as sd

pytest.importorskip("selenium", reason="selenium is not installed")
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

LOGITS = [1.0, 0.0, -0.8]


@pytest.fixture
def shown(browser, written):
    """Opens the page, and says so when something was written to the console."""

    def show(width=1200, *, dark=False, calm=False):
        features = [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce" if calm else "no-preference"},
        ]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.get(written.as_uri())
        settled(browser)
        return browser

    browser.get_log("browser")
    browser.get_log("performance")
    yield show
    assert browser.get_log("browser") == []


def settled(browser):
    """Wait for what a change of the state draws."""
    browser.execute_async_script(
        "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done()))"
    )


def one(browser, selector):
    return browser.find_element(By.CSS_SELECTOR, selector)


def press(browser, selector, *keys):
    found = one(browser, selector)
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'}); arguments[0].focus()", found)
    browser.switch_to.active_element.send_keys("".join(keys))
    settled(browser)


def table(browser, name):
    rows = browser.execute_script(
        "return [...document.getElementById(arguments[0]).tBodies[0].rows]"
        ".map((row) => [...row.cells].map((cell) => cell.textContent))",
        name,
    )
    return {row[0]: row[1:] for row in rows}


def number(text):
    return float(text.replace("−", "-").replace(",", ""))


def text(browser, name):
    return browser.execute_script("return document.getElementById(arguments[0]).textContent", name)


@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_is_quiet_and_asks_nobody(shown, width, dark):
    browser = shown(width, dark=dark)
    for classes in ("3", "6"):
        Select(one(browser, "#classes")).select_by_value(classes)
        settled(browser)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    light = sum(int(part) for part in ground[4:-1].split(",")[:3]) / 3
    assert light < 60 if dark else light > 200
    sent = [entry["message"] for entry in browser.get_log("performance")]
    asked = [url for line in sent for url in re.findall(r'requestWillBeSent".*?"url":"([^"]+)"', line)]
    assert asked
    assert all(url.startswith(("file:", "data:")) for url in asked), asked


@pytest.mark.parametrize("dark", [False, True])
def test_text_can_be_read_on_its_ground(shown, dark):
    """WCAG AA: 4.5 to 1, of text in the colours of classes and estimators too."""
    ratios = shown(dark=dark).execute_script(
        """
        const light = (color) => color.match(/[\\d.]+/g).slice(0, 3).map((v) => v / 255)
          .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
          .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
        setClasses(6);
        const kinds = "p, th, td, li, figcaption, label, output, button, code, .bar-name";
        const said = (e) => e.textContent.trim() && !e.closest(".hidden") && !e.disabled;
        return [...document.querySelectorAll(kinds)].filter(said).map((e) => {
          let below = e;
          while (getComputedStyle(below).backgroundColor === "rgba(0, 0, 0, 0)") below = below.parentElement;
          const [a, b] = [light(getComputedStyle(e).color), light(getComputedStyle(below).backgroundColor)];
          return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.textContent.slice(0, 40)];
        });
        """
    )
    assert len(ratios) > 100
    assert min(ratios)[0] >= 4.5, min(ratios)


def test_every_control_has_a_name_and_every_picture_one(shown):
    browser = shown()
    nodes = browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    roles = ("slider", "button", "combobox", "spinbutton", "radio", "image", "img", "region", "group")
    named = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node.get("ignored") and node.get("role", {}).get("value") in roles
    ]
    assert all(name.strip() for _, name in named), named
    count = {role: [each for each, _ in named].count(role) for role in roles}
    assert count["slider"] == 3 + 3 + 7  # logits, weights; tau, draw, the schedule's four, decision
    assert (count["button"], count["combobox"], count["spinbutton"], count["radio"]) == (5, 5, 1, 3)
    assert count["image"] + count["img"] >= 6


def test_everything_is_reached_by_the_tabulator(shown):
    browser = shown()
    browser.execute_script("document.activeElement.blur()")
    reached = set()
    for _ in range(60):
        ActionChains(browser).send_keys(Keys.TAB).perform()
        at = browser.execute_script(
            "const e = document.activeElement; return [e.id || e.getAttribute('aria-label') || '', e.tagName]"
        )
        if at[0] in reached or at[1] == "BODY":
            break
        reached.add(at[0])
    wanted = {"classes", "seed", "reseed", "tau", "row", "start", "floor", "rate", "step", "anneal-play"}
    wanted |= {"draws", "degree", "estimator", "molecule", "forward", "molecule-play", "decision"}
    wanted |= {"logit of class A", "weight of class C in the cost"}
    assert wanted <= reached


def test_keys_move_a_bar_and_all_that_follows_from_it(shown):
    browser = shown()
    first = "#logits [role=slider]"
    for keys, value in (
        ([Keys.ARROW_UP, Keys.ARROW_RIGHT], 1.2),
        ([Keys.ARROW_DOWN], 1.1),
        ([Keys.PAGE_DOWN], 0.1),
        ([Keys.HOME], -4.0),
        ([Keys.END], 4.0),
        ([Keys.ARROW_UP], 4.0),
        ([Keys.PAGE_DOWN, Keys.PAGE_DOWN], 2.0),
    ):
        press(browser, first, *keys)
        assert float(one(browser, first).get_attribute("aria-valuenow")) == pytest.approx(value)
    law = torch.tensor([2.0, 0.0, -0.8]).softmax(0)
    assert [number(row[0]) for row in table(browser, "frequencies").values()] == pytest.approx(
        law.tolist(), abs=6e-5
    )
    assert number(table(browser, "draw")["A"][0]) == 2
    assert "torch.tensor([2, 0, -0.8]" in text(browser, "python")


@pytest.mark.parametrize("touch", [False, True])
def test_a_bar_is_dragged(shown, touch):
    browser = shown(360 if touch else 1200)
    track = browser.find_elements(By.CSS_SELECTOR, "#logits [role=slider]")[1]
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", track)
    left, top, wide, high = browser.execute_script(
        "const r = arguments[0].getBoundingClientRect(); return [r.x, r.y, r.width, r.height]", track
    )
    x, begin, end = left + wide / 2, top + high / 2, top + high / 4  # from 0 to 2

    def send(kind, y):
        if touch:
            points = [] if kind == "End" else [{"x": x, "y": y}]
            browser.execute_cdp_cmd(
                "Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points}
            )
        else:
            name = {"Start": "mousePressed", "Move": "mouseMoved", "End": "mouseReleased"}[kind]
            event = {"type": name, "x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1}
            browser.execute_cdp_cmd("Input.dispatchMouseEvent", event)

    scrolled = browser.execute_script("return scrollY")
    for kind, y in (("Start", begin), ("Move", (begin + end) / 2), ("Move", end), ("End", end)):
        send(kind, y)
    settled(browser)
    assert float(track.get_attribute("aria-valuenow")) == pytest.approx(2, abs=0.1)
    assert browser.execute_script("return scrollY") == scrolled
    if not touch:  # a finger that was lifted cannot move
        send("Move", top)
    assert float(track.get_attribute("aria-valuenow")) == pytest.approx(2, abs=0.1)


def test_the_program_that_it_shows_draws_what_it_shows(shown):
    browser = shown()
    press(browser, "#tau", Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    press(browser, "#row", *[Keys.ARROW_RIGHT] * 3)
    one(browser, "#reseed").click()
    settled(browser)
    names = {}
    exec(text(browser, "python"), names)
    assert names["key"] == sd.Key(1)
    rows = list(table(browser, "draw").values())
    assert text(browser, "row-value") == "3"
    assert [number(row[4]) for row in rows] == pytest.approx(names["soft"][3].tolist(), abs=6e-4)
    assert [int(row[3]) for row in rows] == [int(names["index"][3] == i) for i in range(3)]
    shares = [
        int(each.get_attribute("data-count"))
        for each in browser.find_elements(By.CSS_SELECTOR, "#triangle .hard")
    ]
    assert shares == names["index"].bincount(minlength=3).tolist()


@pytest.mark.parametrize("draws", [100, 10_000])
def test_frequencies_and_chi_square(shown, draws):
    browser = shown()
    Select(one(browser, "#draws")).select_by_value(str(draws))
    settled(browser)
    wide = torch.tensor(LOGITS, dtype=torch.float64).expand(draws, 3)
    counts = sd.gumbel_max(wide, key=sd.Key(0)).bincount(minlength=3)
    rows = table(browser, "frequencies").values()
    assert [number(row[2]) for row in rows] == counts.tolist()
    expected = wide[0].softmax(0) * draws
    wanted = float(((counts - expected).square() / expected).sum())
    statistic, p_value = re.search(
        r"Chi-square (\S+) with 2 .*p-value (\S+):", text(browser, "chi-square")
    ).groups()
    assert number(statistic) == pytest.approx(wanted, rel=0.01, abs=6e-4)
    assert number(p_value) == pytest.approx(math.exp(-wanted / 2), abs=6e-4)  # of two degrees of freedom


@pytest.mark.parametrize("degree", [1, 3])
def test_the_table_of_gradients(shown, degree):
    browser = shown()
    Select(one(browser, "#degree")).select_by_value(str(degree))
    settled(browser)
    weights = torch.tensor([1.2, -0.6, 0.4], dtype=torch.float64)
    logits = torch.tensor([LOGITS], dtype=torch.float64)

    def f(z):
        return (z * weights).sum((-1, -2)) ** degree

    rows = table(browser, "gradients")
    exact = sd.diagnostics.exact_gradient(f, logits)[0].tolist()
    for name in ("exact", "reinforce"):
        assert [number(cell) for cell in rows[name][:3]] == pytest.approx(exact, abs=6e-5)
    assert rows["reinforce"][3] == "0"
    leaf = logits.expand(4096, 1, 3).clone().requires_grad_()
    value = sd.estimators.get("st-gumbel-softmax", tau=0.5).expectation(f, leaf, key=sd.Key(0))
    (drawn,) = torch.autograd.grad(value.sum(), leaf)
    assert [number(cell) for cell in rows["st-gumbel-softmax"][:3]] == pytest.approx(
        drawn.mean(0)[0].tolist(), abs=6e-5
    )
    # arrows point downhill, the exact one too, in proportion to the gradients
    arrows = browser.execute_script(
        "return [...document.querySelectorAll('#arrows .arrow')].map(a => [+a.dataset.x, +a.dataset.y])"
    )
    assert len(arrows) == 5
    height = [number(rows[name][0]) * 1.5 for name in rows]  # A lies at the top
    scale = arrows[0][1] / height[0]
    assert scale > 0
    assert [y for _, y in arrows] == pytest.approx([scale * one for one in height], abs=0.05 * scale + 0.02)


def test_the_temperature_moves_samples_and_leaves_frequencies(shown):
    browser = shown()
    before = table(browser, "frequencies")
    spread = (
        "return [...document.querySelectorAll('#triangle .soft')]"
        ".map((dot) => Math.hypot(dot.cx.baseVal.value, dot.cy.baseVal.value))"
    )
    press(browser, "#tau", Keys.HOME)
    cold = browser.execute_script(spread)
    assert text(browser, "tau-value") == "0.050"
    press(browser, "#tau", Keys.END)
    hot = browser.execute_script(spread)
    assert text(browser, "tau-value") == "10.0"
    assert len(cold) == len(hot) == 400
    assert sum(one > 90 for one in cold) > 340
    assert max(hot) < 60
    assert table(browser, "frequencies") == before


@pytest.mark.parametrize("kind", ["soft", "hard"])
def test_soft_or_hard_alone(shown, kind):
    browser = shown()
    one(browser, f"[name=shown][value={kind}]").click()
    settled(browser)
    count = {
        name: len(browser.find_elements(By.CSS_SELECTOR, f"#triangle .{name}")) for name in ("soft", "hard")
    }
    assert count == ({"soft": 400, "hard": 0} if kind == "soft" else {"soft": 0, "hard": 3})


def test_the_schedule_plays_when_it_is_asked_and_stops(shown):
    browser = shown()
    time.sleep(0.3)
    assert text(browser, "step-value") == "0"  # not by itself
    # asked and stopped within the page: a busy machine may take longer to answer than the playing lasts
    label = browser.execute_async_script(
        """
        const done = arguments[0], play = document.getElementById("anneal-play");
        const watch = () => {
          if (Number(document.getElementById("step").value) <= 20) return requestAnimationFrame(watch);
          const label = play.textContent;
          play.click();
          requestAnimationFrame(() => requestAnimationFrame(() => done(label)));
        };
        play.click();
        watch();
        """
    )
    assert label == "Pause"
    step, tau = number(text(browser, "step-value")), number(text(browser, "tau-value"))
    assert step < int(one(browser, "#step").get_attribute("max"))
    schedule = sd.schedules.Exponential(start=10**0.301, floor=0.1, rate=1e-3)
    assert tau == pytest.approx(schedule.at(int(step)), abs=6e-4)
    time.sleep(0.2)
    assert number(text(browser, "step-value")) == step
    assert text(browser, "anneal-play") == "Play"


def test_the_floor_never_passes_the_start(shown):
    browser = shown()
    press(browser, "#start", Keys.HOME)
    press(browser, "#floor", Keys.END)
    assert text(browser, "floor-value") == text(browser, "start-value") == "1.000"
    assert text(browser, "tau-value") == "1.000"


def test_reduced_motion_goes_in_steps(shown):
    browser = shown(calm=True)
    for name, step in (("anneal-play", "step"), ("molecule-play", "decision")):
        button = one(browser, f"#{name}")
        assert button.text == "Next tenth"
        most = int(one(browser, f"#{step}").get_attribute("max"))
        browser.execute_script("arguments[0].click()", button)
        settled(browser)
        time.sleep(0.2)
        assert int(one(browser, f"#{step}").get_property("value")) == pytest.approx(most / 10, abs=1)


def test_it_is_said_in_words_once_all_is_still(shown):
    browser = shown()
    words = one(browser, "#words")
    assert words.get_attribute("aria-live") == "polite"
    press(browser, "#tau", Keys.END)
    WebDriverWait(browser, 60).until(lambda _: "temperature 10.0" in words.text)
    assert "softmax gives A 65.2 %" in words.text
    assert "Chi-square" in words.text
    assert "reinforce 0 and" in words.text


def test_a_molecule_grows_decision_by_decision(shown):
    browser = shown()
    assert "Atom 1: which?" in text(browser, "decision-title")
    assert not one(browser, "#back").is_enabled()
    press(browser, "#forward", Keys.ENTER, Keys.ENTER)
    assert text(browser, "decision-value").startswith("3 of ")
    assert "Atom 2: its first bond?" in text(browser, "decision-title")
    assert len(browser.find_elements(By.CSS_SELECTOR, "#structure .chance")) == 1
    press(browser, "#decision", Keys.END)
    assert "Stop" in text(browser, "decision-title")
    assert not one(browser, "#forward").is_enabled()
    # every decision of every molecule can be shown, and the highlighted winner is what was recorded
    wrong = browser.execute_script(
        """
        let wrong = 0;
        RECORDED.molecules.forEach((molecule, i) => {
          state.molecule = i;
          molecule.decisions.forEach(([atom, step, choice], j) => {
            goTo(j);
            const said = meaningOf(RECORDED, { atom, step }, choice);
            const marked = document.querySelectorAll("#candidates .winner th");
            if (marked.length !== 1 || marked[0].textContent !== said) wrong += 1;
          });
          const symbols = [...document.querySelectorAll("#structure .atom")].map((one) => one.textContent);
          const { atoms } = grown(RECORDED, molecule, molecule.decisions.length);
          if (symbols.length !== atoms.filter((symbol) => symbol !== "C").length) wrong += 1;
        });
        return wrong;
        """
    )
    assert wrong == 0


def test_a_strange_seed_is_harmless(shown):
    browser = shown()
    for typed, shown_seed in (("-5", "sd.Key(0)"), ("1e99", "sd.Key(4294967295)"), ("2.7", "sd.Key(2)")):
        browser.execute_script(
            "const f = arguments[0]; f.value = arguments[1]; f.dispatchEvent(new Event('input'))",
            one(browser, "#seed"),
            typed,
        )
        settled(browser)
        assert shown_seed in text(browser, "python")


def test_the_policy_refuses_other_hosts_and_scripts(browser, written):
    """Last, and by itself: what is refused is written to the console."""
    browser.get(written.as_uri())
    refused = browser.execute_async_script(
        """
        const done = arguments[0], found = [];
        document.addEventListener("securitypolicyviolation", (e) => found.push(e.effectiveDirective));
        new Image().src = "http://127.0.0.1:9/a.png";
        fetch("http://127.0.0.1:9/").catch(() => {});
        document.body.appendChild(document.createElement("script")).textContent = "window.ran = 1";
        const wait = () => (found.length < 3 ? setTimeout(wait, 50) : done([found, window.ran ?? 0]));
        wait();
        """
    )
    directives, ran = refused
    assert {"img-src", "connect-src", "script-src-elem"} <= set(directives)
    assert ran == 0
    browser.get_log("browser")
