//! The contents of blobs as files, named by their SHA-256: `{home}/{first two digits}/{digest}`.
//!
//! Which blob has which content stands in the database. A content comes under its name, and goes, only while the
//! database's write lock is held (the methods that need it say so); so no process ever removes what another has
//! just put.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek as _, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nexus_core::blobs::BlobKey;
use nexus_kernel::Digest;
use sha2::{Digest as _, Sha256};

use crate::processes::Presence;
use crate::store::{remove_file, sync_dir};

/// So many bytes are in memory while a content is copied.
const CHUNK: usize = 256 * 1024;

/// The directory of a product's contents.
pub(crate) struct Files {
    root: PathBuf,
    incoming: PathBuf,
    presence: Arc<Presence>,
}

/// A content on its way in: durable, but not yet under its name. Removed when dropped, unless it was placed.
#[derive(Debug)]
pub(crate) struct Incoming {
    path: PathBuf,
    placed: bool,
    pub(crate) size: u64,
    pub(crate) digest: Digest,
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if !self.placed
            && let Err(error) = remove_file(&self.path)
        {
            tracing::warn!(%error, "a content that was not placed stays until the next sweep");
        }
    }
}

/// Under which directory the contents of a key's owner stand: `{area}/{owner}`.
pub(crate) fn home_of(key: &BlobKey) -> String {
    let mut parts = key.as_str().split('/');
    let mut part = || dir_name(parts.next().unwrap_or_default());
    format!("{}/{}", part(), part())
}

/// A part of a key as the name of a directory: as it is where it is plain, else by its digest.
fn dir_name(part: &str) -> String {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    if !part.is_empty() && part.len() <= 64 && part.bytes().all(plain) {
        return part.to_owned();
    }
    format!("={}", Digest::of(part.as_bytes()))
}

impl Files {
    pub(crate) fn open(root: PathBuf, presence: Arc<Presence>) -> io::Result<Self> {
        let incoming = root.join("incoming");
        DirBuilder::new().recursive(true).mode(0o700).create(&incoming)?;
        Ok(Self { root, incoming, presence })
    }

    /// Copies a content in and makes it durable.
    pub(crate) fn take_in(&self, content: &mut dyn Read) -> io::Result<Incoming> {
        let path = self.incoming.join(self.presence.draw());
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        // From here on whatever fails removes the file.
        let mut incoming = Incoming { path, placed: false, size: 0, digest: Digest::of(&[]) };
        (incoming.size, incoming.digest) = copy(content, &mut file)?;
        file.sync_all()?;
        Ok(incoming)
    }

    /// Puts a content under its name, durably. Needs the write lock.
    pub(crate) fn place(&self, mut incoming: Incoming, home: &str) -> io::Result<()> {
        let path = self.path_of(home, &incoming.digest.to_hex());
        let Some(dir) = path.parent() else { return Err(io::ErrorKind::InvalidFilename.into()) };
        self.make(dir)?;
        fs::rename(&incoming.path, &path)?;
        incoming.placed = true;
        sync_dir(dir)
    }

    /// Makes a directory below the root, and durable in the one above it.
    fn make(&self, dir: &Path) -> io::Result<()> {
        if dir.is_dir() {
            return Ok(());
        }
        if let Some(above) = dir.parent() {
            self.make(above)?;
            DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
            sync_dir(above)?;
        }
        Ok(())
    }

    /// Removes a content, and the directories that are empty without it. Needs the write lock.
    pub(crate) fn remove(&self, home: &str, digest: &str) -> io::Result<()> {
        let path = self.path_of(home, digest);
        remove_file(&path)?;
        // A directory that holds something else stays.
        let mut dirs = path.ancestors().skip(1).take_while(|dir| *dir != self.root);
        drop(dirs.try_for_each(fs::remove_dir));
        Ok(())
    }

    /// The content, to be read bit by bit.
    pub(crate) fn open_content(&self, home: &str, digest: &str) -> io::Result<File> {
        File::open(self.path_of(home, digest))
    }

    /// The whole content; an error where it is not what its name says.
    pub(crate) fn read(&self, home: &str, digest: &str) -> io::Result<Vec<u8>> {
        let bytes = fs::read(self.path_of(home, digest))?;
        intact(&Digest::of(&bytes), digest)?;
        Ok(bytes)
    }

    /// Part of the content.
    pub(crate) fn read_range(
        &self,
        home: &str,
        digest: &str,
        range: Range<u64>,
    ) -> io::Result<Vec<u8>> {
        let mut file = File::open(self.path_of(home, digest))?;
        file.seek(SeekFrom::Start(range.start))?;
        let mut bytes = Vec::new();
        file.take(range.end.saturating_sub(range.start)).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Copies the content into a file; an error, and no file, where it is not what its name says.
    pub(crate) fn copy_out(&self, home: &str, digest: &str, into: &Path) -> io::Result<()> {
        let mut from = File::open(self.path_of(home, digest))?;
        let copied = File::create(into)
            .and_then(|mut file| copy(&mut from, &mut file))
            .and_then(|(_, copied)| intact(&copied, digest));
        if copied.is_err() {
            remove_file(into)?;
        }
        copied
    }

    /// Removes what processes left that died while they put something; how many files and bytes.
    pub(crate) fn clear_incoming(&self) -> io::Result<(u64, u64)> {
        let (mut files, mut bytes) = (0, 0);
        for entry in fs::read_dir(&self.incoming)? {
            let entry = entry?;
            let name = entry.file_name();
            let process = name.to_str().and_then(|name| name.rsplit_once('-')).map(|(id, _)| id);
            if process.is_none_or(|id| self.presence.is_gone(id)) {
                bytes += entry.metadata().map(|facts| facts.len()).unwrap_or_default();
                remove_file(&entry.path())?;
                files += 1;
            }
        }
        Ok((files, bytes))
    }

    /// Visits every content: its home, its digest and its size. What goes meanwhile may be passed over.
    pub(crate) fn each<E: From<io::Error>>(
        &self,
        visit: &mut dyn FnMut(String, String, u64) -> Result<(), E>,
    ) -> Result<(), E> {
        for area in names(&self.root)?.into_iter().filter(|name| name != "incoming") {
            for owner in names(&self.root.join(&area))? {
                let home = format!("{area}/{owner}");
                for fan in names(&self.root.join(&home))? {
                    let dir = self.root.join(&home).join(&fan);
                    for digest in names(&dir)?.into_iter().filter(|name| name.starts_with(&fan)) {
                        let facts = fs::metadata(dir.join(&digest));
                        let size = facts.map(|facts| facts.len()).unwrap_or_default();
                        visit(home.clone(), digest, size)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn path_of(&self, home: &str, digest: &str) -> PathBuf {
        let fan: String = digest.chars().take(2).collect();
        self.root.join(home).join(fan).join(digest)
    }
}

/// The names in a directory; none where there is no such directory.
fn names(dir: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.file_name().into_string());
    }
    Ok(names)
}

fn intact(found: &Digest, digest: &str) -> io::Result<()> {
    if found.to_hex() == digest {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "a blob's content is not what was put"))
}

fn copy(from: &mut dyn Read, to: &mut dyn Write) -> io::Result<(u64, Digest)> {
    let (mut hasher, mut size) = (Sha256::new(), 0);
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = match from.read(&mut chunk) {
            Ok(0) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        let bytes = chunk.get(..read).unwrap_or_default();
        hasher.update(bytes);
        to.write_all(bytes)?;
        size += read as u64;
    }
    let digest = Digest::from_hex(&hex::encode(hasher.finalize()))
        .ok_or_else(|| io::Error::other("SHA-256 has 64 digits"))?;
    Ok((size, digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_is_a_plain_path_whatever_the_key() {
        let home = |key: &str| home_of(&BlobKey::stored(key));
        assert_eq!(home("media/ten_0a/photos/1"), "media/ten_0a");
        for key in ["../../etc/passwd", "/", "", "media", "Media/x/y", "a.b/\u{0}/c", "=x/y/z"] {
            let home = home(key);
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "=_-".contains(c);
            let parts: Vec<&str> = home.split('/').collect();
            assert_eq!(parts.len(), 2, "{home}");
            assert!(parts.iter().all(|p| !p.is_empty() && p.chars().all(plain)), "{home}");
        }
        assert_ne!(
            home("Media/a/x"),
            home("media/a/x"),
            "also where letters' case is not told apart"
        );
    }
}
