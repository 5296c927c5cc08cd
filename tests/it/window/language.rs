//! The window in the pseudo-locale: accented and 40% longer, as a translation might be.

use fantoccini::Locator;
use serde_json::Value;

use super::desk::Desk;

/// What is plain although it is to be read, and what is cut off or covered, each in a line. Data stays as it is: names, paths,
/// sizes and times.
const FINDINGS: &str = r"
    const data = new RegExp([
        'pgtest1\\S*', '\\S*[/\\\\]\\S*', '\\S+\\.(?:vmdk|vmx|xml|qcow2|img)', '[KMGTk]?i?B\\b(?:/s)?', 'NTFS', 'FAT\\d*',
        'ext[234]', 'Hard disk', 'Partition \\d[^)]*','Ctrl\\+\\w+', 'https?:\\S*', 'local(?:-\\d+)?\\b', 'b\\d{8}\\S*', 'backup-\\S+',
    ].join('|'), 'gi');
    const found = new Set();
    const shown = element => element.getClientRects().length > 0;
    const look = (text, where) => {
        if (/[A-Za-z]{2,}/.test(text.replace(data, ''))) found.add('plain ' + where + ': ' + text.trim());
    };
    for (const element of document.body.querySelectorAll('*')) {
        if (!shown(element) || element.closest('[data-words=\'theirs\'], script, style, option')) continue;
        for (const name of ['title', 'aria-label', 'placeholder', 'aria-description']) {
            const value = element.getAttribute(name);
            if (value) look(value, name);
        }
        const own = [...element.childNodes].filter(node => node.nodeType === Node.TEXT_NODE);
        const text = own.map(node => node.textContent).join('').trim();
        if (!text) continue;
        look(text, 'text');
        const style = getComputedStyle(element);
        const hides = style.overflowX !== 'visible' && style.overflowX !== 'auto' && style.overflowX !== 'scroll';
        if (hides && element.scrollWidth > element.clientWidth + 1 && !element.title && !element.closest('[title]')
            && !element.classList.contains('sr-only') && element.clientWidth > 1) {
            found.add('cut off: ' + text);
        }
        const range = document.createRange();
        range.selectNodeContents(own.find(node => node.textContent.trim()));
        const box = range.getBoundingClientRect();
        if (element.closest('.sr-only') || box.width < 2) continue;
        if (box.right > innerWidth + 1) found.add('outside: ' + text);
        const dialog = document.querySelector('dialog[open], [role=\'menu\']');
        if (hides || dialog && !dialog.contains(element)) continue;
        const there = document.elementFromPoint(box.right - 2, box.top + box.height / 2);
        if (there && !there.closest('.toasts') && !element.contains(there) && !there.contains(element)) {
            found.add('covered: ' + text);
        }
    }
    return [...found];
";

async fn check(desk: &Desk, screen: &str, findings: &mut Vec<String>) {
    let found = desk.page.execute(FINDINGS, Vec::new()).await.unwrap();
    let found = found.as_array().into_iter().flatten();
    findings.extend(
        found
            .filter_map(Value::as_str)
            .map(|found| format!("{screen}: {found}")),
    );
    desk.picture(&format!("pseudo-{screen}"));
}

/// The menu of hubs, and adding one with each kind of sign-in.
async fn add_hub(desk: &Desk, findings: &mut Vec<String>) {
    desk.click_on("//button[contains(@class, 'hub-chip__button')]")
        .await;
    desk.find("//*[@role='menu']").await;
    check(desk, "hubs", findings).await;
    desk.click_on("(//*[@role='menu']//button)[last()]").await;
    for kind in 1..=4 {
        desk.click_on(&format!("//dialog//select/option[{kind}]"))
            .await;
        check(desk, &format!("add-hub-{kind}"), findings).await;
    }
    desk.click_on("(//dialog//button[not(contains(@class, 'is-primary'))])[last()]")
        .await;
    desk.gone("//dialog").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_text_comes_from_the_catalogue_and_has_room_for_a_longer_language() {
    let desk = Desk::start_in_pseudo_locale().await;
    desk.find("//*[contains(@class, 'empty')]//button").await;
    desk.resize(800, 560).await;
    let mut findings = Vec::new();
    check(&desk, "first-start", &mut findings).await;
    add_hub(&desk, &mut findings).await;
    desk.click_on("//*[contains(@class, 'empty')]//button[not(contains(@class, 'is-primary'))]")
        .await;
    desk.click_on("//*[@class='actions']/button[1]").await;
    desk.find("//dialog//button[contains(@class, 'is-primary') and not(@disabled)]")
        .await;
    check(&desk, "back-up", &mut findings).await;
    desk.click_on("//dialog//button[contains(@class, 'is-primary')]")
        .await;
    desk.find("//*[contains(@class, 'badge') and contains(@class, 'is-ok')]")
        .await;
    let entries = "//nav[contains(@class, 'sidebar')]//a[contains(@class, 'sidebar__entry') or not(contains(@class, 'sidebar__mount'))]";
    let n_entries = desk
        .page
        .find_all(Locator::XPath(entries))
        .await
        .unwrap()
        .len();
    assert!(n_entries >= 6, "{n_entries} entries");
    for entry in 1..=n_entries {
        desk.click_on(&format!("({entries})[{entry}]")).await;
        desk.find(&format!("({entries})[{entry}][@aria-current='page']"))
            .await;
        desk.find("//h1").await;
        check(&desk, &format!("entry-{entry}"), &mut findings).await;
    }
    desk.click_on(&format!("({entries})[1]")).await;
    desk.click_on("//*[@class='actions']/button[2]").await;
    desk.find("//tr//button").await;
    check(&desk, "history", &mut findings).await;
    desk.click_on("//header//button[not(contains(@class, 'is-primary')) and not(contains(@class, 'is-icon'))]")
        .await;
    desk.click_on("(//dialog//input[@type='radio'])[2]").await;
    desk.find("//dialog//*[@role='status'] | //dialog//*[contains(@class, 'check-list')]")
        .await;
    check(&desk, "retention", &mut findings).await;
    desk.click_on("//dialog//button[not(contains(@class, 'is-primary'))]")
        .await;
    desk.click_on("//tr//button[not(@aria-haspopup) and not(@aria-expanded)]")
        .await;
    desk.find("//form//button[@type='submit']").await;
    check(&desk, "restore", &mut findings).await;
    desk.click_on("//form//button[@type='submit']").await;
    desk.find("//*[@role='row'][2] | //*[contains(@class, 'crumbs')]")
        .await;
    desk.find("//footer").await;
    check(&desk, "browser", &mut findings).await;
    desk.close().await;
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}
