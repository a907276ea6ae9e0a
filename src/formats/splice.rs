//! Edits of a JSON body in place: every byte that is not edited stays as it was, key order and white space included.

/// One edit of a top-level member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit<'a> {
    /// Sets the member (each occurrence of it) to this JSON text; adds it at the end where it is missing.
    Set(&'a str, String),
    /// Sets a member of the object under a top-level member (`stream_options` / `include_usage`); adds the object
    /// where it is missing or null.
    SetIn(&'a str, &'a str, String),
    /// Removes the member (each occurrence of it).
    Remove(&'a str),
}

/// Why a body could not be edited: it is not a JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnObject;

/// `body` with the edits made. `body` must be valid JSON; where it is not an object, says so.
pub fn edit(_body: &[u8], _edits: &[Edit<'_>]) -> Result<Vec<u8>, NotAnObject> {
    Err(NotAnObject)
}
