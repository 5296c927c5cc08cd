//! The OpenAPI document of the hub, made from its table of routes: `docs/openapi.json`.
//!
//! Methods, paths and tokens come from the table, bodies from the types of the handlers. Only tests make it: programs
//! carry neither schemas nor what makes them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use axum::http::StatusCode;
use schemars::Schema;
use serde_json::{Map, Value, json};

use super::{
    about::{Parameter, Place},
    described::{Operation, Schemas},
    routes::Route,
    table,
};
use crate::{Config, Hub, error::FailureBody, secret::Secret};

/// Set to write the document instead of comparing it; `cargo xtask openapi` does.
const WRITE: &str = "SENDENSE_WRITE_OPENAPI";

const ABOUT: &str = "\
The REST API of the hub that Sendense Desktop brings along: `sendense hub serve`, or the hub inside the app.

It describes the dialect that the hub speaks by itself. With the profile `documented` the hub leaves out what only it \
says, `code` of a failure among it, says `qemu_started` for `prepared` in `disk_results`, `0` and `unknown` where it \
says `null` of a VM, and lists the files of the largest volume in the root of a mount. Deployed hubs have \
further routes, other statuses and no codes.

Every `GET` is answered to `HEAD` too, without the body. Times are UTC. An address that is not listed is answered with \
404, a method that is not listed with 405, both with the body of a failure. Answers may have further fields in later \
versions.";

/// The whole document.
fn document(routes: &[Route]) -> Value {
    let mut schemas = Schemas::new();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    let failure = schemas.answers.subschema_for::<FailureBody>();
    let mut refusals = BTreeSet::new();
    for route in routes {
        let operation = operation(route, &mut refusals, &mut schemas);
        let of_path = paths.entry(&route.path).or_default();
        let known = of_path.insert(route.method.to_owned(), operation);
        assert!(
            known.is_none(),
            "{} {} is there twice",
            route.method,
            route.path
        );
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Sendense local hub",
            "description": ABOUT,
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE") },
        },
        "servers": [{
            "url": "http://127.0.0.1:8082",
            "description": "Where `sendense hub serve` listens unless told otherwise",
        }],
        "paths": paths,
        "components": {
            "schemas": definitions(&mut schemas),
            "responses": refusals
                .into_iter()
                .map(|status| (name_of(status), refusal(status, &failure)))
                .collect::<BTreeMap<_, _>>(),
            "securitySchemes": { "token": {
                "type": "http",
                "scheme": "bearer",
                "description": "The token of a sign-in, or the key of the running hub. A hub without sign-in asks for \
                                none.",
            } },
        },
    });
    give_limits(&mut document);
    document
}

/// What is sent and what is answered have names of their own, unless they are the same.
fn definitions(schemas: &mut Schemas) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    let requests = schemas.requests.take_definitions(true);
    let mut answers = schemas.answers.take_definitions(true);
    answers.values_mut().for_each(never_null);
    for made in [requests, answers] {
        for (name, schema) in made {
            assert!(
                !name.ends_with(|c: char| c.is_ascii_digit()),
                "two types are called {name}, but for the number"
            );
            if let Some(other) = all.insert(name.clone(), schema.clone()) {
                assert_eq!(
                    other, schema,
                    "{name} is sent and answered in different shapes"
                );
            }
        }
    }
    all
}

/// What an answer may leave out it leaves out instead of saying `null`.
fn never_null(schema: &mut Value) {
    let required = schema["required"].clone();
    let is_required = |name: &str| {
        required
            .as_array()
            .is_some_and(|all| all.contains(&json!(name)))
    };
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    for (name, property) in properties.into_iter().flatten() {
        if is_required(name) {
            continue;
        }
        let Some(property) = property.as_object_mut() else {
            continue;
        };
        if let Some(Value::Array(types)) = property.get_mut("type") {
            types.retain(|kind| kind != "null");
            let kind = types[0].take();
            property.insert("type".to_owned(), kind);
        }
        if let Some(Value::Array(choices)) = property.get_mut("anyOf") {
            let choice = choices.iter().find(|choice| choice["type"] != "null");
            let Some(Value::Object(choice)) = choice.cloned() else {
                continue;
            };
            property.remove("anyOf");
            property.extend(choice);
        }
    }
}

fn operation(route: &Route, refusals: &mut BTreeSet<StatusCode>, schemas: &mut Schemas) -> Value {
    let mut said = Operation::default();
    (route.describe)(&mut said, schemas);
    let (tag, id) = names(route.handler);
    let mut operation = json!({
        "tags": [tag],
        "operationId": match route.path.strip_prefix("/api/v1") {
            Some(_) => id,
            None => format!("root_{id}"),
        },
        "summary": route.about.summary,
        "parameters": parameters(route, &said),
        "responses": answers(route, &said, refusals),
    });
    if !route.about.notes.is_empty() {
        operation["description"] = json!(route.about.notes);
    }
    if let Some(body) = &said.body {
        operation["requestBody"] = json!({
            "required": true,
            "content": { "application/json": { "schema": body } },
        });
    }
    if route.is_guarded {
        operation["security"] = json!([{ "token": [] }]);
    }
    operation
}

/// The module and its function by which an operation is called: `sendense_hub::api::vms::list`.
fn names(handler: &str) -> (String, String) {
    let mut parts = handler.rsplit("::");
    let function = parts.next().expect("a function has a name");
    let module = parts.next().expect("a function is in a module");
    let id = match module == function {
        true => module.to_owned(),
        false => format!("{module}_{function}"),
    };
    (module.to_owned(), id)
}

fn parameters(route: &Route, said: &Operation) -> Vec<Value> {
    let names = route
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let names: Vec<&str> = names.collect();
    assert_eq!(
        names.len(),
        said.path.len(),
        "what varies in {} is taken",
        route.path
    );
    let in_path = names.into_iter().zip(&said.path).map(
        |(name, schema)| json!({ "name": name, "in": "path", "required": true, "schema": schema }),
    );
    let in_query = said.query.iter().flat_map(of_query);
    assert!(
        said.reads_query
            || route
                .about
                .parameters
                .iter()
                .all(|one| one.place == Place::Header),
        "{} reads no query",
        route.handler
    );
    let by_itself = route.about.parameters.iter().map(of_table);
    in_path.chain(in_query).chain(by_itself).collect()
}

fn of_query(query: &Schema) -> Vec<Value> {
    let required = query.get("required").cloned().unwrap_or_default();
    let is_required = |name: &str| {
        required
            .as_array()
            .is_some_and(|all| all.contains(&json!(name)))
    };
    let properties = query.get("properties").and_then(Value::as_object);
    let one = |(name, schema): (&String, &Value)| {
        let mut schema = schema.clone();
        let of_schema = schema.as_object_mut().expect("a property has a schema");
        let description = of_schema.remove("description");
        let mut parameter = json!({
            "name": name,
            "in": "query",
            "required": is_required(name),
            "schema": schema,
        });
        if let Some(description) = description {
            parameter["description"] = description;
        }
        parameter
    };
    properties.into_iter().flatten().map(one).collect()
}

fn of_table(parameter: &Parameter) -> Value {
    let mut schema = json!({ "type": "string" });
    if !parameter.values.is_empty() {
        schema["enum"] = json!(parameter.values);
    }
    json!({
        "name": parameter.name,
        "in": match parameter.place {
            Place::Query => "query",
            Place::Header => "header",
        },
        "required": parameter.is_required,
        "description": parameter.meaning,
        "schema": schema,
    })
}

fn answers(
    route: &Route,
    said: &Operation,
    all_refusals: &mut BTreeSet<StatusCode>,
) -> BTreeMap<String, Value> {
    let mut refusals: BTreeSet<StatusCode> = route.about.refusals.iter().copied().collect();
    refusals.insert(StatusCode::INTERNAL_SERVER_ERROR);
    if route.is_guarded {
        refusals.extend([StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN]);
    }
    if said.body.is_some() {
        refusals.extend([StatusCode::BAD_REQUEST, StatusCode::PAYLOAD_TOO_LARGE]);
    }
    if said.query.is_some() || said.reads_query || !said.path.is_empty() {
        refusals.insert(StatusCode::BAD_REQUEST);
    }
    if !said.path.is_empty() {
        // What is written as no single part of an address leads to another one, which answers in its way.
        refusals.extend([StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED]);
    }
    let mut answers: BTreeMap<String, Value> = BTreeMap::new();
    for (status, answer) in &said.answers {
        let mut answer = answer.clone();
        let words = answer.as_object_mut().expect("an answer is an object");
        words.entry("description").or_insert_with(|| json!("Done"));
        answers.insert(status.to_string(), answer);
    }
    for status in refusals {
        let answer = json!({ "$ref": format!("#/components/responses/{}", name_of(status)) });
        let known = answers.insert(status.as_str().to_owned(), answer);
        assert!(
            known.is_none(),
            "{} answers {status} in two ways",
            route.handler
        );
        all_refusals.insert(status);
    }
    answers
}

/// What a refusal is called in the document: `NotFound`.
fn name_of(status: StatusCode) -> String {
    status
        .canonical_reason()
        .expect("it is a known one")
        .replace(' ', "")
}

fn refusal(status: StatusCode, failure: &Schema) -> Value {
    let mut answer = json!({
        "description": meaning(status),
        "content": { "application/json": { "schema": failure } },
    });
    if status == StatusCode::TOO_MANY_REQUESTS {
        answer["headers"] = json!({ "Retry-After": {
            "description": "After so many seconds another try is looked at.",
            "required": true,
            "schema": { "type": "integer", "minimum": 0 },
        } });
    }
    answer
}

/// What a refusal means, whatever was asked.
fn meaning(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => {
            "The hub does not understand the request, or cannot do it that way"
        }
        StatusCode::UNAUTHORIZED => "Nobody is signed in, or not with what was sent",
        StatusCode::FORBIDDEN => "A hub without sign-in was asked by a web page",
        StatusCode::NOT_FOUND => "There is no such thing",
        StatusCode::METHOD_NOT_ALLOWED => {
            "The address has no such method: an id was not escaped and leads to another one"
        }
        StatusCode::CONFLICT => "It cannot be done as things are",
        StatusCode::PAYLOAD_TOO_LARGE => "The body has more than 1 MiB",
        StatusCode::UNPROCESSABLE_ENTITY => "What the backup holds there cannot be read",
        StatusCode::TOO_MANY_REQUESTS => "Too many sign-ins of this user failed",
        StatusCode::SERVICE_UNAVAILABLE => {
            "The hub is busy, or is stopping; a later try may succeed"
        }
        StatusCode::INTERNAL_SERVER_ERROR => "The hub failed",
        other => panic!("what does {other} mean?"),
    }
}

/// Whole numbers have the limits of their type.
fn give_limits(value: &mut Value) {
    match value {
        Value::Object(object) => {
            let maximum = match object.get("format").and_then(Value::as_str) {
                Some("uint32") => Some(json!(u32::MAX)),
                Some("uint" | "uint64") => Some(json!(u64::MAX)),
                Some("int64") => Some(json!(i64::MAX)),
                _ => None,
            };
            if let Some(maximum) = maximum {
                object.insert("maximum".to_owned(), maximum);
            }
            if object.get("format") == Some(&json!("int64")) {
                object.insert("minimum".to_owned(), json!(i64::MIN));
            }
            object.values_mut().for_each(give_limits);
        }
        Value::Array(values) => values.iter_mut().for_each(give_limits),
        _ => {}
    }
}

/// A hub on a folder of its own.
fn hub(folder: &Path) -> Hub {
    let engine = sendense_engine::Engine::open(sendense_engine::Config {
        database: folder.join("hub.db"),
        repository: folder.join("repository"),
        clock: crate::Clock::system(),
        layout: sendense_engine::restore::RootLayout::Volumes,
    });
    Hub::new(engine.unwrap(), Config::new(folder), &Secret::random()).unwrap()
}

#[tokio::test]
async fn the_document_on_record_is_that_of_the_code() {
    let folder = tempfile::tempdir().unwrap();
    let routes = table(&hub(folder.path()));
    let mut text = serde_json::to_string_pretty(&document(routes.listed())).unwrap();
    text.push('\n');
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    if std::env::var_os(WRITE).is_some() {
        fs::write(&path, &text).unwrap();
    }
    let on_record = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        on_record == text,
        "docs/openapi.json is not current: `cargo xtask openapi` writes it"
    );
}

/// Axum tells its paths to those who debug it, and to nobody else.
#[tokio::test]
async fn every_path_that_is_served_is_in_the_table_and_the_other_way_round() {
    let folder = tempfile::tempdir().unwrap();
    let hub = hub(folder.path());
    let routes = table(&hub);
    let listed: BTreeSet<&str> = routes.listed().iter().map(|route| &*route.path).collect();
    let shown = format!("{:?}", super::router(hub));
    let (shown, _) = shown.split_once("fallback_router").unwrap();
    let served: BTreeSet<&str> = shown
        .split("RouteId(")
        .filter_map(|shown| shown.split_once("): \"")?.1.split('"').next())
        .collect();
    assert_eq!(served, listed);
}

#[test]
fn an_operation_is_called_by_its_module_and_function() {
    let (tag, id) = names("sendense_hub::api::vms::list");
    assert_eq!((tag.as_str(), id.as_str()), ("vms", "vms_list"));
    assert_eq!(names("sendense_hub::api::health::health").1, "health");
}
