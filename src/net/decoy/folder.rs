//! A folder of pages, read into memory once: what is asked for is looked up, never opened, so no path leads
//! out of the folder and no page takes longer than another.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use bytes::Bytes;

use super::page::Page;
use crate::time::UnixMillis;
use crate::wire::unescape;

/// Bytes of all pages together, at most.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// Pages, at most.
const MAX_PAGES: usize = 4096;
/// Folders within folders, at most.
const MAX_DEPTH: usize = 16;
/// The page for what is not there, where the folder has none of its own.
const NOT_FOUND: &str = "<!doctype html>\n<html><head><title>404 Not Found</title></head>\n\
                         <body><h1>Not Found</h1></body></html>\n";

/// Why a folder cannot be a site.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A file or folder cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// More than a site in memory should have.
    #[error("the site has more than {MAX_PAGES} files, {MAX_BYTES} bytes or {MAX_DEPTH} levels")]
    TooLarge,
}

/// The pages by their path, which begins with a slash.
#[derive(Debug)]
pub(super) struct Folder {
    pages: BTreeMap<String, Page>,
    not_found: Page,
}

/// What stands at a path.
#[derive(Debug)]
pub(super) enum Found<'a> {
    /// A page.
    Page(&'a Page),
    /// A folder, which was asked for without the slash at its end.
    Folder,
    /// Nothing; this page says so.
    Nothing(&'a Page),
}

impl Folder {
    /// Reads every file of the folder and of the folders in it. Names that begin with a dot are left out, and
    /// so is whatever is neither file nor folder: a link is not followed.
    pub(super) fn read(root: &Path) -> Result<Self, FolderError> {
        let mut reading = Reading { pages: BTreeMap::new(), bytes: 0 };
        reading.folder(root, "/", 0)?;
        let own = reading.pages.get("/404.html").cloned();
        let page = Page::of(Path::new("404.html"), Bytes::from_static(NOT_FOUND.as_bytes()), UnixMillis(0));
        Ok(Self { pages: reading.pages, not_found: own.unwrap_or(page) })
    }

    /// Looks a path up, as it stands in the request line.
    pub(super) fn find(&self, path: &str) -> Found<'_> {
        let Some(path) = unescape(path) else { return Found::Nothing(&self.not_found) };
        let name = if path.ends_with('/') { format!("{path}index.html") } else { path };
        match self.pages.get(&name) {
            Some(page) => Found::Page(page),
            None if self.pages.contains_key(&format!("{name}/index.html")) => Found::Folder,
            None => Found::Nothing(&self.not_found),
        }
    }
}

struct Reading {
    pages: BTreeMap<String, Page>,
    bytes: u64,
}

impl Reading {
    fn folder(&mut self, folder: &Path, prefix: &str, depth: usize) -> Result<(), FolderError> {
        let failed = |source| FolderError::Read { path: folder.to_owned(), source };
        if depth > MAX_DEPTH {
            return Err(FolderError::TooLarge);
        }
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let kind = entry.file_type().map_err(failed)?;
            if name.starts_with('.') {
                continue;
            }
            if kind.is_dir() {
                self.folder(&entry.path(), &format!("{prefix}{name}/"), depth + 1)?;
            } else if kind.is_file() {
                self.file(&entry.path(), format!("{prefix}{name}"))?;
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, name: String) -> Result<(), FolderError> {
        let failed = |source| FolderError::Read { path: path.to_owned(), source };
        let about = fs::metadata(path).map_err(failed)?;
        self.bytes = self.bytes.saturating_add(about.len());
        if self.bytes > MAX_BYTES || self.pages.len() >= MAX_PAGES {
            return Err(FolderError::TooLarge);
        }
        let written = about.modified().map_err(failed)?.duration_since(UNIX_EPOCH).unwrap_or_default();
        let modified = UnixMillis(u64::try_from(written.as_millis()).unwrap_or(0));
        let content = fs::read(path).map_err(failed)?;
        self.pages.insert(name, Page::of(path, content.into(), modified));
        Ok(())
    }
}
