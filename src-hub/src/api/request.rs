//! Reading requests: axum's extractors with failures in the hub's one format, and JSON errors as 400.

use axum::{
    extract::{FromRequest, FromRequestParts, Request, rejection::JsonRejection},
    http::{HeaderValue, header, request::Parts},
};
use serde::de::DeserializeOwned;

use crate::error::Error;

/// A JSON body.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Error;

    /// Clients that do not name the body's type (curl's default is a form) mean JSON all the same.
    async fn from_request(mut request: Request, state: &S) -> Result<Self, Error> {
        request.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        let axum::Json(body) = axum::Json::from_request(request, state)
            .await
            .map_err(|rejection: JsonRejection| Error::BadBody(rejection))?;
        Ok(Self(body))
    }
}

/// A query string.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let axum::extract::Query(query) = axum::extract::Query::from_request_parts(parts, state)
            .await
            .map_err(Error::BadQuery)?;
        Ok(Self(query))
    }
}
