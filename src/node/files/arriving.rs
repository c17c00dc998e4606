//! Files that came over the mesh: each came whole, in one packet, from a contact or from anybody.
//!
//! They are in a folder of their own, of bounded size. Those of strangers are apart from those of contacts, and may
//! take no more than a quarter of it: nothing that a contact sent has to go for them, and nothing that is there is ever
//! thrown away for something else.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::record::Shared;
use super::voice;
use crate::clock::wall_clock;
use crate::ids::{Fingerprint, PeerId, TransferId};
use crate::mesh::media::event::{Received, Secrecy};
use crate::storage::{Database, NewTransfer, StoreError, Transfer, TransferKey, TransferStatus, Way};
use crate::transports::files::{Directory, DiskError};
use crate::wire::file::{FileHash, FileName};

/// Where they are, in the folder of received files.
const FOLDER: &str = "mesh";
/// Where those of strangers are, in that folder.
const STRANGERS: &str = "strangers";
/// Files in one folder, whatever their size.
const MAX_FILES: usize = 10_000;

/// Why a file that came is not kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotKept {
    #[error("there is no room for files of the mesh any more: [files] mesh_quota")]
    Full,
    #[error("there is no room on the disk")]
    NoSpace,
    #[error("its sender is blocked")]
    Blocked,
    #[error("too many files from this sender are not finished")]
    TooMany,
    #[error("it came before, and was given up")]
    GivenUp,
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error(transparent)]
    Storage(#[from] StoreError),
    #[error("the thread that writes it failed")]
    Writer,
}

/// Stores a file and writes it down; its sender may then be told.
pub(super) async fn keep(shared: &Shared, received: &Received, quota: u64) -> Result<(), NotKept> {
    let contact = contact(shared, received.fingerprint).await?;
    let key = TransferKey { way: Way::In, peer: received.sender, id: id(received) };
    let name = FileName::tame(&received.name);
    let new = NewTransfer {
        key,
        name: name.as_str().to_owned(),
        path: None,
        size: received.content.len() as u64,
        modified: received.sent.0.saturating_mul(1_000_000),
        status: TransferStatus::Waiting,
    };
    let begun = shared.store.with(move |database| begin(database, &new)).await?;
    let transfer = begun.ok_or(NotKept::TooMany)?;
    if let Some(settled) = settled(transfer.status) {
        return settled;
    }
    let folder = shared.directory.path().join(FOLDER);
    let (folder, quota) = if contact { (folder, quota) } else { (folder.join(STRANGERS), quota / 4) };
    let content = received.content.clone();
    let write = move || write(&folder, (key.peer, key.id), &name, &content, quota);
    let written = tokio::task::spawn_blocking(write).await.map_err(|_| NotKept::Writer)?;
    match written {
        Ok(path) => {
            let hash = FileHash(blake3::hash(&received.content).into());
            tracing::info!(transfer = transfer.number, path = %path.display(), "a file came over the mesh");
            shared.complete(key, hash, Some(path)).await?;
            if let Some(id) = heard_live(received).filter(|_| !received.live) {
                voice::replace(shared, TransferKey { id, ..key }).await?;
            }
            Ok(())
        }
        Err(error) => {
            shared.set_status(key, TransferStatus::Failed, Some(error.to_string())).await?;
            Err(error)
        }
    }
}

/// Takes the file down, or gives what is known of it. One that failed begins anew: there may be room by now, and the
/// same file has the same id for ever.
fn begin(database: &mut Database, new: &NewTransfer) -> Result<Option<Transfer>, StoreError> {
    if database.transfer(new.key)?.is_some_and(|known| known.status == TransferStatus::Failed) {
        database.forget_transfer(new.key)?;
    }
    database.begin_transfer(new, wall_clock())
}

/// What becomes of a file that came before: only one that is there may be confirmed.
fn settled(status: TransferStatus) -> Option<Result<(), NotKept>> {
    match status {
        TransferStatus::Done => Some(Ok(())),
        TransferStatus::Declined | TransferStatus::Cancelled => Some(Err(NotKept::GivenUp)),
        TransferStatus::Failed
        | TransferStatus::Offered
        | TransferStatus::Waiting
        | TransferStatus::Running => None,
    }
}

/// Whether it is from a contact.
async fn contact(shared: &Shared, sender: Fingerprint) -> Result<bool, NotKept> {
    match shared.store.with(move |database| database.contact(sender)).await? {
        Some(contact) if contact.blocked => Err(NotKept::Blocked),
        Some(contact) => Ok(contact.added),
        None => Ok(false),
    }
}

/// The same for the same file, which may come again.
fn id(received: &Received) -> TransferId {
    if let Some(live) = heard_live(received).filter(|_| received.live) {
        return live;
    }
    let sent = received.sent.0.to_be_bytes();
    let name = received.wire_id.as_ref().map_or(sent.as_slice(), |wire_id| wire_id.as_bytes());
    hashed(received.secrecy, &[name, &received.content])
}

/// What was heard live of the burst that a file is, or is the recording of.
fn heard_live(received: &Received) -> Option<TransferId> {
    received.burst().map(|burst| hashed(received.secrecy, &[b"heard live", &burst]))
}

fn hashed(secrecy: Secrecy, parts: &[&[u8]]) -> TransferId {
    let mut digest = Sha256::new().chain_update([u8::from(secrecy == Secrecy::Sealed)]);
    parts.iter().for_each(|part| digest.update(part));
    let mut id = TransferId([0; 16]);
    id.0.iter_mut().zip(digest.finalize()).for_each(|(byte, hash)| *byte = hash);
    id
}

/// Writes a file under its name, or the next that is free. Waits for the disk.
fn write(
    folder: &Path,
    (sender, id): (PeerId, TransferId),
    name: &FileName,
    content: &[u8],
    quota: u64,
) -> Result<PathBuf, NotKept> {
    let (directory, size) = (Directory::open(folder)?, content.len() as u64);
    if taken(folder, MAX_FILES)?.saturating_add(size) > quota {
        return Err(NotKept::Full);
    }
    if !directory.has_room_for(size)? {
        return Err(NotKept::NoSpace);
    }
    let partial = directory.partial(sender, id);
    // The same content, whatever a run that was killed left of it.
    let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&partial);
    let written = opened.and_then(|mut file| {
        file.write_all(content)?;
        file.set_len(size)?;
        file.sync_all()
    });
    let placed =
        written.map_err(DiskError::at("write", &partial)).and_then(|()| directory.place(&partial, name));
    directory.forget(sender, id)?;
    Ok(placed?)
}

/// Bytes that the files of a folder take; everything when there are too many of them.
fn taken(folder: &Path, most: usize) -> Result<u64, NotKept> {
    let failed = || DiskError::at("read", folder);
    let (mut count, mut bytes) = (0, 0_u64);
    for entry in fs::read_dir(folder).map_err(failed())? {
        let metadata = entry.and_then(|entry| entry.metadata()).map_err(failed())?;
        if metadata.is_file() {
            count += 1;
            bytes = bytes.saturating_add(metadata.len());
        }
    }
    Ok(if count < most { bytes } else { u64::MAX })
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;
    use tokio::sync::broadcast;

    use super::super::ways::Ways;
    use super::*;
    use crate::node::store::Store;
    use crate::storage::{DeviceKey, Limits};
    use crate::time::UnixMillis;
    use crate::wire::MediaType;

    const ANN: PeerId = PeerId([1; 8]);

    fn voice(sender: u8, name: &str, content: &'static [u8], live: bool) -> Received {
        Received {
            sender: PeerId([sender; 8]),
            fingerprint: Fingerprint([sender; 32]),
            nickname: String::new(),
            secrecy: Secrecy::Public,
            media_type: MediaType::Aac,
            name: name.to_owned(),
            content: content.into(),
            sent: UnixMillis(5),
            wire_id: None,
            live,
        }
    }

    fn shared(home: &Path) -> Shared {
        let key = DeviceKey::generate(&mut ChaCha20Rng::from_seed([1; 32]));
        Shared {
            store: Store::new(Database::in_memory(&key, Limits::default()).unwrap()),
            ways: Ways { direct: None, betanet: None, mesh: None },
            directory: Directory::open(home).unwrap(),
            events: broadcast::channel(1).0.downgrade(),
        }
    }

    #[tokio::test]
    async fn a_recording_takes_the_place_of_the_same_senders_live_burst_and_of_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let (shared, seven, eight) =
            (shared(home.path()), "voice_0707070707070707", "voice_0808080808080808");
        let aac = |burst: &str| format!("{burst}.aac");
        for (sender, name, content, live) in [
            (1, aac(seven), b"one, live".as_slice(), true),
            (2, aac(seven), b"another one's", true),
            (1, aac(eight), b"another burst", true),
            (1, "voice_07.aac".to_owned(), b"no burst", false),
            (1, format!("{seven}.m4a"), b"recorded", false),
            (1, aac(seven), b"recorded again", false),
        ] {
            keep(&shared, &voice(sender, &name, content, live), 1_000).await.unwrap();
        }
        let folder = home.path().join(FOLDER).join(STRANGERS);
        let mut there: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
            .map(|path| String::from_utf8(fs::read(path).unwrap()).unwrap())
            .collect();
        there.sort();
        assert_eq!(there, ["another burst", "another one's", "no burst", "recorded", "recorded again"]);
        let known = shared.store.with(|database| database.transfers(10)).await.unwrap();
        assert_eq!(known.len(), there.len());
    }

    #[tokio::test]
    async fn what_a_person_put_in_the_place_of_a_live_burst_stays() {
        let home = tempfile::tempdir().unwrap();
        let (shared, name) = (shared(home.path()), "voice_0707070707070707.aac");
        keep(&shared, &voice(1, name, b"live", true), 1_000).await.unwrap();
        let path = home.path().join(FOLDER).join(STRANGERS).join(name);
        fs::write(&path, b"mine").unwrap();
        keep(&shared, &voice(1, name, b"recorded", false), 1_000).await.unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"mine");
    }

    #[test]
    fn a_file_that_a_killed_run_left_half_written_or_placed_comes_once() {
        let home = tempfile::tempdir().unwrap();
        let (id, name) = (TransferId([7; 16]), FileName::tame("a.jpg"));
        let directory = Directory::open(home.path()).unwrap();
        fs::write(directory.partial(ANN, id), b"ha").unwrap();
        fs::hard_link(directory.partial(ANN, id), directory.path().join("a.jpg")).unwrap();
        let path = write(home.path(), (ANN, id), &name, b"half", 100).unwrap();
        assert_eq!(path, directory.path().join("a.jpg"));
        assert_eq!(fs::read(&path).unwrap(), b"half");
        assert!(!directory.partial(ANN, id).exists() && !directory.path().join("a (2).jpg").exists());
    }

    #[test]
    fn a_file_has_its_name_or_the_next_and_stays_in_its_folder() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("mesh");
        let store = |name: &str, content: &[u8]| {
            write(&folder, (ANN, TransferId([7; 16])), &FileName::tame(name), content, 100)
        };
        assert_eq!(store("../../a.jpg", b"one").unwrap(), folder.join("a.jpg"));
        assert_eq!(store("a.jpg", b"two").unwrap(), folder.join("a (2).jpg"));
        assert_eq!(fs::read(folder.join("a.jpg")).unwrap(), b"one");
    }

    #[test]
    fn only_a_file_that_is_there_is_confirmed_again() {
        assert!(matches!(settled(TransferStatus::Done), Some(Ok(()))));
        assert!(matches!(settled(TransferStatus::Declined), Some(Err(NotKept::GivenUp))));
        assert!(matches!(settled(TransferStatus::Cancelled), Some(Err(NotKept::GivenUp))));
        assert!(settled(TransferStatus::Waiting).is_none());
    }

    #[tokio::test]
    async fn what_found_no_room_is_kept_when_it_comes_again_and_there_is_some() {
        let home = tempfile::tempdir().unwrap();
        let (shared, file) = (shared(home.path()), voice(1, "a.jpg", b"twelve bytes", false));
        for _ in 0..2 {
            let refused = keep(&shared, &file, 4 * 11).await;
            assert!(matches!(refused, Err(NotKept::Full)), "{refused:?}");
            let known = shared.store.with(|database| database.transfers(10)).await.unwrap();
            assert!(matches!(known.as_slice(), [one] if one.status == TransferStatus::Failed), "{known:?}");
        }
        keep(&shared, &file, 4 * 12).await.unwrap();
        let known = shared.store.with(|database| database.transfers(10)).await.unwrap();
        let [done] = known.as_slice() else { panic!("one file: {known:?}") };
        assert_eq!((done.status, done.reason.as_deref()), (TransferStatus::Done, None));
        assert_eq!(fs::read(done.path.as_ref().unwrap()).unwrap(), b"twelve bytes");
    }

    #[tokio::test]
    async fn what_a_person_gave_up_stays_so_when_it_comes_again() {
        let home = tempfile::tempdir().unwrap();
        let (shared, file) = (shared(home.path()), voice(1, "a.jpg", b"twelve bytes", false));
        let new = NewTransfer {
            key: TransferKey { way: Way::In, peer: file.sender, id: id(&file) },
            name: "a.jpg".to_owned(),
            path: None,
            size: 12,
            modified: 0,
            status: TransferStatus::Waiting,
        };
        let cancel = move |database: &mut Database| {
            begin(database, &new)?;
            database.set_transfer_status(new.key, TransferStatus::Cancelled, None, wall_clock())
        };
        shared.store.with(cancel).await.unwrap();
        assert!(matches!(keep(&shared, &file, 1_000).await, Err(NotKept::GivenUp)));
    }

    #[test]
    fn what_is_beyond_the_quota_is_not_written_and_displaces_nothing() {
        let home = tempfile::tempdir().unwrap();
        let store = |name: &str, len| {
            write(home.path(), (ANN, TransferId([7; 16])), &FileName::tame(name), &vec![7; len], 100)
        };
        store("a", 60).unwrap();
        assert!(matches!(store("b", 41), Err(NotKept::Full)));
        store("c", 40).unwrap();
        assert!(home.path().join("a").exists() && !home.path().join("b").exists());
        assert!(taken(home.path(), 1).unwrap() == u64::MAX);
    }
}
