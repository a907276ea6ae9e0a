//! Forms with files (`multipart/form-data`, RFC 7578), as audio endpoints take them.

use super::refusal::Refusal;
use hyper::HeaderMap;
use hyper::header::CONTENT_TYPE;
use serde_json::{Map, Value, json};

/// The fields of a form; a file as its name and its size. A field whose name ends in `[]` is a list.
pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Value, Refusal> {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let boundary = kind.strip_prefix("multipart/form-data").and_then(|rest| {
        rest.split(';').find_map(|part| part.trim().strip_prefix("boundary=")).map(|name| name.trim_matches('"'))
    });
    let Some(boundary) = boundary.filter(|name| !name.is_empty()) else {
        let message = format!(
            "Unsupported content type: '{kind}'. This API method only accepts 'multipart/form-data' requests, but you specified the header 'Content-Type: {kind}'. Please try again with a supported content type."
        );
        return Err(Refusal::new(415, message).code("unsupported_content_type"));
    };
    let broken = || Refusal::bad("Could not parse multipart form");
    let mark = format!("--{boundary}");
    let mut fields: Map<String, Value> = Map::new();
    let (_, mut rest) = cut(body, mark.as_bytes()).ok_or_else(broken)?;
    while !rest.starts_with(b"--") {
        let (part, after) = cut(rest, format!("\r\n{mark}").as_bytes()).ok_or_else(broken)?;
        let (head, content) = cut(part, b"\r\n\r\n").ok_or_else(broken)?;
        let head = String::from_utf8_lossy(head);
        let named = |name: &str| {
            let found = head.split([';', '\r', '\n']).find_map(|part| part.trim().strip_prefix(&format!("{name}=")));
            found.map(|value| value.trim_matches('"').to_owned())
        };
        let name = named("name").ok_or_else(broken)?;
        let value = match named("filename") {
            Some(file) => json!({"filename": file, "bytes": content.len()}),
            None => Value::String(String::from_utf8_lossy(content).into_owned()),
        };
        match name.strip_suffix("[]") {
            None => {
                fields.insert(name, value);
            }
            Some(list) => {
                if let Value::Array(all) = fields.entry(list).or_insert_with(|| json!([])) {
                    all.push(value);
                }
            }
        }
        rest = after;
    }
    Ok(Value::Object(fields))
}

/// What is before the first `mark`, and what is after it.
fn cut<'b>(bytes: &'b [u8], mark: &[u8]) -> Option<(&'b [u8], &'b [u8])> {
    let at = bytes.windows(mark.len()).position(|window| window == mark)?;
    let (before, rest) = bytes.split_at_checked(at)?;
    Some((before, rest.get(mark.len()..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    #[test]
    fn fields_and_files_are_read() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("multipart/form-data; boundary=\"x1\""));
        let body = "--x1\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--x1\r\n\
                    Content-Disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\nContent-Type: audio/mpeg\r\n\r\n\
                    \u{1}\r\n-\r\n--x1\r\nContent-Disposition: form-data; name=\"include[]\"\r\n\r\nlogprobs\r\n--x1--\r\n";
        let want = json!({"model": "whisper-1", "file": {"filename": "a.mp3", "bytes": 4}, "include": ["logprobs"]});
        assert_eq!(read(&headers, body.as_bytes()), Ok(want));
        for broken in ["", "--x1", "--x1\r\n\r\nno name\r\n--x1--", &body[..80]] {
            assert_eq!(read(&headers, broken.as_bytes()).unwrap_err().status, 400, "{broken}");
        }
        assert_eq!(read(&HeaderMap::new(), b"{}").unwrap_err().status, 415);
    }
}
