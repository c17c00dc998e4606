//! What is said in these tests, and how it is heard.

use hopline::api::schema::StatusWord;
use hw_tests::node::Node;
use libtest_mimic::Failed;

/// `from` says something to everyone, and `to` shows it, with this TTL.
pub(crate) async fn public(from: &Node, to: &Node, ttl: u8, text: &str) -> Result<(), Failed> {
    from.send("everyone", text).await?;
    let shown = to.shows_public(text).await?;
    same("sender", shown.sender, from.id)?;
    same("nickname", shown.nickname.as_str(), from.name())?;
    same("TTL", shown.ttl, ttl)
}

/// `from` says something to `to` alone, who shows it with this TTL and reads it; both receipts come back.
pub(crate) async fn private(from: &Node, to: &Node, ttl: u8, text: &str) -> Result<(), Failed> {
    let id = from.send(to.name(), text).await?;
    let shown = to.shows_private(text).await?;
    same("id", shown.id, id)?;
    same("sender", shown.sender, from.id)?;
    same("TTL", shown.ttl, ttl)?;
    from.learns(id, StatusWord::Delivered).await?;
    to.mark_read(&shown).await?;
    from.learns(id, StatusWord::Read).await?;
    Ok(())
}

/// Fails unless two things are the same.
pub(crate) fn same<T: PartialEq + std::fmt::Debug>(what: &str, actual: T, expected: T) -> Result<(), Failed> {
    if actual == expected {
        Ok(())
    } else {
        Err(format!("{what}: {actual:?} instead of {expected:?}").into())
    }
}
