//! The notice board in the chat.

use crate::api::Client;
use crate::api::board::NewNotice;
use crate::cli::commands::board;
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::words::Place;

/// What is wanted of the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish<'a> {
    List,
    Post { text: &'a str, urgent: bool },
    Remove(&'a str),
}

/// Reads what follows `/board`.
pub(super) fn read(rest: &str) -> Option<Wish<'_>> {
    let (word, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let rest = rest.trim();
    match (word, rest) {
        ("" | "list", "") => Some(Wish::List),
        ("post" | "urgent", "") => None,
        ("post", text) => Some(Wish::Post { text, urgent: false }),
        ("urgent", text) => Some(Wish::Post { text, urgent: true }),
        ("remove", id) if !id.is_empty() && !id.contains(char::is_whitespace) => Some(Wish::Remove(id)),
        (_, _) => None,
    }
}

/// Does it.
pub(super) async fn act(context: &Context, client: &Client, wish: Wish<'_>) -> Result<(), CliError> {
    match wish {
        Wish::List => board::list(context, client, Place::Chat).await,
        Wish::Post { text, urgent } => {
            let new = NewNotice { text: text.to_owned(), urgent, life_ms: None };
            board::post(context, client, &new).await
        }
        Wish::Remove(id) => board::remove(context, client, id).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_board_is_shown_written_on_and_wiped() {
        assert_eq!(read(""), Some(Wish::List));
        let post = |text, urgent| Some(Wish::Post { text, urgent });
        assert_eq!(read("post  bread at the church "), post("bread at the church", false));
        assert_eq!(read("urgent the bridge is down"), post("the bridge is down", true));
        assert_eq!(read("remove 0a1b"), Some(Wish::Remove("0a1b")));
    }

    #[test]
    fn half_a_wish_puts_up_nothing() {
        for rest in ["post", "urgent ", "remove", "remove a b", "bread", "list all"] {
            assert_eq!(read(rest), None, "{rest}");
        }
    }
}
