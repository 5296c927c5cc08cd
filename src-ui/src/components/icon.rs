//! The small pictures, drawn as lines in the colour of the text around them.

use yew::prelude::*;

/// Which picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Picture {
    Shield,
    Machine,
    Pulse,
    Clock,
    Download,
    Stack,
    Gear,
    Folder,
    File,
    Link,
    Up,
    Home,
    Refresh,
    Close,
    Search,
    Plus,
    Check,
    Cross,
    Warning,
    Back,
    Lock,
    Table,
    Cards,
    More,
    Chevron,
    Pin,
    Drive,
}

/// A picture beside a word, so that whoever does not see it misses nothing.
pub(crate) fn icon(picture: Picture) -> Html {
    let lines = match picture {
        Picture::Shield => "M12 3l8 3v6c0 5-3.5 8-8 9-4.5-1-8-4-8-9V6z M8.5 12l2.5 2.5 4.5-4.5",
        Picture::Machine => "M3 5h18v11H3z M8 20h8 M12 16v4",
        Picture::Pulse => "M2 12h5l3-8 4 16 3-8h5",
        Picture::Clock => "M4 12a8 8 0 1 0 3-6.2 M4 4v4h4 M12 8v4l3 2",
        Picture::Download => "M12 4v11 M7 11l5 5 5-5 M5 20h14",
        Picture::Stack => {
            "M4 6c0-3 16-3 16 0s-16 3-16 0 M4 6v12c0 3 16 3 16 0V6 M4 12c0 3 16 3 16 0"
        }
        Picture::Gear => {
            "M12 9a3 3 0 1 0 .01 0 M12 2v3 M12 19v3 M2 12h3 M19 12h3 M5 5l2 2 M17 17l2 2 M19 5l-2 2 M7 17l-2 2"
        }
        Picture::Folder => "M3 6h6l2 2h10v11H3z",
        Picture::File => "M6 3h8l4 4v14H6z M14 3v4h4",
        Picture::Link => "M6 3h8l4 4v14H6z M9 16c0-3 2-4 5-4 M12 9l3 3-3 3",
        Picture::Up => "M12 20V5 M6 11l6-6 6 6",
        Picture::Home => "M4 11l8-7 8 7 M6 10v10h12V10",
        Picture::Refresh => "M20 12a8 8 0 1 1-2.5-5.8 M20 3v4h-4",
        Picture::Close | Picture::Cross => "M6 6l12 12 M18 6L6 18",
        Picture::Search => "M10 4a6 6 0 1 0 .01 0 M15 15l5 5",
        Picture::Plus => "M12 5v14 M5 12h14",
        Picture::Check => "M5 13l4 4L19 7",
        Picture::Warning => "M12 4L2 20h20z M12 10v5 M12 17.5v.5",
        Picture::Back => "M20 12H5 M11 6l-6 6 6 6",
        Picture::Lock => "M6 11h12v9H6z M8.5 11V8a3.5 3.5 0 0 1 7 0v3",
        Picture::Table => "M4 6h16 M4 12h16 M4 18h16",
        Picture::More => "M5 12h.01 M12 12h.01 M19 12h.01",
        Picture::Chevron => "M6 9l6 6 6-6",
        Picture::Pin => "M9 4h6l-1 6 3 3v2H7v-2l3-3z M12 15v6",
        Picture::Drive => "M3 8h18v8H3z M17 12h.01 M6 12h6",
        Picture::Cards => "M4 4h6v6H4z M14 4h6v6h-6z M4 14h6v6H4z M14 14h6v6h-6z",
    };
    html! {
        <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
            <path d={lines} />
        </svg>
    }
}
