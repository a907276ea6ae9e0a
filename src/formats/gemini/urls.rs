//! Addresses of content: which of them Google fetches, and what their ends tell of their type.

/// Google's own address of a file: in its file store, in Cloud Storage, on YouTube. No other provider can fetch these.
pub(super) fn is_googles(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    scheme.eq_ignore_ascii_case("gs") || rest.starts_with("generativelanguage.googleapis.com/") || is_youtube(url)
}

pub(super) fn is_youtube(url: &str) -> bool {
    let host = url.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or_default());
    ["youtube.com", "www.youtube.com", "m.youtube.com", "youtu.be"].iter().any(|known| host.eq_ignore_ascii_case(known))
}

pub(super) fn is_http(url: &str) -> bool {
    url.split_once("://")
        .is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http"))
}

const TYPES: [(&str, &str); 24] = [
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("webp", "image/webp"),
    ("gif", "image/gif"),
    ("bmp", "image/bmp"),
    ("heic", "image/heic"),
    ("heif", "image/heif"),
    ("pdf", "application/pdf"),
    ("txt", "text/plain"),
    ("md", "text/markdown"),
    ("html", "text/html"),
    ("htm", "text/html"),
    ("csv", "text/csv"),
    ("xml", "text/xml"),
    ("json", "application/json"),
    ("mp3", "audio/mpeg"),
    ("wav", "audio/wav"),
    ("flac", "audio/flac"),
    ("ogg", "audio/ogg"),
    ("mp4", "video/mp4"),
    ("mov", "video/quicktime"),
    ("webm", "video/webm"),
    ("mpeg", "video/mpeg"),
];

/// The media type that the end of an address tells.
pub(super) fn media_type(url: &str) -> Option<&'static str> {
    if is_youtube(url) {
        return Some("video/mp4");
    }
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let (_, file) = path.rsplit_once('/')?;
    let (_, end) = file.rsplit_once('.')?;
    TYPES.iter().find(|(known, _)| known.eq_ignore_ascii_case(end)).map(|(_, kind)| *kind)
}

/// The media type and the data of a base64 data URL.
pub(super) fn data_url(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_at_checked(5)?;
    let (head, data) = rest.split_once(',')?;
    let media_type = head.split(';').next().filter(|kind| !kind.is_empty()).unwrap_or("text/plain");
    let encoded = head.rsplit(';').next().is_some_and(|last| last.trim().eq_ignore_ascii_case("base64"));
    (scheme.eq_ignore_ascii_case("data:") && encoded).then_some((media_type, data))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn addresses_tell_their_kind() {
        for (url, googles, kind) in [
            ("https://example.com/a.PNG?x=/b.pdf#c", false, Some("image/png")),
            ("https://example.com/", false, None),
            ("https://example.com/a.b/c", false, None),
            ("gs://bucket/clip.mp4", true, Some("video/mp4")),
            ("https://generativelanguage.googleapis.com/v1beta/files/x", true, None),
            ("https://youtu.be/dQw4w9WgXcQ", true, Some("video/mp4")),
            ("https://www.youtube.com/watch?v=1", true, Some("video/mp4")),
            ("https://notyoutube.com/a.jpg", false, Some("image/jpeg")),
            ("nothing", false, None),
        ] {
            assert_eq!((is_googles(url), media_type(url)), (googles, kind), "{url}");
        }
    }

    #[test]
    fn data_urls_come_apart() {
        assert_eq!(data_url("data:image/png;base64,AA=="), Some(("image/png", "AA==")));
        assert_eq!(data_url("DATA:;x=y;BASE64,AA"), Some(("text/plain", "AA")));
        for other in ["data:text/plain,hi", "data:base64", "https://x", "da", ""] {
            assert_eq!(data_url(other), None, "{other}");
        }
    }
}
