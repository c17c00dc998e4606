//! Names that several peers share, told apart (spec 5.1).

use crate::ids::PeerId;
use crate::nickname::told_apart;

use super::words::printable;

/// A peer's name as it is shown: with the first four digits of its id where another peer has the same name.
pub(super) fn shown<'a>(
    id: PeerId,
    nickname: &str,
    others: impl IntoIterator<Item = (PeerId, &'a str)>,
) -> String {
    let name = printable(nickname);
    let mut others = others.into_iter();
    if others.any(|(other, theirs)| other != id && printable(theirs) == name) {
        return told_apart(&name, id);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_that_two_have_gets_digits() {
        let (ada, other, ben) = (PeerId([0xAB; 8]), PeerId([0xCD; 8]), PeerId([1; 8]));
        let others = [(ada, "ada"), (other, "ada"), (ben, "ben")];
        let all = others.map(|(id, name)| shown(id, name, others));
        assert_eq!(all, ["ada#abab", "ada#cdcd", "ben"]);
    }
}
