//! What only a rendered page can show: where the focus is, what covers what, and what fits on a line.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::desk::Desk;
use super::remote::{Remote, add_hub};

/// How long the page may take to become so.
const SETTLED_WITHIN: Duration = Duration::from_secs(20);

/// Makes a list that is longer than the window end in a row of its own, scrolls there, and says where that row ends and
/// where the messages begin.
const END_OF_LIST: &str = "
    const page = document.querySelector('.page__body');
    const row = document.createElement('div');
    row.style.setProperty('height', '3000px');
    row.style.setProperty('flex', 'none');
    page.append(row);
    page.scrollTop = 1e6;
    const end = row.getBoundingClientRect().bottom;
    row.remove();
    return [end, document.querySelector('.toasts').getBoundingClientRect().top];
";

/// Asks the page until it answers so.
async fn until_page(desk: &Desk, script: &str, expected: Value) {
    let began = Instant::now();
    loop {
        let answer = desk.page.execute(script, Vec::new()).await.unwrap();
        if answer == expected {
            return;
        }
        assert!(
            began.elapsed() < SETTLED_WITHIN,
            "{script}: {answer}, not {expected}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_hide_no_row_of_a_list() {
    let desk = Desk::start().await;
    desk.press("Add sample VM").await;
    desk.see("VMs added").await;
    let ends = desk.page.execute(END_OF_LIST, Vec::new()).await.unwrap();
    let place = |n: usize| ends[n].as_f64().unwrap();
    assert!(place(0) <= place(1), "the last row ends below: {ends}");
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_focus_stands_on_the_type_of_backup_that_is_chosen() {
    let desk = Desk::start().await;
    desk.press("Add sample VM").await;
    desk.press("Back up now").await;
    desk.press("Start backup").await;
    desk.see("Backup of pgtest1 finished").await;
    desk.press("Back up now").await;
    desk.find("//label[contains(@class, 'is-chosen')]/input[@aria-label='Incremental']")
        .await;
    let focused = "return document.activeElement.getAttribute('aria-label')";
    until_page(&desk, focused, json!("Incremental")).await;
    desk.picture("incremental");
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mount_of_somebody_else_takes_one_line_of_the_sidebar() {
    let remote = Remote::start();
    let api = remote.hub.api();
    let history = api.get("/backups?vm_name=pgtest1").ok();
    let backup_id = &history["backups"][0]["backup_id"];
    let mount = json!({ "backup_id": backup_id, "disk_index": 0 });
    api.post("/restore/mount", &mount).ok();
    let desk = Desk::start().await;
    add_hub(&desk, &remote.hub.url()).await;
    desk.press("Restore").await;
    desk.find("//a[contains(@class, 'sidebar__mount')]").await;
    desk.picture("foreign-mount");
    let lines = "
        const line = document.querySelector('.sidebar__mount');
        const height = parseFloat(getComputedStyle(line).lineHeight);
        return Math.floor(line.clientHeight / height);
    ";
    until_page(&desk, lines, json!(1)).await;
    desk.close().await;
}
