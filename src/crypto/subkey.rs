//! Keys made from the identity for one purpose, so that the identity itself need not be shown there.

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::keys::Identity;

/// What the key of the direct transport is for; the generation follows.
const DIRECT: &[u8] = b"hopline-direct-v1";

impl Identity {
    /// The secret key of the direct transport's endpoint: HKDF-SHA256(Ed25519 seed, no salt,
    /// `"hopline-direct-v1"` and the generation).
    ///
    /// Every announce shouts the identity's keys over seven hops. Who knows only those cannot tell which
    /// endpoint is ours, and who was told an earlier generation cannot tell the next.
    pub fn direct_secret(&self, generation: u32) -> Zeroizing<[u8; 32]> {
        let mut secret = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(None, self.signing_seed())
            .expand_multi_info(&[DIRECT, &generation.to_be_bytes()], secret.as_mut_slice())
            .expect("32 bytes are fewer than the 255 blocks HKDF can make");
        secret
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::to_hex;

    #[test]
    fn a_direct_secret_is_what_hkdf_says() {
        // Computed with Python's hmac by RFC 5869, over the seed 20 21 … 3f.
        let mut bytes = [0; Identity::LEN];
        for (value, byte) in (0..).zip(&mut bytes) {
            *byte = value;
        }
        let identity = Identity::from_bytes(&bytes);
        for (generation, secret) in [
            (0, "a12e0a5220520ad078aa02159015d6ca6df4954d215d54e650ba68341f3bd52d"),
            (1, "3daf843e0922d7ab1af5c24c9c375dcfb18206d7df74511ae7c4cadca34e9f9b"),
            (0x0102_0304, "56d9c2798b2f184208ba2c89b82bfd442d482ac4836e362944da964d53298e15"),
        ] {
            assert_eq!(to_hex(identity.direct_secret(generation).as_slice()), secret);
        }
    }
}
