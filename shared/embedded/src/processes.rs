//! Which processes have the data directory open: each holds an operating system's lock on a file of its own,
//! which no process outlives.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use nexus_kernel::Ambient;

/// This process' being here: as long as it lives, the others see its lock.
#[derive(Debug)]
pub(crate) struct Presence {
    id: String,
    dir: PathBuf,
    drawn: AtomicU64,
    _lock: File,
}

impl Presence {
    /// Enters the directory of processes. One at a time, and none while another [clears](Self::clear): only so does
    /// nobody see the file before it is locked. (Who asks for a process by its name has read the name where this
    /// process wrote it, later.)
    pub(crate) fn enter(dir: &Path) -> io::Result<Self> {
        // Not from the ambient that was handed over: two processes must differ though their ids follow from one
        // seed.
        let id = Ambient::system().ids.draw().simple().to_string();
        let lock = File::create_new(file_of(dir, &id))?;
        lock.try_lock()?;
        Ok(Self { id, dir: dir.to_owned(), drawn: AtomicU64::new(0), _lock: lock })
    }

    /// The process' name.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// A name that no process ever draws again.
    pub(crate) fn draw(&self) -> String {
        format!("{}-{}", self.id, self.drawn.fetch_add(1, Ordering::Relaxed))
    }

    /// Whether a process of this name is not here (any more).
    pub(crate) fn is_gone(&self, id: &str) -> bool {
        id != self.id && is_gone(&self.dir, id)
    }

    /// Clears away what dead processes left, while none enters.
    pub(crate) fn clear(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.dir)? {
            let name = entry?.file_name();
            if let Some(id) = name.to_str().and_then(|n| n.strip_suffix(".lock")) {
                self.is_gone(id);
            }
        }
        Ok(())
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        // What stays is cleared away by the next who looks.
        drop(fs::remove_file(file_of(&self.dir, &self.id)));
    }
}

fn file_of(dir: &Path, id: &str) -> PathBuf {
    dir.join(format!("{id}.lock"))
}

fn is_gone(dir: &Path, id: &str) -> bool {
    let path = file_of(dir, id);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) => return error.kind() == io::ErrorKind::NotFound,
    };
    match file.try_lock() {
        Ok(()) => {
            drop(fs::remove_file(&path));
            true
        }
        // Another looks at it right now, or the process lives; if in doubt it lives.
        Err(TryLockError::WouldBlock | TryLockError::Error(_)) => false,
    }
}

/// Writers of several processes take turns. SQLite alone would have them try again now and then, and one that
/// writes without pause would hardly ever let another in.
///
/// A process that is stopped (not killed) while it writes keeps the others waiting until it goes on.
///
/// Two locks: who waits holds the first, who writes holds the second; so who has just written stands behind
/// whoever waited meanwhile.
#[derive(Debug)]
pub(crate) struct Turnstile {
    waiting: File,
    writing: File,
}

impl Turnstile {
    pub(crate) fn open(dir: &Path, product: &str) -> io::Result<Self> {
        let open = |name: &str| File::create(dir.join(format!("{product}.{name}")));
        Ok(Self { waiting: open("waiting")?, writing: open("writing")? })
    }

    /// Waits for its turn, which lasts until the value is dropped.
    pub(crate) fn pass(&self) -> io::Result<Turn<'_>> {
        self.waiting.lock()?;
        let turn = self.writing.lock().map(|()| Turn(&self.writing));
        self.waiting.unlock()?;
        turn
    }
}

/// The right to write now.
pub(crate) struct Turn<'a>(&'a File);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::error!(%error, "the writers' lock was not given back");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_here_until_it_leaves() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (Presence::enter(dir.path()).unwrap(), Presence::enter(dir.path()).unwrap());
        assert!(!a.is_gone(b.id()) && !b.is_gone(a.id()) && !a.is_gone(a.id()));
        let left = b.id().to_owned();
        drop(b);
        assert!(a.is_gone(&left) && a.is_gone("nobody"));
    }

    #[test]
    fn what_a_dead_process_left_is_cleared_away() {
        let dir = tempfile::tempdir().unwrap();
        let a = Presence::enter(dir.path()).unwrap();
        File::create(file_of(dir.path(), "dead")).unwrap();
        a.clear().unwrap();
        let names: Vec<_> =
            fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, [format!("{}.lock", a.id()).as_str()]);
    }
}
