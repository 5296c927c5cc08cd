//! Reading requests: axum's extractors with failures in the hub's one format, and JSON errors as 400.

use axum::{
    Json,
    extract::{FromRequest, FromRequestParts, Request, rejection::JsonRejection},
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use percent_encoding::percent_decode_str;
use serde::{Serialize, de::DeserializeOwned};

use super::about::Parameter;
use crate::error::{Error, Result};

/// A JSON body.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Error;

    /// Clients that do not name the body's type (curl's default is a form) mean JSON all the same.
    async fn from_request(mut request: Request, state: &S) -> Result<Self> {
        request.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        let Json(body) = Json::from_request(request, state)
            .await
            .map_err(|rejection: JsonRejection| Error::BadBody(rejection))?;
        Ok(Self(body))
    }
}

/// What varies in a path.
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let axum::extract::Path(path) = axum::extract::Path::from_request_parts(parts, state)
            .await
            .map_err(Error::BadPath)?;
        Ok(Self(path))
    }
}

/// A query string.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let axum::extract::Query(query) = axum::extract::Query::from_request_parts(parts, state)
            .await
            .map_err(Error::BadQuery)?;
        Ok(Self(query))
    }
}

/// A query string, decoded once and strictly: bytes that are no UTF-8 are refused instead of
/// becoming U+FFFD and leading to `path does not exist`.
pub(crate) struct Parameters {
    pairs: Vec<(String, String)>,
}

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        Self::parse(parts.uri.query().unwrap_or_default())
    }
}

impl Parameters {
    pub(crate) fn parse(raw: &str) -> Result<Self> {
        let pairs = raw
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                Ok((decode(key)?, decode(value)?))
            })
            .collect::<Result<_>>()?;
        Ok(Self { pairs })
    }

    /// The value of a parameter, which may be given once.
    pub(crate) fn get(&self, parameter: &Parameter) -> Result<Option<String>> {
        let mut values = self.pairs.iter().filter(|(key, _)| key == parameter.name);
        let value = values.next().map(|(_, value)| value.clone());
        if values.next().is_some() {
            return Err(Error::BadParameter("a query parameter is given twice"));
        }
        Ok(value)
    }
}

fn decode(text: &str) -> Result<String> {
    percent_decode_str(&text.replace('+', " "))
        .decode_utf8()
        .map(|text| text.into_owned())
        .map_err(|_| Error::BadParameter("the query is not valid UTF-8"))
}

/// The answer to a request that made something: 201.
pub(crate) struct Created<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, Json(self.0)).into_response()
    }
}
