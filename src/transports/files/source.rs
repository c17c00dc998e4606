//! The file that is sent: read ahead of the network, hashed on the way.

use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::error::{DiskError, SourceError};
use super::span::Span;
use crate::wire::file::{FileHash, FileName};

/// What tells a file from a later version of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Its length in bytes.
    pub size: u64,
    /// When it was last changed, in nanoseconds since 1970.
    pub modified: u64,
}

/// A file to send, as it was when it was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    path: PathBuf,
    stamp: Stamp,
}

impl Source {
    /// Looks at a file. Waits for the disk.
    pub fn look(path: &Path) -> Result<Self, SourceError> {
        let path = path.canonicalize().map_err(DiskError::at("find", path))?;
        // Looked at before it is opened: the opening of a pipe would wait for somebody to write.
        let metadata = path.metadata().map_err(DiskError::at("look at", &path))?;
        if !metadata.is_file() {
            return Err(SourceError::NotAFile { path });
        }
        let file = File::open(&path).map_err(DiskError::at("read", &path))?;
        let stamp = stamp_of(&file, &path)?;
        Ok(Self { path, stamp })
    }

    /// A file that was looked at earlier, perhaps in an earlier run.
    pub const fn known(path: PathBuf, stamp: Stamp) -> Self {
        Self { path, stamp }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Which version of it.
    pub const fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// What it is called.
    pub fn name(&self) -> FileName {
        FileName::tame(&self.path.file_name().unwrap_or_default().to_string_lossy())
    }

    /// All of it, if it still is what it was. Waits for the disk.
    pub(in crate::transports) fn read_whole(self) -> Result<Vec<u8>, SourceError> {
        let failed = || DiskError::at("read", &self.path);
        let mut file = File::open(&self.path).map_err(failed())?;
        let mut content = Vec::new();
        // One byte more than there should be tells a file that grew.
        let most = self.stamp.size.saturating_add(1);
        (&mut file).take(most).read_to_end(&mut content).map_err(failed())?;
        if stamp_of(&file, &self.path)? != self.stamp || content.len() as u64 != self.stamp.size {
            return Err(SourceError::Changed { path: self.path });
        }
        Ok(content)
    }

    /// Opens it, if it still is what it was, at `offset`, if the bytes before that have this hash, and at the
    /// beginning otherwise. Waits for the disk.
    pub(super) fn open_at(self, offset: u64, hash: FileHash) -> Result<Reading, SourceError> {
        let mut file = File::open(&self.path).map_err(DiskError::at("read", &self.path))?;
        let changed = || SourceError::Changed { path: self.path.clone() };
        if stamp_of(&file, &self.path)? != self.stamp {
            return Err(changed());
        }
        let mut hasher = blake3::Hasher::new();
        if offset > 0 && offset <= self.stamp.size {
            let failed = DiskError::at("read", &self.path);
            hasher.update_reader((&file).take(offset)).map_err(failed)?;
            if hasher.count() < offset {
                return Err(changed());
            }
        }
        let mut offset = offset;
        if hasher.count() != offset || FileHash(hasher.finalize().into()) != hash {
            offset = 0;
            hasher.reset();
            file.rewind().map_err(DiskError::at("read", &self.path))?;
        }
        Ok(Reading { source: self, file, offset, hasher })
    }
}

/// A file being read.
#[derive(Debug)]
pub(super) struct Reading {
    source: Source,
    file: File,
    offset: u64,
    hasher: blake3::Hasher,
}

impl Reading {
    /// Where the next block begins.
    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    /// Reads to the end, and gives the hash of the whole file; `None` when nobody takes the blocks any more.
    pub(super) fn run(mut self, blocks: &mpsc::Sender<Bytes>) -> Result<Option<FileHash>, SourceError> {
        let changed = || SourceError::Changed { path: self.source.path.clone() };
        let mut span = Span { offset: self.offset, end: self.source.stamp.size };
        while let Some(length) = span.block() {
            let mut block = Vec::with_capacity(length);
            let failed = DiskError::at("read", &self.source.path);
            (&self.file).take(length as u64).read_to_end(&mut block).map_err(failed)?;
            if block.len() < length {
                return Err(changed());
            }
            self.hasher.update(&block);
            span.advance(length);
            if blocks.blocking_send(block.into()).is_err() {
                return Ok(None);
            }
        }
        // Written to while it was read: the bytes sent may belong to no version there ever was.
        if stamp_of(&self.file, &self.source.path)? != self.source.stamp {
            return Err(changed());
        }
        Ok(Some(FileHash(self.hasher.finalize().into())))
    }
}

fn stamp_of(file: &File, path: &Path) -> Result<Stamp, DiskError> {
    let metadata = file.metadata().map_err(DiskError::at("look at", path))?;
    let seconds = u64::try_from(metadata.mtime()).unwrap_or_default();
    let nanoseconds = u64::try_from(metadata.mtime_nsec()).unwrap_or_default();
    let modified = seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds);
    Ok(Stamp { size: metadata.len(), modified })
}
