//! What is said in these tests, and how it is heard.

use hopline::api::schema::StatusWord;
use hw_tests::node::Node;
use libtest_mimic::Failed;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

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

/// Base64 of random bytes: a text of its own for every seed, which deflates to three quarters.
pub(crate) fn random_text(seed: u64, letters: usize) -> String {
    let mut bytes = vec![0; letters];
    ChaCha20Rng::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes.into_iter().map(|byte| char::from(BASE64[usize::from(byte % 64)])).collect()
}
