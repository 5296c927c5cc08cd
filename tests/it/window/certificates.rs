//! Hubs whose certificates the system does not trust.

use sendense_tests::{Ca, Identity, LOCALHOST, TlsFront, Validity, temp_dir};

use super::desk::Desk;
use super::remote::{Remote, place_hub};
use super::tour::pictures;

/// What is shown above all pages when the hub shows another certificate.
const CHANGED: &str = "//*[@role='alert'][contains(., 'The certificate of this hub has changed')][not(ancestor::dialog)]";
const CONNECTED: &str = "//button[@aria-label='Hub: Elsewhere, connected']";

#[tokio::test(flavor = "multi_thread")]
async fn a_self_signed_certificate_is_accepted_once_compared_and_another_one_is_refused() {
    let remote = Remote::start();
    let [first, second] = [(); 2].map(|()| Identity::self_signed(LOCALHOST, Validity::Now));
    let front = TlsFront::before(&remote.hub.url(), &first).await;
    let desk = Desk::start().await;
    place_hub(&desk, &front.url()).await;
    desk.press("Test connection").await;
    desk.find("//dialog//*[@role='alert'][contains(., 'is self-signed')]")
        .await;
    desk.see(&first.fingerprint()).await;
    pictures(&desk, "untrusted-certificate").await;
    assert_eq!(front.bytes_read(), 0, "something was sent");
    desk.press("Trust this certificate").await;
    desk.see("A hub answers at this address.").await;
    desk.press("Connect").await;
    desk.find(CONNECTED).await;
    desk.find("//li[@aria-label='pgtest1']").await;

    front.show(&second);
    let said = front.bytes_read();
    desk.press("Repositories").await;
    desk.find(CHANGED).await;
    desk.find("//button[@aria-label='Hub: Elsewhere, not trusted']")
        .await;
    desk.press("Show certificate…").await;
    for fingerprint in [first.fingerprint(), second.fingerprint()] {
        desk.see(&fingerprint).await;
    }
    pictures(&desk, "changed-certificate").await;
    desk.press("Cancel").await;
    desk.gone("//dialog").await;
    desk.find(CHANGED).await;
    assert_eq!(front.bytes_read(), said, "something was sent");

    desk.press("Show certificate…").await;
    desk.press("Trust the new certificate").await;
    desk.find(CONNECTED).await;
    desk.gone(CHANGED).await;
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_is_trusted_by_a_ca_file_from_the_systems_dialog() {
    let remote = Remote::start();
    let ca = Ca::new("Cellar CA");
    let folder = temp_dir();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, ca.pem()).unwrap();
    let front = TlsFront::before(&remote.hub.url(), &ca.issue(LOCALHOST, Validity::Now)).await;
    let desk = Desk::start().await;
    place_hub(&desk, &front.url()).await;
    desk.press("Connect").await;
    desk.find("//dialog//*[@role='alert'][contains(., 'a CA that is not trusted')]")
        .await;
    desk.see("CN=Cellar CA").await;
    assert_eq!(front.bytes_read(), 0, "something was sent");
    desk.press("Choose CA file…").await;
    desk.choose_folder("Choose a CA file", &file);
    // What failed for the certificate is done again by itself.
    desk.find(CONNECTED).await;
    desk.find("//li[@aria-label='pgtest1']").await;
    desk.close().await;
}
