//! The table of routes: what is served, with what the OpenAPI document says of it.
//!
//! There is no other way to add a route, so none can be missing in the document. That is made in tests only: programs
//! carry neither schemas nor what makes them.

use axum::{
    Router,
    extract::Request,
    handler::Handler,
    http::Response,
    middleware::{self, Next},
    routing::{MethodFilter, on},
};

use super::{about::About, described::Described};
use crate::{Hub, error::Result};

/// Routes that belong together.
pub(crate) struct Routes {
    router: Router<Hub>,
    #[cfg(test)]
    listed: Vec<Route>,
}

/// One route, as it is listed for the document.
#[cfg(test)]
pub(crate) struct Route {
    /// In lower case, as in the document.
    pub(crate) method: &'static str,
    /// As clients ask for it, with `{names}` where it varies.
    pub(crate) path: String,
    /// What the table says of it.
    pub(crate) about: About,
    /// The path of the function that answers.
    pub(crate) handler: &'static str,
    /// Whether a call needs a token.
    pub(crate) is_guarded: bool,
    /// What the types of that function say of it.
    pub(crate) describe: super::described::Describe,
}

impl Routes {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self {
            router: Router::new(),
            #[cfg(test)]
            listed: Vec::new(),
        }
    }

    /// Adds what is answered to `GET`, and to `HEAD` without a body.
    pub(crate) fn get<H, T, D>(self, path: &str, handler: H, about: About) -> Self
    where
        H: Handler<T, Hub> + Described<D>,
        T: 'static,
    {
        self.add(MethodFilter::GET, "get", path, handler, about)
    }

    /// Adds what is answered to `POST`.
    pub(crate) fn post<H, T, D>(self, path: &str, handler: H, about: About) -> Self
    where
        H: Handler<T, Hub> + Described<D>,
        T: 'static,
    {
        self.add(MethodFilter::POST, "post", path, handler, about)
    }

    /// Adds what is answered to `PUT`.
    pub(crate) fn put<H, T, D>(self, path: &str, handler: H, about: About) -> Self
    where
        H: Handler<T, Hub> + Described<D>,
        T: 'static,
    {
        self.add(MethodFilter::PUT, "put", path, handler, about)
    }

    /// Adds what is answered to `DELETE`.
    pub(crate) fn delete<H, T, D>(self, path: &str, handler: H, about: About) -> Self
    where
        H: Handler<T, Hub> + Described<D>,
        T: 'static,
    {
        self.add(MethodFilter::DELETE, "delete", path, handler, about)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the table")]
    #[cfg_attr(not(test), expect(unused_variables, reason = "for the document only"))]
    fn add<H, T, D>(
        mut self,
        filter: MethodFilter,
        method: &'static str,
        path: &str,
        handler: H,
        about: About,
    ) -> Self
    where
        H: Handler<T, Hub> + Described<D>,
        T: 'static,
    {
        self.router = self.router.route(path, on(filter, handler));
        #[cfg(test)]
        self.listed.push(Route {
            method,
            path: path.to_owned(),
            about,
            handler: std::any::type_name::<H>(),
            is_guarded: false,
            describe: H::describe,
        });
        self
    }

    /// Adds all of those.
    pub(crate) fn merge(mut self, others: Self) -> Self {
        self.router = self.router.merge(others.router);
        #[cfg(test)]
        self.listed.extend(others.listed);
        self
    }

    /// Puts all of them below a path.
    #[expect(clippy::disallowed_methods, reason = "this is the table")]
    pub(crate) fn below(mut self, path: &str) -> Self {
        self.router = Router::new().nest(path, self.router);
        #[cfg(test)]
        for route in &mut self.listed {
            route.path.insert_str(0, path);
        }
        self
    }

    /// Asks that guard before each call.
    pub(crate) fn guarded<F>(
        mut self,
        hub: &Hub,
        guard: impl Fn(axum::extract::State<Hub>, Request, Next) -> F + Clone + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Response<axum::body::Body>>> + Send + 'static,
    {
        let guard = middleware::from_fn_with_state(hub.clone(), guard);
        self.router = self.router.route_layer(guard);
        #[cfg(test)]
        for route in &mut self.listed {
            route.is_guarded = true;
        }
        self
    }

    /// All of them, for the document.
    #[cfg(test)]
    pub(crate) fn listed(&self) -> &[Route] {
        &self.listed
    }

    /// What serves them.
    pub(crate) fn into_router(self) -> Router<Hub> {
        self.router
    }
}
