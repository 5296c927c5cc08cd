// A file of its own, because the content security policy allows no script inside the page.
import init from "/ui.js";

init({ module_or_path: "/ui_bg.wasm" });
