//! Texts that nobody would write: none may make the reader panic.

use super::*;
use proptest::prelude::*;

/// A word of YAML or of the configuration.
fn fragment() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec![
            ":", ": ", "- ", "-", "\n", "\n  ", "\n    ", "{", "}", "[", "]", ", ", "&a ", "*a", "!t ", "|\n", ">\n", "|2-\n",
            "'", "\"", "\\", "# x\n", "---\n", "...\n", "? ", "%YAML 1.2\n", "\t", "\r\n", "\u{85}", "<<: ", "~", "null",
            "version", "providers", "openai", "aliases", "routing", "rules", "when", "all", "not", "field", "op", "value",
            "target", "${A}", "auto", "1", "-1", "1e400", "true", "@", "`",
        ])
        .prop_map(str::to_owned),
        1 => "\\PC{0,4}",
        1 => any::<char>().prop_map(String::from),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        let _ = load(&text, &all_set);
    }

    #[test]
    fn nothing_like_yaml_makes_it_panic(text in prop::collection::vec(fragment(), 0..40)) {
        let _ = load(&text.concat(), &none_set);
    }

    #[test]
    fn a_changed_file_is_read_or_has_mistakes_with_places_in_order(
        cuts in prop::collection::vec((0..COMPLETE.len(), 0..12_usize, fragment()), 1..4)
    ) {
        let mut text = COMPLETE.to_owned();
        for (at, length, new) in cuts {
            let at = text.floor_char_boundary(at);
            let end = text.floor_char_boundary((at + length).min(text.len())).max(at);
            text.replace_range(at..end, &new);
        }
        if let Err(mistakes) = load(&text, &all_set) {
            prop_assert!(!mistakes.is_empty());
            let lines = text.split('\n').count() + text.matches(['\r', '\u{85}', '\u{2028}', '\u{2029}']).count() + 1;
            for mistake in &mistakes {
                prop_assert!((1..=lines).contains(&mistake.line) && mistake.column >= 1, "{mistake}");
                prop_assert!(!mistake.found.is_empty() && !mistake.expected.is_empty(), "{mistake}");
            }
            prop_assert!(mistakes.is_sorted_by_key(|mistake| (mistake.line, mistake.column)));
        }
    }
}
