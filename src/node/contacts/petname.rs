//! The names contacts have here: each leads to one person.

use crate::config::ValueError;
use crate::ids::{Fingerprint, PeerId};
use crate::node::name::check_nickname;

/// Checks a name that somebody chose for a contact.
pub(super) fn check_petname(name: &str) -> Result<String, ValueError> {
    let name = check_nickname(name)?;
    // Such a name would lead to whoever has the id.
    if name.parse::<PeerId>().is_ok() || name.parse::<Fingerprint>().is_ok() {
        return Err(ValueError::IdAsName);
    }
    Ok(name)
}

/// A name for somebody who calls themselves `nickname`: that, or something like it that nobody has.
pub(super) fn free_petname(nickname: &str, peer: PeerId, is_taken: impl Fn(&str) -> bool) -> String {
    let visible: String = nickname.chars().filter(|character| !character.is_control()).collect();
    let name = check_petname(&visible).unwrap_or_else(|_| format!("peer {peer}"));
    if !is_taken(&name) {
        return name;
    }
    let numbered = |number: u32| format!("{name}-{number}");
    (2..).map(numbered).find(|name| !is_taken(name)).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: PeerId = PeerId([0xAB; 8]);

    #[test]
    fn a_nickname_that_nobody_has_is_the_name() {
        assert_eq!(free_petname(" @ada ", PEER, |_| false), "ada");
    }

    #[test]
    fn a_nickname_that_is_taken_gets_the_first_free_number() {
        assert_eq!(free_petname("ada", PEER, |name| ["ada", "ada-2"].contains(&name)), "ada-3");
    }

    #[test]
    fn a_nickname_that_would_lead_elsewhere_is_no_name() {
        for nickname in ["", "@", "everyone", "abababababababab", &"ab".repeat(32), "\u{7}"] {
            assert_eq!(free_petname(nickname, PEER, |_| false), "peer abababababababab", "{nickname}");
        }
        assert_eq!(check_petname("ABABABABABABABAB"), Err(ValueError::IdAsName));
    }
}
