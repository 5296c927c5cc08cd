//! The window in the pseudo-locale: accented and 40% longer, as a translation might be.

use std::time::Duration;

use fantoccini::Locator;
use sendense_tests::until;
use serde_json::Value;

use super::desk::Desk;

/// The entries of the sidebar, without the open mounts.
const ENTRIES: &str = "//nav[contains(@class, 'sidebar')]//a[contains(@class, 'sidebar__entry') or not(contains(@class, 'sidebar__mount'))]";
/// In the title of every dialog of the system's, as of every other text in the pseudo-locale.
const THEIRS: &str = "ŵöṽ";
/// How long a small file may take to be there.
const WRITTEN_WITHIN: Duration = Duration::from_secs(30);
/// Enter, as WebDriver spells it.
const ENTER: &str = "\u{e007}";

/// What is plain although it is to be read, and what is cut off, covered or to be scrolled sideways, each in a line.
/// Data stays as it is: names, paths, sizes and times.
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
    for (const element of document.body.querySelectorAll('*')) {
        const style = getComputedStyle(element);
        const scrolls = style.overflowX === 'auto' || style.overflowX === 'scroll';
        if (shown(element) && scrolls && element.scrollWidth > element.clientWidth + 1) {
            found.add('to be scrolled sideways: ' + element.className);
        }
    }
    const width = document.scrollingElement.scrollWidth;
    if (width > innerWidth) found.add('wider than the window: ' + width);
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
    dismiss(desk).await;
}

/// Every page that the sidebar leads to.
async fn pages(desk: &Desk, when: &str, findings: &mut Vec<String>) {
    let n_entries = desk
        .page
        .find_all(Locator::XPath(ENTRIES))
        .await
        .unwrap()
        .len();
    assert!(n_entries >= 6, "{n_entries} entries");
    for entry in 1..=n_entries {
        desk.click_on(&format!("({ENTRIES})[{entry}]")).await;
        desk.find(&format!("({ENTRIES})[{entry}][@aria-current='page']"))
            .await;
        desk.find("//h1").await;
        check(desk, &format!("{when}-{entry}"), findings).await;
    }
    desk.click_on(&format!("({ENTRIES})[1]")).await;
}

/// Looking for VMs in a folder, before and after one is chosen.
async fn discover(desk: &Desk, findings: &mut Vec<String>) {
    let images = desk.home().join("images");
    std::fs::create_dir(&images).unwrap();
    for name in [
        "pgtest1-of-the-finance-department-in-the-second-floor.img",
        "pgtest1-b.img",
    ] {
        std::fs::write(images.join(name), vec![0; 1 << 20]).unwrap();
    }
    desk.click_on("//*[contains(@class, 'empty')]//button[contains(@class, 'is-primary')]")
        .await;
    desk.find("//dialog").await;
    check(desk, "discover", findings).await;
    desk.click_on("//dialog//*[@class='dialog__line']/button")
        .await;
    desk.choose_folder(THEIRS, &images);
    desk.find("//dialog//*[contains(@class, 'check-list')]")
        .await;
    check(desk, "discovered", findings).await;
    dismiss(desk).await;
}

/// The menu of a recovery point, and the dialogs that it leads to.
async fn recovery_point(desk: &Desk, findings: &mut Vec<String>) {
    for (item, name) in [(3, "copy"), (5, "delete")] {
        desk.click_on("//tr//button[@aria-haspopup='menu']").await;
        desk.find("//*[@role='menuitem']").await;
        check(desk, "point", findings).await;
        desk.click_on(&format!("(//*[@role='menuitem'])[{item}]"))
            .await;
        // What they say depends on what the hub answers.
        desk.find("//dialog//p[@role='status' or contains(@class, 'faint')]")
            .await;
        check(desk, name, findings).await;
        dismiss(desk).await;
    }
}

/// Restores a file, so that there is something to list.
async fn restore(desk: &Desk) {
    // The volume with Windows on it is the second partition.
    desk.click_on("(//*[@role='grid']//*[@role='row'][@aria-label])[2]")
        .await;
    desk.keys(ENTER).await;
    for name in ["Recovery", "WindowsRE"] {
        desk.click(name).await;
        desk.keys(ENTER).await;
    }
    desk.click("ReAgent.xml").await;
    desk.click_on("//footer//button[contains(@class, 'is-primary')]")
        .await;
    let file = desk.home().join("ReAgent.xml");
    desk.save_as(THEIRS, &file);
    until("the restored file", WRITTEN_WITHIN, || {
        file.exists().then_some(())
    });
}

/// Closes a dialog by its last button that does nothing else.
async fn dismiss(desk: &Desk) {
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
    pages(&desk, "empty", &mut findings).await;
    discover(&desk, &mut findings).await;
    desk.click_on("//*[contains(@class, 'empty')]//button[not(contains(@class, 'is-primary'))]")
        .await;
    desk.click_on("//*[@class='actions']/button[1]").await;
    desk.find("//dialog//button[contains(@class, 'is-primary') and not(@disabled)]")
        .await;
    check(&desk, "back-up", &mut findings).await;
    desk.click_on("//dialog//button[contains(@class, 'is-primary')]")
        .await;
    desk.find("//*[contains(@class, 'toast ')]//strong").await;
    check(&desk, "toast", &mut findings).await;
    desk.find("//*[contains(@class, 'badge') and contains(@class, 'is-ok')]")
        .await;
    desk.click_on("//*[@class='actions']/button[2]").await;
    desk.find("//tr//button").await;
    check(&desk, "history", &mut findings).await;
    recovery_point(&desk, &mut findings).await;
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
    restore(&desk).await;
    pages(&desk, "full", &mut findings).await;
    desk.close().await;
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}
