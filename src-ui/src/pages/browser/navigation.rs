//! The current folder of a mount, and the ways up, back and forward.

use std::rc::Rc;

use yew::Reducible;

/// The folder that is shown, and the history in both directions.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Navigation {
    pub(super) path: String,
    /// What names have to contain to be shown.
    pub(super) filter: String,
    past: Vec<String>,
    future: Vec<String>,
}

/// A way to go.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Go {
    To(String),
    Up,
    Back,
    Forward,
    /// Stays in the folder and filters it.
    Filter(String),
}

impl Navigation {
    pub(super) fn at(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            ..Self::default()
        }
    }

    fn go_to(&mut self, folder: String) {
        if self.path != folder {
            self.past.push(std::mem::replace(&mut self.path, folder));
            self.future.clear();
            self.filter.clear();
        }
    }
}

impl Reducible for Navigation {
    type Action = Go;

    fn reduce(self: Rc<Self>, way: Go) -> Rc<Self> {
        let mut here = Rc::unwrap_or_clone(self);
        match way {
            Go::To(folder) => here.go_to(folder),
            Go::Up => {
                if let Some(parent) = parent_of(&here.path) {
                    here.go_to(parent);
                }
            }
            Go::Back => {
                if let Some(folder) = here.past.pop() {
                    here.future.push(std::mem::replace(&mut here.path, folder));
                }
            }
            Go::Forward => {
                if let Some(folder) = here.future.pop() {
                    here.past.push(std::mem::replace(&mut here.path, folder));
                }
            }
            Go::Filter(filter) => here.filter = filter,
        }
        Rc::new(here)
    }
}

/// The folder above a path of the hub; `None` at the top.
fn parent_of(path: &str) -> Option<String> {
    let path = path.trim_end_matches('/');
    let (parent, _) = path.rsplit_once('/')?;
    Some(if parent.is_empty() {
        "/".to_owned()
    } else {
        parent.to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The paths that these ways lead to from the top, one after the other.
    fn walk(ways: &[Go]) -> Vec<String> {
        let mut here = Rc::new(Navigation::at("/"));
        let mut visited = Vec::new();
        for way in ways {
            here = here.reduce(way.clone());
            visited.push(here.path.clone());
        }
        visited
    }

    fn to(folder: &str) -> Go {
        Go::To(folder.to_owned())
    }

    #[test]
    fn up_leads_to_the_folder_above_and_stops_at_the_top() {
        let ways = [to("/partition-1/Users"), Go::Up, Go::Up, Go::Up];
        let visited = ["/partition-1/Users", "/partition-1", "/", "/"];
        assert_eq!(walk(&ways), visited);
        assert_eq!(walk(&[to("/partition-1/"), Go::Up])[1], "/");
    }

    #[test]
    fn back_and_forth_lead_where_one_was_until_one_goes_elsewhere() {
        let ways = [to("/a"), to("/a/b"), Go::Back, Go::Back, Go::Back];
        assert_eq!(walk(&ways), ["/a", "/a/b", "/a", "/", "/"]);
        let ways = [to("/a"), Go::Up, Go::Back, Go::Forward, Go::Forward];
        assert_eq!(walk(&ways), ["/a", "/", "/a", "/", "/"]);
        let ways = [to("/a"), Go::Back, to("/b"), Go::Forward];
        assert_eq!(walk(&ways), ["/a", "/", "/b", "/b"]);
    }

    #[test]
    fn going_where_one_is_leads_nowhere() {
        assert_eq!(walk(&[to("/a"), to("/a"), Go::Back]), ["/a", "/a", "/"]);
    }

    #[test]
    fn another_folder_is_shown_unfiltered() {
        let here = Rc::new(Navigation::at("/a"));
        let here = here.reduce(Go::Filter("x".to_owned()));
        assert_eq!((here.path.as_str(), here.filter.as_str()), ("/a", "x"));
        assert_eq!(here.reduce(to("/a/b")).filter, "");
    }
}
