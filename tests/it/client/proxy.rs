//! The system's proxy, which on Linux is named by variables of the environment.

use std::net::SocketAddr;

use sendense_tests::{
    Ca, Hub, Outcome, Proxy, ProxyRule, TlsFront, Tool, Validity, sendense, temp_dir,
};

const PASSWORD: &str = "correct horse";
/// No name server knows it: only a proxy can.
const HOST: &str = "hub.example";

fn hub(data: &std::path::Path) -> Hub {
    let stdin = format!("{PASSWORD}\n");
    Hub::start_with(data, &["--user", "operator"], &stdin, &[])
}

fn login(hub: &str, proxy: &str) -> Tool {
    let arguments = [
        "--hub",
        hub,
        "login",
        "--user",
        "operator",
        "--password-stdin",
    ];
    let mut sendense = sendense();
    // What this computer has is not meant here.
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
        sendense = sendense.env_remove(name).env_remove(&name.to_lowercase());
    }
    sendense
        .args(arguments)
        .stdin(PASSWORD)
        .env("http_proxy", proxy)
        .env("https_proxy", proxy)
        .env("SENDENSE_LOG", "debug")
}

fn said(outcome: &Outcome) -> String {
    String::from_utf8_lossy(&outcome.stderr).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_elsewhere_is_reached_through_the_systems_proxy() {
    let folder = temp_dir();
    let hub = hub(&folder.path().join("data"));
    let ca = Ca::new("Cellar CA");
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, ca.pem()).unwrap();
    let front = TlsFront::before(&hub.url(), &ca.issue(HOST, Validity::Now)).await;
    let plain: SocketAddr = hub.url().trim_start_matches("http://").parse().unwrap();
    for (address, behind) in [
        (format!("http://{HOST}:8082"), plain),
        (format!("https://{HOST}:8443"), front.address()),
    ] {
        let proxy = Proxy::start(ProxyRule::PassTo(behind)).await;
        let through = format!("http://ada:s3cret@{}", proxy.name());
        let done = login(&address, &through).arg("--ca").arg(&file).run();
        let heads = proxy.heads();
        // "ada:s3cret" as proxies want it.
        assert!(heads[0].contains("YWRhOnMzY3JldA=="), "{heads:?}");
        let said = said(&done);
        assert!(
            !said.contains("s3cret") && !said.contains("YWRhOnM"),
            "{said}"
        );
        let is_encrypted = address.starts_with("https");
        assert_eq!(said.contains("is not encrypted"), !is_encrypted, "{said}");
        assert_eq!(heads[0].starts_with("CONNECT "), is_encrypted);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_proxy_refuses_is_said_to_be_its_doing() {
    const SIGN_IN: &str = "HTTP/1.1 407 X\r\nproxy-authenticate: Basic realm=\"x\"\r\n\
                           content-length: 0\r\nconnection: close\r\n\r\n";
    const AWAY: &str = "HTTP/1.1 502 X\r\ncontent-type: text/html\r\ncontent-length: 19\r\n\
                        connection: close\r\n\r\n<h1>Bad gateway</h1";
    for address in [
        format!("http://{HOST}:8082"),
        format!("https://{HOST}:8443"),
    ] {
        for (answer, words) in [
            (SIGN_IN, "requires a user name and password"),
            (AWAY, "does not connect to the hub at"),
        ] {
            let proxy = Proxy::start(ProxyRule::Answer(answer)).await;
            let through = format!("http://ada:s3cret@{}", proxy.name());
            let outcome = login(&address, &through).outcome();
            let said = said(&outcome);
            assert_eq!(outcome.code, Some(5), "{said}");
            assert!(
                said.contains(words) && said.contains(&proxy.name()),
                "{said}"
            );
            assert!(!said.contains("s3cret"), "{said}");
        }
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let name = nobody.local_addr().unwrap().to_string();
        drop(nobody);
        let outcome = login(&address, &format!("http://ada:s3cret@{name}")).outcome();
        let said = said(&outcome);
        let expected = format!("The proxy {name} cannot be reached.");
        assert!(said.contains(&expected), "{said}");
        assert!(!said.contains("s3cret"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn this_computer_is_reached_without_a_proxy() {
    let folder = temp_dir();
    let hub = hub(folder.path());
    let proxy = Proxy::start(ProxyRule::Answer("HTTP/1.1 502 X\r\n\r\n")).await;
    let through = format!("http://{}", proxy.name());
    let done = login(&hub.url(), &through).run();
    assert_eq!(proxy.heads(), [""; 0]);
    assert!(!said(&done).contains("is not encrypted"), "{done:?}");
}
