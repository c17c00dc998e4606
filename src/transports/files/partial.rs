//! The file that is received: written and hashed behind the network, brought to disk on the way.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use tokio::sync::{mpsc, watch};

use super::block::{Block, is_aligned};
use super::directory::remove;
use super::error::{DiskError, ReceiveError};
use super::progress::Progress;
use crate::wire::file::{FileHash, Reason};

/// Bytes after which what arrived is brought to disk for sure: what a power cut costs at most.
pub const SYNC_STEP: u64 = 16 << 20;

/// A file that is here up to [`Self::offset`]. Nobody else writes to it meanwhile.
#[derive(Debug)]
pub(super) struct Partial {
    path: PathBuf,
    file: File,
    offset: u64,
    hasher: blake3::Hasher,
    /// Whether the file is written past the system's cache at the moment.
    direct: bool,
    /// Whether that can be done here, as far as is known.
    can_be_direct: bool,
}

impl Partial {
    /// Opens what is there of a file, of which `synced` bytes can be trusted. Waits for the disk.
    pub(super) fn open(path: &Path, synced: u64) -> Result<Self, ReceiveError> {
        let file = open_locked(path)?;
        let metadata = file.metadata().map_err(DiskError::at("look at", path))?;
        // One with two names was whole, on disk and about to be confirmed; it must not lose its end.
        let placed = metadata.nlink() > 1;
        let offset = if placed { metadata.len() } else { metadata.len().min(synced) };
        if !placed {
            file.set_len(offset).map_err(DiskError::at("shorten", path))?;
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader((&file).take(offset)).map_err(DiskError::at("read", path))?;
        Ok(Self { path: path.to_owned(), file, offset, hasher, direct: false, can_be_direct: true })
    }

    /// The same file with nothing in it. Waits for the disk.
    pub(super) fn begin_anew(self) -> Result<Self, ReceiveError> {
        remove(&self.path)?;
        drop(self.file);
        Self::open(&self.path, 0)
    }

    /// Bytes it has.
    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    /// The hash of the bytes it has.
    pub(super) fn hash(&self) -> FileHash {
        FileHash(self.hasher.finalize().into())
    }

    /// The file once more, for who brings it to disk meanwhile.
    pub(super) fn syncing(
        &self,
        progress: watch::Sender<Progress>,
    ) -> Result<(mpsc::Sender<u64>, Syncing), DiskError> {
        let file = self.file.try_clone().map_err(DiskError::at("open", &self.path))?;
        let (sender, offsets) = mpsc::channel(1);
        Ok((sender, Syncing { path: self.path.clone(), file, offsets, progress }))
    }

    /// Writes blocks until there are no more, then brings all to disk, and gives the empty ones back for others.
    pub(super) fn run(
        mut self,
        mut blocks: mpsc::Receiver<Block>,
        empty: &mpsc::Sender<Block>,
        sync: &mpsc::Sender<u64>,
        progress: &watch::Sender<Progress>,
    ) -> Result<Self, DiskError> {
        let mut asked = self.offset;
        while let Some(block) = blocks.blocking_recv() {
            let bytes = block.bytes();
            self.hasher.update(bytes);
            self.write(bytes).map_err(DiskError::at("write", &self.path))?;
            self.offset = self.offset.saturating_add(bytes.len() as u64);
            progress.send_modify(|progress| progress.done = self.offset);
            if self.offset - asked >= SYNC_STEP && sync.try_send(self.offset).is_ok() {
                asked = self.offset;
            }
            // Where there is no room for it, it is freed.
            empty.try_send(block).ok();
        }
        self.file.sync_all().map_err(DiskError::at("write", &self.path))?;
        progress.send_modify(|progress| progress.synced = self.offset);
        Ok(self)
    }

    /// Writes the next bytes: where it can be, the disk fetches them itself. That costs a fraction of what it costs
    /// to copy them to the system's cache, and leaves there what others need.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.can_be_direct && is_aligned(bytes, self.offset) && self.set_direct(true).is_ok() {
            match self.file.write_all_at(bytes, self.offset) {
                // Not on this file system, or not all the way to the end of a disk that is full.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => self.can_be_direct = false,
                result => return result,
            }
        }
        self.set_direct(false)?;
        self.file.write_all_at(bytes, self.offset)
    }

    fn set_direct(&mut self, direct: bool) -> io::Result<()> {
        if self.direct != direct {
            let mut flags = fcntl_getfl(&self.file)?;
            flags.set(OFlags::DIRECT, direct);
            if let Err(error) = fcntl_setfl(&self.file, flags) {
                self.can_be_direct = false;
                return Err(error.into());
            }
            self.direct = direct;
        }
        Ok(())
    }
}

/// Brings a file to disk while others write to it, so that they need not wait.
#[derive(Debug)]
pub(super) struct Syncing {
    path: PathBuf,
    file: File,
    offsets: mpsc::Receiver<u64>,
    progress: watch::Sender<Progress>,
}

impl Syncing {
    pub(super) fn run(mut self) -> Result<(), DiskError> {
        while let Some(offset) = self.offsets.blocking_recv() {
            self.file.sync_data().map_err(DiskError::at("write", &self.path))?;
            self.progress.send_modify(|progress| progress.synced = progress.synced.max(offset));
        }
        Ok(())
    }
}

fn open_locked(path: &Path) -> Result<File, ReceiveError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let file = options.open(path).map_err(DiskError::at("create", path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        // An earlier stream of the same transfer is not over yet.
        Err(TryLockError::WouldBlock) => Err(ReceiveError::Declined(Reason::Busy)),
        Err(TryLockError::Error(error)) => Err(DiskError::at("lock", path)(error).into()),
    }
}
