//! The page speaks Spanish and English, writes numbers as its reader does, and is as usable in both and in both schemes.

use serde_json::{Value, json};

use super::{
    ALL_GOOD, DEVICE, RESTAURANT, Stage, arrival, everything, everything_in, new_order, sale, signed, ticket,
    wait_tones,
};
use crate::business::NEGOCIO;
use crate::tab::{Tab, address};

/// The names of all texts of a language, and of the page's own places.
const NAMES: &str = "(async () => {
    const names = (texts, path) => Object.entries(texts).flatMap(([name, text]) => \
        (typeof text === 'object' && !Array.isArray(text) ? names(text, `${path}.${name}`) : [`${path}.${name} ${typeof text}`])).sort();
    const [es, en] = (await Promise.all(['es', 'en'].map((language) => import(`/words/${language}.js`)))).map((module) => module.default);
    const { page, ...rest } = en;
    const places = [...new Set([...document.querySelectorAll('[data-text]')].map(({ dataset }) => dataset.text))].sort();
    return { es: names(es, ''), en: names(rest, ''), page: Object.keys(page).sort(), places };
})()";

/// Headings that their cards cut off.
const CUT: &str = "[...document.querySelectorAll('.card h2')].filter((heading) => heading.getClientRects().length > 0 && \
    heading.getBoundingClientRect().right > heading.closest('.card').getBoundingClientRect().right)\
    .map((heading) => heading.textContent)";

#[tokio::test]
async fn the_page_speaks_the_language_of_its_link_or_of_its_reader_and_can_be_told_another() {
    let stage = Stage::open().await;
    let token = signed(&everything());
    let mut tab = Tab::new().await;
    let access = [("token", &*token), ("negocio", NEGOCIO), ("device", DEVICE), ("lang", "en")];
    tab.open(&address(stage.port(), &access)).await;
    wait_tones(&mut tab, &ALL_GOOD).await;
    tab.wait_text("estado", "Connected").await;
    tab.wait_match("actualizado", "^updated [0-9]+ s ago$").await;
    assert_eq!(tab.eval("document.documentElement.lang").await, "en");
    stage.tell("/notify/venta", sale(NEGOCIO, 1, "1234.50")).await;
    tab.wait_text("ventas-total", "1,234.50").await;
    tab.wait_text("ventas-cuantas", "1 sale").await;
    let spanish = "document.body.innerText.match(/citas|pedido|venta|habitación|conectad/gi) ?? []";
    assert_eq!(tab.eval(spanish).await, json!([]), "nothing of the page's own is left in Spanish");
    let names = tab.eval(NAMES).await;
    assert_eq!(names["es"], names["en"]);
    assert_eq!(names["places"], names["page"]);

    // Its reader wants another; the boards stay.
    choose(&mut tab, "es").await;
    tab.wait_text("estado", "Conectado").await;
    tab.wait_text("ventas-total", "1.234,50").await;
    wait_tones(&mut tab, &ALL_GOOD).await;
    assert_eq!(tab.eval("document.documentElement.lang").await, "es");
    // In every tab from now on, whatever the browser says.
    choose(&mut tab, "en").await;
    tab.wait_text("estado", "Connected").await;
    assert_eq!(tab.complaints().await, Vec::<Value>::new());
    tab.renew().await;
    tab.open(&address(stage.port(), &[("token", &token)])).await;
    tab.wait_text("estado", "Connected").await;
}

async fn choose(tab: &mut Tab, language: &str) {
    let choice = format!("document.getElementById('idioma').value = '{language}'");
    tab.eval(&format!("{choice}; document.getElementById('idioma').dispatchEvent(new Event('change')); 0")).await;
}

#[tokio::test]
async fn nothing_stands_in_anybodys_way_in_both_schemes_and_languages_on_a_desk_and_in_a_hand() {
    let stage = Stage::open().await;
    let token = signed(&everything());
    let mut tab = Tab::new().await;
    for language in ["es", "en"] {
        tab.renew().await;
        tab.open(&format!("http://127.0.0.1:{}/#lang={language}", stage.port())).await;
        assert_eq!(tab.axe().await, json!([]), "to sign in, {language}");
        everything_in(&mut tab, stage.port(), &token).await;
        for (path, body) in [
            ("/notify/order/new", new_order(RESTAURANT, &format!("o-{language}")).to_string()),
            ("/notify/pedido", arrival(Some(NEGOCIO), 123, Some("101")).to_string()),
            ("/notify/pedido/estado", ticket(DEVICE, 123, "PREPARING", "READY").to_string()),
            ("/notify/venta", sale(NEGOCIO, 1, "45.50")),
        ] {
            stage.call(path, &body).await;
        }
        tab.wait_match("ventas-cuantas", "^1 ").await;
        for (width, height) in [(1440, 900), (390, 844)] {
            for scheme in ["light", "dark"] {
                tab.ask(json!({ "do": "size", "width": width, "height": height })).await;
                tab.ask(json!({ "do": "scheme", "value": scheme })).await;
                assert_eq!(tab.axe().await, json!([]), "{language}, {scheme}, {width}");
                assert_eq!(tab.eval(CUT).await, json!([]), "{language}, {width}");
                tab.screenshot(&format!("boards-{language}-{scheme}-{width}.png")).await;
            }
        }
    }
    // Where the drawings of the figures lie below the others, a word leads there.
    tab.ask(json!({ "do": "size", "width": 1440, "height": 900 })).await;
    let is_seen = "(() => { const { top, bottom } = document.getElementById('tendencia').getBoundingClientRect(); \
        return top >= 0 && bottom <= innerHeight; })()";
    tab.wait_eval(&format!("scrollTo(0, 0), {is_seen}"), false).await;
    tab.ask(json!({ "do": "click", "id": "ver-tendencia" })).await;
    tab.wait_eval(is_seen, true).await;
}
