//! Numbers as bytes: seven bits each, the lowest first; the highest bit says that more follow (LEB128).

/// Appends a number.
pub(super) fn put(out: &mut Vec<u8>, mut number: u128) {
    loop {
        let low = u8::try_from(number & 0x7f).unwrap_or(0);
        number >>= 7;
        if number == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// Takes a number off. `None`: there is none, or it is too large.
pub(super) fn get(bytes: &mut &[u8]) -> Option<u128> {
    let mut number: u128 = 0;
    let mut shift: u32 = 0;
    loop {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let low = u128::from(byte & 0x7f);
        if shift > 126 || (shift == 126 && low > 3) {
            return None;
        }
        number |= low.checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
        shift = shift.saturating_add(7);
    }
}

/// Takes a number of at most 64 bits off.
pub(super) fn get64(bytes: &mut &[u8]) -> Option<u64> {
    u64::try_from(get(bytes)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn numbers_come_back_and_too_large_ones_do_not() {
        for number in [0, 1, 127, 128, 300, u128::from(u64::MAX), u128::MAX - 1, u128::MAX] {
            let mut out = Vec::new();
            put(&mut out, number);
            out.push(7);
            let mut rest = out.as_slice();
            assert_eq!((get(&mut rest), rest), (Some(number), &[7][..]));
        }
        for broken in [&[][..], &[0x80], &[0xff; 30], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]] {
            assert_eq!(get64(&mut &*broken), None, "{broken:?}");
        }
    }
}
