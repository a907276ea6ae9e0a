//! Names in paths.

use std::fmt::Write as _;

/// A name as one segment of a path: all but RFC 3986's unreserved characters escaped, as AWS's and Google's own clients do.
pub(super) fn segment(name: &str) -> String {
    escaped(name, "")
}

/// The same with `keep` left as it is.
pub(super) fn escaped(name: &str, keep: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || keep.as_bytes().contains(&byte);
        if plain {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    // A segment of dots alone would be taken for a step in the path.
    if out == "." || out == ".." { out.replace('.', "%2E") } else { out }
}
