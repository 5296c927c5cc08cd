//! What the document says of answers that are no JSON of one type.

use axum::http::StatusCode;
use schemars::json_schema;
use serde_json::{Value, json};

use super::{
    Listing, ListingAnswer,
    download::{Archive, Download},
};
use crate::api::described::{Answer, Operation, Schemas};

impl Answer for Listing {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        operation.answers_json::<ListingAnswer>(StatusCode::OK, schemas);
    }
}

impl Answer for Download {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        let of_a_file = json!({
            "Accept-Ranges": text("`bytes`; missing where a folder is sent."),
            "ETag": text("Names this state of the file, for `If-Range`; missing where a folder is sent."),
            "Content-Disposition": text("The name of the file."),
        });
        let content = json!({ "*/*": { "schema": {} } });
        let mut part = of_a_file.clone();
        part["Content-Range"] = text("Which bytes these are, and of how many.");
        let answers = &mut operation.answers;
        answers.insert(
            StatusCode::OK.as_u16(),
            json!({
                "description": "The file, or a folder as a zip archive",
                "headers": of_a_file,
                "content": content,
            }),
        );
        answers.insert(
            StatusCode::PARTIAL_CONTENT.as_u16(),
            json!({
                "description": "The range that was asked for",
                "headers": part,
                "content": content,
            }),
        );
        answers.insert(
            StatusCode::RANGE_NOT_SATISFIABLE.as_u16(),
            json!({
                "description": "The range begins behind the end of the file; there is no body",
                "headers": part,
            }),
        );
    }
}

impl Answer for Archive {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        operation.answers.insert(
            StatusCode::OK.as_u16(),
            json!({
                "description": "The archive",
                "headers": { "Content-Disposition": text("The name of the archive.") },
                "content": {
                    "application/zip": { "schema": {} },
                    "application/gzip": { "schema": {} },
                },
            }),
        );
    }
}

fn text(description: &str) -> Value {
    json!({ "description": description, "schema": json_schema!({ "type": "string" }) })
}
