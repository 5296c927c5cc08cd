//! What the types of a handler say in the OpenAPI document: what it takes, and what it answers.
//!
//! Only tests make the document, so only there does [`Described`] ask anything of a handler.

#[cfg(test)]
pub(crate) use self::asked::{Answer, Describe, Described, Operation, Schemas};
#[cfg(not(test))]
pub(crate) use self::unasked::Described;

#[cfg(not(test))]
mod unasked {
    /// A handler of whose types nothing is asked.
    pub(crate) trait Described<T> {}

    impl<H> Described<()> for H {}
}

#[cfg(test)]
mod asked {
    use std::collections::BTreeMap;

    use axum::{
        Json,
        extract::State,
        http::{HeaderMap, Method, StatusCode},
        response::NoContent,
    };
    use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, json_schema};
    use serde_json::{Value, json};

    use super::super::request::{Created, JsonBody, Parameters, Path, Query};
    use crate::{Hub, error::Result};

    /// What a handler's types say of an operation.
    #[derive(Default)]
    pub(crate) struct Operation {
        /// Schemas of what varies in the path, in its order.
        pub(crate) path: Vec<Schema>,
        /// An object with a property for each parameter of the query.
        pub(crate) query: Option<Schema>,
        /// Whether the handler reads the query by itself.
        pub(crate) reads_query: bool,
        /// The body of the request.
        pub(crate) body: Option<Schema>,
        /// What comes back, by status.
        pub(crate) answers: BTreeMap<u16, Value>,
    }

    /// Says all that a handler's types say.
    pub(crate) type Describe = fn(&mut Operation, &mut Schemas);

    /// Makes schemas: what a client may leave out, the hub may always say.
    pub(crate) struct Schemas {
        /// Of what is sent to the hub.
        pub(crate) requests: SchemaGenerator,
        /// Of what it answers.
        pub(crate) answers: SchemaGenerator,
    }

    impl Schemas {
        /// Makes schemas that refer to those of the document.
        pub(crate) fn new() -> Self {
            let settings = || {
                SchemaSettings::draft2020_12().with(|settings| {
                    settings.definitions_path = "/components/schemas".into();
                    settings.meta_schema = None;
                })
            };
            Self {
                requests: settings().for_deserialize().into_generator(),
                answers: settings().for_serialize().into_generator(),
            }
        }
    }

    impl Operation {
        /// Answers JSON of this type.
        pub(crate) fn answers_json<T: JsonSchema>(
            &mut self,
            status: StatusCode,
            schemas: &mut Schemas,
        ) {
            let schema = schemas.answers.subschema_for::<T>();
            let answer = json!({ "content": { "application/json": { "schema": schema } } });
            self.answers.insert(status.as_u16(), answer);
        }
    }

    /// A handler whose types say what it takes and answers.
    pub(crate) trait Described<T> {
        /// Says it.
        fn describe(operation: &mut Operation, schemas: &mut Schemas);
    }

    /// What a handler takes.
    pub(crate) trait Part {
        /// Says what of it clients can see.
        fn describe(_: &mut Operation, _: &mut Schemas) {}
    }

    /// What a handler answers.
    pub(crate) trait Answer {
        /// Says what comes back where all goes well.
        fn describe(operation: &mut Operation, schemas: &mut Schemas);
    }

    macro_rules! handlers {
        ($($part:ident)*) => {
            impl<H, F, $($part),*> Described<($($part,)*)> for H
            where
                H: Fn($($part),*) -> F,
                F: Future,
                F::Output: Answer,
                $($part: Part,)*
            {
                fn describe(operation: &mut Operation, schemas: &mut Schemas) {
                    $($part::describe(operation, schemas);)*
                    F::Output::describe(operation, schemas);
                }
            }
        };
    }
    handlers!(A);
    handlers!(A B);
    handlers!(A B C);
    handlers!(A B C D);
    handlers!(A B C D E);

    impl Part for State<Hub> {}
    impl Part for HeaderMap {}
    impl Part for Method {}

    impl Part for Parameters {
        fn describe(operation: &mut Operation, _: &mut Schemas) {
            operation.reads_query = true;
        }
    }

    impl<T: JsonSchema> Part for Query<T> {
        fn describe(operation: &mut Operation, schemas: &mut Schemas) {
            operation.query = Some(T::json_schema(&mut schemas.requests));
        }
    }

    impl<T: JsonSchema> Part for JsonBody<T> {
        fn describe(operation: &mut Operation, schemas: &mut Schemas) {
            operation.body = Some(schemas.requests.subschema_for::<T>());
        }
    }

    impl Part for Path<String> {
        fn describe(operation: &mut Operation, _: &mut Schemas) {
            operation
                .path
                .push(json_schema!({ "type": "string", "minLength": 1 }));
        }
    }

    impl Part for Path<(String, i64)> {
        fn describe(operation: &mut Operation, schemas: &mut Schemas) {
            Path::<String>::describe(operation, schemas);
            operation.path.push(schemas.requests.subschema_for::<i64>());
        }
    }

    impl<A: Answer> Answer for Result<A> {
        fn describe(operation: &mut Operation, schemas: &mut Schemas) {
            A::describe(operation, schemas);
        }
    }

    impl<T: JsonSchema> Answer for Json<T> {
        fn describe(operation: &mut Operation, schemas: &mut Schemas) {
            operation.answers_json::<T>(StatusCode::OK, schemas);
        }
    }

    impl<T: JsonSchema> Answer for Created<T> {
        fn describe(operation: &mut Operation, schemas: &mut Schemas) {
            operation.answers_json::<T>(StatusCode::CREATED, schemas);
        }
    }

    impl Answer for NoContent {
        fn describe(operation: &mut Operation, _: &mut Schemas) {
            let status = StatusCode::NO_CONTENT.as_u16();
            operation.answers.insert(status, json!({}));
        }
    }
}
