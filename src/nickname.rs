//! How names that people give themselves are kept, compared and told apart (spec 5.1).

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;

use crate::ids::PeerId;

/// Digits of a peer id that tell apart who share a name.
const DIGITS: usize = 4;

/// The name in Unicode's form NFC: a letter and its accent are one character where there is one.
pub fn composed(name: &str) -> Cow<'_, str> {
    ComposingNormalizerBorrowed::new_nfc().normalize(name)
}

/// What somebody else calls themselves, as it is kept, shown and compared: composed, one line, no space around it.
pub fn received(name: &str) -> String {
    let visible: String = name.chars().filter(|character| !character.is_control()).collect();
    composed(visible.trim()).into_owned()
}

/// Whether two names are one, in whatever form they were typed.
pub fn same(one: &str, other: &str) -> bool {
    composed(one) == composed(other)
}

/// A name that several have, with the first four digits of the peer's id: `ada#1a2b`.
pub fn told_apart(name: &str, peer: PeerId) -> String {
    format!("{name}#{:.DIGITS$}", peer.to_string())
}

/// Whether somebody is called so: by the name alone, or as [`told_apart`] spells it.
pub fn calls(wanted: &str, name: &str, peer: PeerId) -> bool {
    let spelled = |(bare, digits): (&str, &str)| {
        let id = peer.to_string();
        same(bare, name) && id.get(..DIGITS).is_some_and(|first| first.eq_ignore_ascii_case(digits))
    };
    same(wanted, name) || wanted.rsplit_once('#').is_some_and(spelled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_is_called_by_a_name_in_any_form_with_or_without_digits() {
        let peer = PeerId([0xAB; 8]);
        assert_eq!(told_apart("zo\u{eb}", peer), "zo\u{eb}#abab");
        for wanted in ["zo\u{eb}", "zoe\u{308}", "zoe\u{308}#abab", "zo\u{eb}#ABAB"] {
            assert!(calls(wanted, "zo\u{eb}", peer), "{wanted}");
        }
        for wanted in ["zoe", "zo\u{eb}#", "zo\u{eb}#aba", "zo\u{eb}#ababa", "zo\u{eb}#cdcd"] {
            assert!(!calls(wanted, "zo\u{eb}", peer), "{wanted}");
        }
    }

    #[test]
    fn names_that_look_alike_by_unicodes_own_word_are_one() {
        assert_eq!(composed("zoe\u{308}"), "zo\u{eb}");
        assert_eq!(composed("\u{212b}sa"), composed("A\u{30a}sa"));
        assert_eq!(composed("\u{1112}\u{1161}\u{11ab}"), "\u{d55c}");
        assert_eq!(composed("ada"), "ada");
    }

    #[test]
    fn a_received_name_is_one_line_without_space_around_it() {
        assert_eq!(received(" zoe\u{308}\n\u{1b}[2J "), "zo\u{eb}[2J");
        assert_eq!(
            received("zoe\u{1}\u{308}"),
            "zo\u{eb}",
            "what is left when nothing invisible keeps them apart"
        );
    }
}
