//! The shape of a mapping in a file, written once: its keys with their documentation. The reader takes its
//! list of known keys from it, the JSON Schema and the reference page are generated from it.
//!
//! Must not: read values. A shape describes; the modules of the files read.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;
use std::marker::PhantomData;

/// Declares the keys of a mapping, those that must stand first:
///
/// ```text
/// shape! {
///     /// What the mapping is.
///     pub(super) struct Keys {
///         required {
///             /// What the key is; unit, and why you would change it.
///             #[schemars(range(min = 1, max = PORT_MAX))]
///             name: String,
///         }
///         optional {
///             /// The same; bounds and default as constants that the reader uses too.
///             #[schemars(extend("default" = PORT_DEFAULT))]
///             port: u16,
///         }
///     }
/// }
/// ```
///
/// `Keys::KEYS` is the list for [`super::tree::Reader::map`]. An optional key of the type `Option<…>` may
/// also stand without a value.
macro_rules! shape {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident {
            $(required { $($(#[$required_meta:meta])* $required:ident: $required_type:ty,)* })?
            $(optional { $($(#[$optional_meta:meta])* $optional:ident: $optional_type:ty,)* })?
        }
    ) => {
        #[derive(schemars::JsonSchema)]
        #[schemars(deny_unknown_fields)]
        $(#[$meta])*
        #[allow(dead_code, reason = "it is described, never built: the reader makes other values")]
        $vis struct $name {
            $($($(#[$required_meta])* $required: $required_type,)*)?
            $($($(#[$optional_meta])* #[schemars(default)] $optional: $crate::config::shape::Optional<$optional_type>,)*)?
        }

        impl $name {
            /// The known keys.
            $vis const KEYS: &'static [&'static str] = &[
                $($(stringify!($required),)*)?
                $($(stringify!($optional),)*)?
            ];
        }
    };
}

pub(super) use shape;

/// Declares the words of which a key holds one, as they are written in the file in lower case.
macro_rules! words {
    ($name:ident { $($word:ident),* $(,)? }) => {
        #[derive(schemars::JsonSchema)]
        #[schemars(rename_all = "snake_case", inline)]
        #[allow(dead_code, reason = "it is described, never built: the reader makes other values")]
        pub(super) enum $name {
            $($word,)*
        }
    };
}

pub(super) use words;

/// Any value.
pub(super) struct AnyValue;

impl JsonSchema for AnyValue {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "AnyValue".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({})
    }
}

/// A key that need not stand. Described as its value is, so that a schema does not take nothing for one.
pub(super) struct Optional<T>(PhantomData<T>);

impl<T> Default for Optional<T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T: JsonSchema> JsonSchema for Optional<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<T>()
    }
}
