//! Counting what a stream says while it passes.

use super::{Tokenizer, Vocabulary, counted_text, wide};
use crate::usage::{Count, Known, Tokens};

/// What is held back at least before it is counted: counting is not done for each few bytes.
const WORTHWHILE: usize = 2 * 1024;

/// What is held back at most: a text without any place to cut is cut here anyway.
const MOST_HELD: usize = 8 * 1024;

/// Counts a text that comes in pieces, in bounded memory and a time linear in its length. The count is that of the
/// whole text, for pieces are counted only up to a place at which every vocabulary's rules split the text anyway.
#[derive(Clone, Debug)]
pub struct Meter {
    tokenizer: Tokenizer,
    /// Tokens of the vocabulary, before any ratio, of what is no longer held.
    counted: u64,
    /// What is not counted yet.
    held: String,
    /// The last place in `held` where it may be cut.
    cut: usize,
    /// All bytes that came.
    bytes: u64,
    /// All characters beyond ASCII that came.
    wide: u64,
    /// Cuts at a place that does change the count.
    forced: u64,
}

impl Default for Meter {
    fn default() -> Self {
        Self::new(Tokenizer::O200k)
    }
}

impl Meter {
    /// A meter that has seen nothing.
    pub fn new(tokenizer: Tokenizer) -> Self {
        Self { tokenizer, counted: 0, held: String::new(), cut: 0, bytes: 0, wide: 0, forced: 0 }
    }

    /// The next piece of the text.
    pub fn push(&mut self, text: &str) {
        let mut rest = text;
        while !rest.is_empty() {
            let room = MOST_HELD.saturating_sub(self.held.len());
            // A character is at most four bytes, so there is always room for one.
            let (piece, more) = rest.split_at_checked(rest.floor_char_boundary(room.max(4))).unwrap_or((rest, ""));
            self.take(piece);
            rest = more;
        }
    }

    fn take(&mut self, piece: &str) {
        self.bytes = self.bytes.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        self.wide = self.wide.saturating_add(wide(piece));
        let mut before = self.held.chars().next_back();
        for (at, next) in piece.char_indices() {
            if before.is_some_and(|before| splits(before, next)) {
                self.cut = self.held.len().saturating_add(at);
            }
            before = Some(next);
        }
        self.held.push_str(piece);
        if self.held.len() >= WORTHWHILE && self.cut > 0 {
            self.settle(self.cut);
        } else if self.held.len() >= MOST_HELD {
            self.forced = self.forced.saturating_add(1);
            self.settle(self.held.len());
        }
    }

    /// Counts what is held up to `end` and lets it go.
    fn settle(&mut self, end: usize) {
        let tail = self.held.split_off(end.min(self.held.len()));
        self.counted = self.counted.saturating_add(Vocabulary::of(self.tokenizer).read(&self.held));
        self.held = tail;
        self.cut = 0;
    }

    /// The tokens so far. Counts what is held back, at most 8 KiB, each time it is asked; see
    /// [`Meter::bound`] for what costs nothing.
    pub fn tokens(&self) -> Count {
        let tokens = self.counted.saturating_add(Vocabulary::of(self.tokenizer).read(&self.held));
        let count = counted_text(self.tokenizer, tokens, self.wide);
        if self.forced == 0 {
            return count;
        }
        // A word cut in two may become a token more, or one less where the whole was merged badly.
        let most = count.most.plus(Tokens(self.forced));
        Count { known: Known::Estimated, most, ..count }
    }

    /// No more than so many tokens were said: what is held back counts a token per byte.
    pub fn bound(&self) -> Tokens {
        let held = u64::try_from(self.held.len()).unwrap_or(u64::MAX);
        let count = counted_text(self.tokenizer, self.counted.saturating_add(held), self.wide);
        count.most.plus(Tokens(self.forced))
    }

    /// The bytes so far.
    pub fn len(&self) -> u64 {
        self.bytes
    }

    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }
}

/// Whether all vocabularies split a text between these two characters, whatever stands before and after them. Their
/// rules look at what follows only; no piece goes on with a blank, tab or line break after a letter, a digit or an
/// ideograph, none with a punctuation mark after those (but `'s`), and none with a blank after any mark.
fn splits(before: char, next: char) -> bool {
    let word = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(c, '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fa}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}')
    };
    match next {
        ' ' => !before.is_whitespace(),
        '\t' | '\n' | '\r' => word(before),
        '\'' => false,
        '\u{3001}' | '\u{3002}' | '\u{300c}' | '\u{300d}' | '\u{ff01}' | '\u{ff0c}' | '\u{ff1a}' | '\u{ff1b}'
        | '\u{ff1f}' => word(before),
        _ => next.is_ascii_punctuation() && word(before),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;
    use crate::tokens::count_text;

    const ALL: [Tokenizer; 5] =
        [Tokenizer::O200k, Tokenizer::Cl100k, Tokenizer::Llama3, Tokenizer::Glm, Tokenizer::Ratio(1_150)];

    /// A stream of numbers that looks random and is the same in each run.
    fn numbers(mut state: u64) -> impl FnMut(usize) -> usize {
        move |below| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % below as u64) as usize
        }
    }

    fn metered(tokenizer: Tokenizer, text: &str, mut cut: impl FnMut() -> usize) -> Meter {
        let mut meter = Meter::new(tokenizer);
        let mut rest = text;
        while !rest.is_empty() {
            let (piece, more) = rest.split_at(rest.ceil_char_boundary(cut().min(rest.len())));
            meter.push(piece);
            rest = more;
        }
        meter
    }

    #[test]
    fn a_text_in_pieces_counts_as_the_whole() {
        let units = [
            "The quick brown fox's tail, it's 3.14159 of 1234567 metres!\n\n\tindented\r\n  two  blanks  ",
            "fn main() {\n    let x = vec![1, 2];\n    println!(\"{x:?}\"); // 'a\n}\n",
            "日本語のテキスト、漢字かな交じり文。「そう」と言った！한국어 문장입니다. 你好，世界；再见：",
            "{\"city\":\"Paris\",\"list\":[1,2,{\"a\":null}],\"u\":\"https://e.org/a/b?c=d\"}\n",
            "a\u{301}e\u{301} 👩‍👩‍👧‍👦🏳️‍🌈 Zalgo t̷̢ हिन्दी में ไทย العربية \u{a0}\u{3000} ǅ ½ ⅷ ",
        ];
        let mut number = numbers(88_172_645_463_325_252);
        for round in 0..40 {
            let mut text = String::new();
            while text.len() < 9_000 {
                let unit = units[number(units.len())];
                let from = unit.floor_char_boundary(number(unit.len()));
                text.push_str(&unit[from..]);
            }
            for tokenizer in ALL {
                let meter = metered(tokenizer, &text, || 1 + number(40));
                assert_eq!(meter.tokens(), count_text(tokenizer, &text), "{round} {tokenizer:?}");
                assert_eq!(meter.len(), text.len() as u64);
                assert!(meter.bound() >= meter.tokens().most && meter.held.len() <= MOST_HELD);
            }
        }
    }

    #[test]
    fn each_place_called_a_cut_is_one() {
        let chars: Vec<char> = " \t\n\r'/.,-_a1sZé½漢あ한、。！\u{301}\u{a0}\u{3000}👍".chars().collect();
        let mut number = numbers(7);
        for _ in 0..20_000 {
            let text: String = (0..8).map(|_| chars[number(chars.len())]).collect();
            for (at, next) in text.char_indices().skip(1) {
                let (head, tail) = text.split_at(at);
                if !splits(head.chars().next_back().unwrap(), next) {
                    continue;
                }
                for tokenizer in ALL.into_iter().take(4) {
                    let count = |text| count_text(tokenizer, text).tokens.0;
                    assert_eq!(count(&text), count(head) + count(tail), "{tokenizer:?} {head:?} {tail:?}");
                }
            }
        }
    }

    #[test]
    fn what_has_no_place_to_cut_stays_bounded() {
        for unit in ["a", "漢", " ", "\n", "^", "👍", "xY"] {
            let text = unit.repeat(100_000 / unit.len());
            let meter = metered(Tokenizer::O200k, &text, || 700);
            let whole = count_text(Tokenizer::O200k, &text).tokens.0;
            assert!(meter.held.len() <= MOST_HELD && meter.forced > 0, "{unit:?}");
            assert!(meter.tokens().tokens.0.abs_diff(whole) <= meter.forced, "{unit:?}: {:?} {whole}", meter.tokens());
            assert!(meter.tokens().known == Known::Estimated && meter.tokens().most.0 >= whole);
        }
        // One long piece at once.
        let mut meter = Meter::default();
        meter.push(&"漢".repeat(30_000));
        assert!(meter.held.len() <= MOST_HELD && meter.len() == 90_000);
    }

    #[test]
    fn nothing_is_nothing() {
        let mut meter = Meter::default();
        meter.push("");
        assert!(meter.is_empty() && meter.tokens().tokens.0 == 0 && meter.bound() == Tokens(0));
    }
}
