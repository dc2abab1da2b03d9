//! The kinds of problems in the library.

use alpes_messages::Kind;

/// Fields of the input are invalid.
pub const INVALID: Kind = Kind {
    uri: "urn:library:problem:invalid",
    title: "The request is not valid",
    status: 400,
};
/// The id of a command was used with another body.
pub const KEY_REUSED: Kind = Kind {
    uri: "urn:library:problem:key-reused",
    title: "The key was used with another body",
    status: 422,
};
/// The state of the loan does not allow the command.
pub const STATE: Kind = Kind {
    uri: "urn:library:problem:state",
    title: "The loan does not allow it now",
    status: 409,
};
