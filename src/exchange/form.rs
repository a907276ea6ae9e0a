//! Forms (`multipart/form-data`, <https://www.rfc-editor.org/rfc/rfc7578>): finding one field in place. A form with a
//! file can be large, so that nothing of it is copied, and each byte is looked at once.

use memchr::memmem;
use std::ops::Range;

/// The most bytes of a part's headers.
const LONGEST_HEAD: usize = 8 * 1024;
/// The most parts that are looked at.
const MOST_PARTS: usize = 1_000;

/// The boundary that a content type names; `None`: it is no form.
pub(super) fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"'))
    })?;
    // <https://www.rfc-editor.org/rfc/rfc2046#section-5.1.1>
    (1..=70).contains(&boundary.len()).then_some(boundary)
}

/// Where the value of the first field of that name stands in a form, where it has one that is no file.
pub(super) fn field(body: &[u8], boundary: &str, name: &str) -> Option<Range<usize>> {
    let delimiter = format!("\r\n--{boundary}");
    let finder = memmem::Finder::new(delimiter.as_bytes());
    // The first delimiter may stand at the very beginning, without the line end before it.
    let opening = delimiter.get(2..)?.as_bytes();
    let mut at = if body.starts_with(opening) { opening.len() } else { after(&finder, body, 0)?.1 };
    for _ in 0..MOST_PARTS {
        let part = body.get(at..)?;
        if part.starts_with(b"--") {
            return None;
        }
        // White space may stand behind the boundary.
        let line = memmem::find(part.get(..part.len().min(LONGEST_HEAD))?, b"\r\n")?;
        let head = part.get(line..)?;
        let head_end = memmem::find(head.get(..head.len().min(LONGEST_HEAD))?, b"\r\n\r\n")?;
        let start = at.checked_add(line)?.checked_add(head_end)?.checked_add(4)?;
        let (end, next) = after(&finder, body, start.checked_sub(2)?)?;
        if is_field(head.get(..head_end)?, name) {
            return Some(start..end.max(start));
        }
        at = next;
    }
    None
}

/// Where the next delimiter from `from` begins, and where it ends.
fn after(finder: &memmem::Finder<'_>, body: &[u8], from: usize) -> Option<(usize, usize)> {
    let begin = from.checked_add(finder.find(body.get(from..)?)?)?;
    Some((begin, begin.checked_add(finder.needle().len())?))
}

/// Whether a part's headers say that it is the field of that name.
fn is_field(head: &[u8], name: &str) -> bool {
    let head = String::from_utf8_lossy(head);
    let disposition = head.lines().find_map(|line| {
        let (header, value) = line.split_once(':')?;
        header.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    });
    let said = |wanted: &str| {
        let parameters = disposition?.split(';').skip(1);
        let mut pairs = parameters.filter_map(|parameter| parameter.split_once('='));
        pairs.find(|(key, _)| key.trim().eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim().trim_matches('"'))
    };
    said("name") == Some(name) && said("filename").is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn a_content_type_names_the_boundary_of_a_form() {
        for (content_type, want) in [
            ("multipart/form-data; boundary=abc", Some("abc")),
            ("Multipart/Form-Data; charset=utf-8; Boundary=\"a b\"", Some("a b")),
            ("multipart/form-data", None),
            ("multipart/form-data; boundary=", None),
            ("multipart/mixed; boundary=abc", None),
            ("application/json", None),
        ] {
            assert_eq!(boundary(content_type), want, "{content_type}");
        }
        assert_eq!(boundary(&format!("multipart/form-data; boundary={}", "x".repeat(71))), None);
    }

    #[test]
    fn a_field_is_found_among_others_and_never_in_a_file() {
        let file = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n\r\n--c\r\n\
                    Content-Disposition: form-data; name=\"model\"\r\n\r\nnot this\r\n";
        let model = "--b\r\ncontent-disposition: form-data; name=model\r\nContent-Type: text/plain\r\n\r\nhouse/w\r\n";
        let named = "--b\r\nContent-Disposition: form-data; name=\"model\"; filename=\"x\"\r\n\r\nno\r\n";
        let empty = "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n\r\n";
        for (form, want) in [
            (format!("{file}{model}--b--\r\n"), Some("house/w")),
            (format!("{model}{file}--b--\r\n"), Some("house/w")),
            (format!("a preamble\r\n{model}--b--"), Some("house/w")),
            (format!("{named}{model}--b--"), Some("house/w")),
            (format!("{empty}--b--"), Some("")),
            (format!("{file}--b--"), None),
            (format!("--b--\r\n{model}--b--"), None),
            (model.to_owned(), None),
            ("--b\r\nContent-Disposition: form-data; name=\"model\"".to_owned(), None),
            (String::new(), None),
        ] {
            let found = field(form.as_bytes(), "b", "model").map(|at| form[at].to_owned());
            assert_eq!(found.as_deref(), want, "{form}");
        }
    }

    #[test]
    fn what_is_cut_or_hostile_ends_the_search() {
        let model = "--b\r\ncontent-disposition: form-data; name=model\r\n\r\nm\r\n--b--";
        for end in 0..model.len() - 3 {
            assert!(field(&model.as_bytes()[..end], "b", "model").is_none_or(|at| &model[at] == "m"), "{end}");
        }
        let many = "--b\r\nx: y\r\n\r\nz\r\n".repeat(5_000) + model;
        assert_eq!(field(many.as_bytes(), "b", "model"), None, "parts are bounded");
        let long = format!("--b\r\nx: {}\r\n\r\nz\r\n{model}", "y".repeat(100_000));
        assert_eq!(field(long.as_bytes(), "b", "model"), None, "heads are bounded");
    }
}
