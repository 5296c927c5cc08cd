//! Hubs: connecting, signing in, being offline.

words! {
    keeps_trying = "Nothing is lost. Sendense keeps trying to reconnect.";
    sign_in_asks = "Sign in…";
    sign_in = "Sign in";
    add_title = "Add hub";
    address = "Address";
    address_example = "http://hub.example:8082";
    name_hint = "optional";
    user = "User name";
    user_hint = "leave empty if the hub needs no sign-in";
    password = "Password";
    testing = "Testing…";
    test = "Test connection";
    answers_sign_in = "A hub answers at this address. It needs a user name and a password.";
    answers_open = "A hub answers at this address. It needs no sign-in.";
    menu = "Hubs";
    add = "Add hub…";
    sign_out = "Sign out";
    removal = "The hub is removed from this list and its sign-in is forgotten. Nothing changes on the hub itself: its backups stay.";
    connecting = "connecting…";
    running_here = "local hub · running";

    signed_out(hub) = "Sign in to {hub} to continue.";
    sign_in_to(hub) = "Sign in to {hub}";
    chip(hub, state) = "Hub: {hub}, {state}";
    state_as(state, user) = "{state} as {user}";
    connected = "connected";
    signed_out_state = "signed out";
    not_reachable = "not reachable";
    inside = "the hub inside this app";
    remove_asks(hub) = "Remove {hub}…";
    remove_question(hub) = "Remove {hub}?";
}
