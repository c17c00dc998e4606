//! What the engine does with prekeys: tells ours, checks those of others, keeps both.

use bytes::Bytes;

use super::own::OwnPrekeys;
use crate::crypto::verify;
use crate::ids::Fingerprint;
use crate::mesh::egress::Aim;
use crate::mesh::engine::Engine;
use crate::mesh::error::DropReason;
use crate::mesh::kept::{Keep, Kept, Shelf};
use crate::time::{Instant, Now};
use crate::wire::{Capabilities, Packet, PacketType, PrekeyBundle};

/// Ours are one value.
const OWN_KEY: &[u8] = b"own";

impl Engine {
    /// A bundle that came; its packet's signature is good.
    pub(in crate::mesh) fn prekey_bundle(&mut self, packet: &Packet, now: Now) -> Result<(), DropReason> {
        let bundle = PrekeyBundle::decode(&packet.payload).map_err(|_| DropReason::Payload)?;
        let owner = Fingerprint::of(&bundle.noise_public);
        if owner.peer_id() != packet.sender {
            return Err(DropReason::Identity);
        }
        let peer = self.peers.get(packet.sender).ok_or(DropReason::UnknownSender)?;
        let preimage = bundle.signing_preimage().map_err(|_| DropReason::Payload)?;
        let (key, signature) = (peer.signing_public, bundle.signature);
        let bundle = verify(&key, &signature, [preimage], bundle).map_err(|_| DropReason::Signature)?;
        let is_contact = |whose: &Fingerprint| self.peers.is_contact(whose.peer_id());
        if let Some(gone) =
            self.bundles.accept(bundle, packet.timestamp.min(now.unix), is_contact, now.unix)?
        {
            self.forget_bundle(gone);
        }
        self.keep_bundle(owner);
        Ok(())
    }

    /// Keeps a bundle, with what was spent of it.
    pub(in crate::mesh) fn keep_bundle(&mut self, owner: Fingerprint) {
        if let Some(value) = self.bundles.encode(&owner) {
            self.keep(Keep::Put(Kept { shelf: Shelf::Bundles, key: bundle_key(owner), value }));
        }
    }

    /// Mail was opened with this prekey of ours.
    pub(in crate::mesh) fn prekey_used(&mut self, id: u32, now: Now) {
        if self.own_prekeys.use_up(id, now) {
            self.own_prekeys.refill(now, &mut self.rng);
            self.keep_own_prekeys();
            self.tell_prekeys(now);
        }
    }

    /// Used keys are destroyed, new ones made, and everybody is told.
    pub(in crate::mesh) fn run_prekeys(&mut self, now: Now) {
        let due = self.prekeys_timeout().is_some_and(|at| at <= now.instant);
        if !due || self.clock_refusal(now).is_some() {
            return;
        }
        if self.own_prekeys.run(now, &mut self.rng) {
            self.keep_own_prekeys();
        }
        for owner in self.bundles.expire(now.unix) {
            self.forget_bundle(owner);
        }
        self.tell_prekeys(now);
    }

    /// When [`Self::run_prekeys`] has something to do.
    pub(in crate::mesh) fn prekeys_timeout(&self) -> Option<Instant> {
        let able = self.config.capabilities.contains(Capabilities::PREKEYS) && !self.clock_reported;
        able.then(|| self.own_prekeys.poll_timeout(self.bindings.any_bound())).flatten()
    }

    /// Takes back what was kept; false when it is of no use.
    pub(in crate::mesh) fn restore_prekeys(&mut self, kept: &Kept) -> bool {
        if kept.shelf == Shelf::Bundles {
            return self.bundles.restore(kept.value.clone());
        }
        let own = OwnPrekeys::decode(kept.value.clone()).filter(|_| kept.key == OWN_KEY);
        own.map(|own| self.own_prekeys = own).is_some()
    }

    fn tell_prekeys(&mut self, now: Now) {
        if !self.bindings.any_bound() || !self.own_prekeys.is_due(now.instant) {
            return;
        }
        let identity = &self.identity;
        let (prekeys, generated) = (self.own_prekeys.entries(), self.own_prekeys.generated());
        let sign = |preimage: &[u8]| identity.sign(preimage);
        let bundle = PrekeyBundle::signed(identity.noise_public(), prekeys, generated, sign);
        if let Ok(payload) = bundle.and_then(|bundle| bundle.encode()) {
            self.send_signed(PacketType::PrekeyBundle, Aim::Everyone, payload.into(), now);
        }
    }

    fn keep_own_prekeys(&mut self) {
        let (key, value) = (Bytes::from_static(OWN_KEY), self.own_prekeys.encode());
        self.keep(Keep::Put(Kept { shelf: Shelf::Prekeys, key, value }));
    }

    fn forget_bundle(&mut self, owner: Fingerprint) {
        self.keep(Keep::Remove { shelf: Shelf::Bundles, key: bundle_key(owner) });
    }
}

fn bundle_key(owner: Fingerprint) -> Bytes {
    Bytes::copy_from_slice(owner.as_bytes())
}
