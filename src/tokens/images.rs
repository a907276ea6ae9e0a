//! What an image costs at OpenAI, by tiles or by patches
//! (<https://platform.openai.com/docs/guides/images-vision#calculating-costs>, 2026-11-21).

use crate::formats::canonical::Source;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

/// For an image whose size is not known: six tiles, a landscape photograph.
const UNSEEN: (u64, u64) = (1_152, 768);

/// The bytes of a file in which its size must stand. A JPEG's may come after long metadata.
const HEADER: usize = 64 * 1024;

/// Tokens, how many more they may be, and whether the image's size was known.
pub(super) fn tokens(model: &str, source: &Source, detail: Option<&str>) -> (u64, u64, bool) {
    let size = dimensions(source);
    let (width, height) = size.unwrap_or(UNSEEN);
    let tokens = match patch_factor(model) {
        Some(thousandths) => super::scaled(patches(width, height), thousandths),
        None => {
            let (base, tile) = tile_price(model);
            let tiles = if detail == Some("low") { 0 } else { tiles(width, height) };
            tiles.saturating_mul(tile).saturating_add(base)
        }
    };
    let known = size.is_some() || detail == Some("low");
    let most = match patch_factor(model) {
        Some(thousandths) => super::scaled(1_536, thousandths),
        None => {
            let (base, tile) = tile_price(model);
            tile.saturating_mul(8).saturating_add(base)
        }
    };
    // Which models count tiles and which patches is documented for those at hand only.
    let more = if known { super::scaled(tokens, 500).saturating_add(64) } else { most.saturating_sub(tokens) };
    (tokens, more, known)
}

/// Pixels of an image, where its size stands in its header.
pub(super) fn pixels(source: &Source) -> Option<u64> {
    dimensions(source).map(|(width, height)| width.saturating_mul(height))
}

/// Models that count patches of 32 pixels: tokens for 1000 patches.
fn patch_factor(model: &str) -> Option<u32> {
    let gpt_5 = model.strip_prefix("gpt-").is_some_and(|rest| rest.starts_with(|c: char| ('5'..='9').contains(&c)));
    Some(match model {
        _ if model.starts_with("o4-mini") => 1_720,
        _ if (gpt_5 || model.starts_with("gpt-4.1")) && model.contains("-nano") => 2_460,
        _ if (gpt_5 || model.starts_with("gpt-4.1")) && model.contains("-mini") => 1_620,
        _ => return None,
    })
}

/// `(base, per tile)` of models that count tiles of 512 pixels.
fn tile_price(model: &str) -> (u64, u64) {
    match model {
        _ if model.starts_with("gpt-4o-mini") => (2_833, 5_667),
        _ if model.starts_with("gpt-5") => (70, 140),
        _ if model.starts_with("o1") || model.starts_with("o3") => (75, 150),
        _ => (85, 170),
    }
}

/// The image is first fitted into 2048 × 2048, then its shorter side is brought down to 768.
fn tiles(width: u64, height: u64) -> u64 {
    let (mut width, mut height) = (width.clamp(1, 1 << 24), height.clamp(1, 1 << 24));
    for (side, most) in [(width.max(height), 2_048), (0, 768)] {
        let side = if side == 0 { width.min(height) } else { side };
        if side > most {
            width = width.saturating_mul(most).div_ceil(side);
            height = height.saturating_mul(most).div_ceil(side);
        }
    }
    width.div_ceil(512).saturating_mul(height.div_ceil(512))
}

/// At most 1536 patches: a larger image is scaled down to that.
fn patches(width: u64, height: u64) -> u64 {
    width.clamp(1, 1 << 24).div_ceil(32).saturating_mul(height.clamp(1, 1 << 24).div_ceil(32)).min(1_536)
}

/// Width and height in pixels, read from the header of a PNG, JPEG, GIF or WebP.
fn dimensions(source: &Source) -> Option<(u64, u64)> {
    let data = match source {
        Source::Base64 { data, .. } => data.as_str(),
        Source::Url(url) => url.strip_prefix("data:")?.split_once(";base64,")?.1,
        Source::FileId(_) | Source::Text(_) => return None,
    };
    // Four characters are three bytes, so a start of whole groups decodes by itself.
    let head = data.as_bytes().get(..HEADER.min(data.len() & !3))?;
    let bytes = STANDARD.decode(head).or_else(|_| STANDARD_NO_PAD.decode(head)).ok()?;
    size_in(&bytes).filter(|(width, height)| *width > 0 && *height > 0)
}

fn size_in(bytes: &[u8]) -> Option<(u64, u64)> {
    let be = |at: usize, n: usize| number(bytes.get(at..at.checked_add(n)?)?.iter());
    let le = |at: usize, n: usize| number(bytes.get(at..at.checked_add(n)?)?.iter().rev());
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Some((be(16, 4)?, be(20, 4)?));
    }
    if bytes.starts_with(b"GIF8") {
        return Some((le(6, 2)?, le(8, 2)?));
    }
    if bytes.starts_with(b"RIFF") && bytes.get(8..12)? == b"WEBP" {
        return match bytes.get(12..16)? {
            b"VP8 " => Some((le(26, 2)? & 0x3fff, le(28, 2)? & 0x3fff)),
            b"VP8L" => {
                let bits = le(21, 4)?;
                Some(((bits & 0x3fff).saturating_add(1), (bits >> 14 & 0x3fff).saturating_add(1)))
            }
            b"VP8X" => Some((le(24, 3)?.saturating_add(1), le(27, 3)?.saturating_add(1))),
            _ => None,
        };
    }
    if !bytes.starts_with(b"\xff\xd8") {
        return None;
    }
    let mut at: usize = 2;
    while *bytes.get(at)? == 0xff {
        let marker = *bytes.get(at.checked_add(1)?)?;
        // Start of frame, of any kind; C4, C8 and CC lie in its range but are something else.
        if matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc) {
            return Some((be(at.checked_add(7)?, 2)?, be(at.checked_add(5)?, 2)?));
        }
        let skip = if marker == 0xff { 1 } else { usize::try_from(be(at.checked_add(2)?, 2)?).ok()?.checked_add(2)? };
        at = at.checked_add(skip)?;
    }
    None
}

fn number<'a>(bytes: impl Iterator<Item = &'a u8>) -> Option<u64> {
    Some(bytes.fold(0, |n, byte| n << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    fn image(bytes: &[u8]) -> Source {
        Source::Base64 { media_type: "image/png".into(), data: STANDARD.encode(bytes) }
    }

    fn png(width: u32, height: u32) -> Source {
        let head = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR";
        image(&[&head[..], &width.to_be_bytes(), &height.to_be_bytes(), &[0; 40]].concat())
    }

    #[test]
    fn headers_tell_sizes() {
        let jpeg = b"\xff\xd8\xff\xe0\0\x04ab\xff\xc4\0\x03c\xff\xff\xc2\0\x11\x08\x01\x02\x03\x04rest";
        for (name, source, want) in [
            ("png", png(800, 600), Some((800, 600))),
            ("gif", image(b"GIF89a\x20\x03\x58\x02rest"), Some((800, 600))),
            ("jpeg", image(jpeg), Some((0x0304, 0x0102))),
            ("webp lossy", image(b"RIFF....WEBPVP8 ....\0\0\0\x9d\x01\x2a\x20\x03\x58\x02.."), Some((800, 600))),
            ("webp lossless", image(b"RIFF....WEBPVP8L....\x2f\x1f\xc3\x95\0...."), Some((800, 600))),
            ("webp extended", image(b"RIFF....WEBPVP8X....\0\0\0\0\x1f\x03\0\x57\x02\0.."), Some((800, 600))),
            ("empty", image(b""), None),
            ("cut", image(b"\x89PNG\r\n\x1a\n\0\0"), None),
            ("no frame", image(b"\xff\xd8\xff\xff\xff\xff"), None),
            ("nothing wide", png(0, 5), None),
            ("no base64", Source::Base64 { media_type: String::new(), data: "é%%%".into() }, None),
            ("url", Source::Url("https://example.com/a.png".into()), None),
            (
                "data url",
                Source::Url(format!("data:image/gif;base64,{}", STANDARD.encode(b"GIF89a\x01\0\x02\0"))),
                None,
            ),
        ] {
            let want = if name == "data url" { Some((1, 2)) } else { want };
            assert_eq!(dimensions(&source), want, "{name}");
        }
    }

    #[test]
    fn the_documentations_examples() {
        for (model, width, height, detail, want) in [
            ("gpt-4o", 1_024, 1_024, Some("high"), 765),
            ("gpt-4o", 2_048, 4_096, Some("high"), 1_105),
            ("gpt-4o", 4_096, 8_192, Some("low"), 85),
            ("gpt-4o", 128, 128, None, 255),
            ("gpt-4o-mini", 512, 512, None, 8_500),
            ("gpt-4.1-mini", 1_024, 1_024, None, 1_659),
            ("gpt-5-nano", 16, 16, None, 3),
            ("gpt-5", 512, 512, None, 210),
            ("o3", 512, 512, None, 225),
            ("gpt-4.1-mini", u32::MAX, u32::MAX, None, 2_489),
        ] {
            let (tokens, _, known) = tokens(model, &png(width, height), detail);
            assert_eq!((tokens, known), (want, true), "{model} {width}x{height}");
        }
        assert_eq!(tokens("gpt-4o", &Source::Url("https://example.com/a.png".into()), None), (1_105, 340, false));
        assert_eq!(tokens("gpt-4o", &Source::FileId("f".into()), Some("low")), (85, 107, true));
    }
}
