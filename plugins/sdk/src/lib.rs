//! What a Portcullis plugin in Rust is written with: implement [`Validator`] or [`Redactor`], name the
//! type in [`validator!`] or [`redactor!`], build for `wasm32-unknown-unknown`.
//!
//! ```
//! use portcullis_plugin_sdk::{Context, Validator, Verdict};
//!
//! struct NoForce;
//!
//! impl Validator for NoForce {
//!     fn validate(context: &Context) -> Result<Verdict, String> {
//!         let forced = context.words().any(|word| word == "--force");
//!         Ok(if forced { Verdict::objection("force", "--force is not used here") } else { Verdict::NoObjection })
//!     }
//! }
//!
//! portcullis_plugin_sdk::validator!(NoForce);
//! # fn main() {}
//! ```
//!
//! The logic is plain Rust over plain data, so it is tested natively with `cargo test`; only the macro
//! touches WebAssembly. Must not: hide an error. What a plugin cannot judge it answers with `Err`, and
//! the gate refuses.

#[cfg(any(test, all(feature = "heap", target_arch = "wasm32")))]
mod heap;
mod hold;
mod lines;
pub mod log;

#[cfg(all(feature = "heap", target_arch = "wasm32"))]
#[global_allocator]
static HEAP: heap::Heap = heap::Heap::new();

pub use hold::{Hold, LAG_BYTES_MAX};
pub use lines::{Lines, Stretch};

/// The generated bindings. For the macros of this crate only; not part of the interface.
#[doc(hidden)]
#[allow(
    missing_docs,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated code"
)]
pub mod bindings {
    /// The world of validators.
    pub mod validator {
        wit_bindgen::generate!({
            path: "wit",
            world: "validator-plugin",
            pub_export_macro: true,
            export_macro_name: "export",
            default_bindings_module: "portcullis_plugin_sdk::bindings::validator",
        });
    }
    /// The world of redactors.
    pub mod redactor {
        wit_bindgen::generate!({
            path: "wit",
            world: "redactor-plugin",
            pub_export_macro: true,
            export_macro_name: "export",
            default_bindings_module: "portcullis_plugin_sdk::bindings::redactor",
        });
    }
}

pub use bindings::redactor::exports::portcullis::plugin::redactor::{
    Found, Span, StreamContext, Style,
};
pub use bindings::validator::portcullis::plugin::types::{
    CommandContext as Context, Leaf, Objection, Verdict,
};

impl Context {
    /// Every word of every simple command, in source order.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.leaves
            .iter()
            .flat_map(|leaf| leaf.argv.iter().map(String::as_str))
    }

    /// The values of a fact, in order.
    pub fn facts_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.facts
            .iter()
            .filter(move |(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    /// The time of the decision in whole seconds since 1970, the only time that there is.
    #[must_use]
    pub fn unix_time(&self) -> Option<u64> {
        self.facts_named("unix-time").next()?.parse().ok()
    }

    /// A context about simple commands, for tests: each leaf is one, its words separated by blanks.
    #[must_use]
    pub fn of(commands: &[&str], settings: &str) -> Self {
        Self {
            alias: "web1".to_owned(),
            tags: Vec::new(),
            principal: "local:1000".to_owned(),
            command: commands.join("; "),
            leaves: commands.iter().copied().map(Leaf::of).collect(),
            dry_run: false,
            settings: settings.to_owned(),
            facts: Vec::new(),
        }
    }
}

impl Leaf {
    /// The program: the first word.
    #[must_use]
    pub fn program(&self) -> &str {
        self.argv.first().map_or("", String::as_str)
    }

    /// Whether only the remote shell knows the word at that position of `argv`.
    #[must_use]
    pub fn is_open(&self, position: usize) -> bool {
        self.open_words
            .iter()
            .any(|open| usize::try_from(*open).is_ok_and(|open| open == position))
    }

    /// Whether it does something of that kind: `write`, `network`, …
    #[must_use]
    pub fn does(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|kind| kind == capability)
    }

    /// A simple command for tests, its words separated by blanks.
    #[must_use]
    pub fn of(command: &str) -> Self {
        Self {
            argv: command.split_whitespace().map(str::to_owned).collect(),
            canonical: command.to_owned(),
            capabilities: Vec::new(),
            open_words: Vec::new(),
        }
    }
}

impl Verdict {
    /// A wish for a human's approval, with its reason in one sentence.
    #[must_use]
    pub fn approval(reason: &str) -> Self {
        Self::RequireApproval(reason.to_owned())
    }

    /// An objection with its stable word and a sentence for people.
    #[must_use]
    pub fn objection(code: &str, reason: &str) -> Self {
        Self::Objection(Objection {
            code: code.to_owned(),
            reason: reason.to_owned(),
        })
    }
}

/// A plugin that judges commands.
pub trait Validator {
    /// Judges one command. Nothing is kept from one call to the next.
    ///
    /// # Errors
    /// The plugin's own failure in words; the gate refuses then.
    fn validate(context: &Context) -> Result<Verdict, String>;
}

/// A plugin that finds what must not be shown, in one stream.
pub trait Redactor: Sized + 'static {
    /// Begins a stream.
    ///
    /// # Errors
    /// What is wrong with the settings; the first push reports it and the stream is withheld.
    fn begin(context: StreamContext) -> Result<Self, String>;

    /// Takes the next bytes, which may begin and end anywhere.
    ///
    /// # Errors
    /// The plugin's own failure in words; the stream is withheld.
    fn push(&mut self, chunk: &[u8]) -> Result<Found, String>;

    /// Ends the stream.
    ///
    /// # Errors
    /// The plugin's own failure in words; the stream is withheld.
    fn finish(&mut self) -> Result<Found, String>;
}

/// Makes a type that is a [`Validator`] the plugin of this crate.
#[macro_export]
macro_rules! validator {
    ($plugin:ty) => {
        const _: () = {
            const fn checked<T: $crate::Validator>() {}
            checked::<$plugin>();
        };
        // Natively there is nothing to export to, and the linker would not take the exports' names.
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Exported;
            impl $crate::bindings::validator::exports::portcullis::plugin::validator::Guest for Exported {
                fn validate(
                    context: $crate::Context,
                ) -> ::core::result::Result<$crate::Verdict, ::std::string::String> {
                    <$plugin as $crate::Validator>::validate(&context)
                }
            }
            $crate::bindings::validator::export!(Exported with_types_in $crate::bindings::validator);
        };
    };
}

/// Makes a type that is a [`Redactor`] the plugin of this crate.
#[macro_export]
macro_rules! redactor {
    ($plugin:ty) => {
        const _: () = {
            const fn checked<T: $crate::Redactor>() {}
            checked::<$plugin>();
        };
        // Natively there is nothing to export to, and the linker would not take the exports' names.
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use $crate::bindings::redactor::exports::portcullis::plugin::redactor as interface;
            struct Exported;
            struct Stream(
                ::core::cell::RefCell<::core::result::Result<$plugin, ::std::string::String>>,
            );
            impl interface::Guest for Exported {
                type Stream = Stream;
            }
            impl interface::GuestStream for Stream {
                fn new(context: $crate::StreamContext) -> Self {
                    Self(::core::cell::RefCell::new(
                        <$plugin as $crate::Redactor>::begin(context),
                    ))
                }
                fn push(
                    &self,
                    chunk: ::std::vec::Vec<u8>,
                ) -> ::core::result::Result<$crate::Found, ::std::string::String> {
                    match &mut *self.0.borrow_mut() {
                        Ok(plugin) => $crate::Redactor::push(plugin, &chunk),
                        Err(fault) => Err(fault.clone()),
                    }
                }
                fn finish(&self) -> ::core::result::Result<$crate::Found, ::std::string::String> {
                    match &mut *self.0.borrow_mut() {
                        Ok(plugin) => $crate::Redactor::finish(plugin),
                        Err(fault) => Err(fault.clone()),
                    }
                }
            }
    $crate::bindings::redactor::export!(Exported with_types_in $crate::bindings::redactor);
        };
    };
}
