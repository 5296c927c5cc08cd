//! Hubs: connecting, signing in, being offline.

words! {
    on(hub, what) = "{hub}: {what}";
    keeps_trying = "Nothing is lost. Sendense keeps trying to reconnect.";
    sign_in_asks = "Sign in…";
    sign_in = "Sign in";
    add_title = "Add hub";
    address = "Address";
    address_example = "http://hub.example:8082";
    name_hint = "optional";
    user = "User name";
    password = "Password";
    sign_in_with = "Sign in with";
    with_password = "User name and password";
    with_appliance_token = "Appliance token";
    with_bearer_token = "Bearer token";
    without_sign_in = "No sign-in needed";
    without_sign_in_hint = "Anyone who can reach such a hub can restore from it.";
    token = "Token";
    appliance_token_hint = "Ask the hub’s administrator for it. It is kept in the keychain, so that Sendense can sign in again after the hub restarts.";
    bearer_token_hint = "A token that was issued for you, for example by “sendense login”. It is kept in the keychain.";
    unencrypted = "The connection is not encrypted: others on the network can read your sign-in and the files you restore.";
    subject = "Issued to";
    issuer = "Issued by";
    valid_from = "Valid from";
    valid_until = "Valid until";
    fingerprint = "SHA-256 fingerprint";
    fingerprint_trusted = "Trusted until now";
    trust_certificate = "Trust this certificate";
    trust_new_certificate = "Trust the new certificate";
    choose_ca_file = "Choose CA file…";
    show_certificate = "Show certificate…";
    certificate_of(hub) = "Certificate of {hub}";
    not_trusted = "not trusted";
    testing = "Testing…";
    test = "Test connection";
    answers_sign_in = "A hub answers at this address. It requires sign-in.";
    answers_open = "A hub answers at this address. It requires no sign-in, so anyone on its network can restore from it.";
    menu = "Hubs";
    add = "Add hub…";
    sign_out = "Sign out";
    removal = "The hub is removed from this list and its sign-in is forgotten. Nothing changes on the hub itself: its backups stay.";
    connecting = "connecting…";
    running_here = "local hub · running";

    signed_out(hub) = "Sign in to {hub} to continue.";
    sign_in_to(hub) = "Sign in to {hub}";
    chip(hub, state) = "Hub: {hub}, {state}";
    state_as(state, user) = "{state} · {user}";
    connected = "connected";
    signed_out_state = "signed out";
    not_reachable = "not reachable";
    inside = "built into this app";
    remove_asks(hub) = "Remove {hub}…";
    remove_question(hub) = "Remove {hub}?";
}
