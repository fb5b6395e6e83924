//! The database file of a deployment: there or not, young enough or not, and replaced while the process runs.
//!
//! Who replaces it puts a new file in its place by renaming. It is seen within a minute in which somebody is looked up:
//! that look-up asks for the file's size and time, and where they changed, another thread reads it. No look-up waits for
//! a read.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread;

use jiff::civil::Date;
use nexus_engine::clicks::{Locator, Place};
use nexus_kernel::{ClientIp, Clock, Timestamp};

use crate::database::{Database, MOST_BYTES, OpenError};

/// Milliseconds between two looks at the file.
const LOOK_EVERY: i64 = 60_000;

/// What stands at the place of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Nothing.
    Absent,
    /// A database that was built on that day, and is used.
    Used(Date),
    /// One that was built on that day, and is too old to be used.
    Stale(Date),
    /// Something that cannot be used, and why. What was read before is used until it is too old.
    Unusable(String),
}

impl Status {
    const fn is_used(&self) -> bool {
        matches!(self, Self::Used(_))
    }
}

/// The file by which it is known whether it was replaced: device, inode, size, and the time of its last change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp([u64; 3], [i64; 2]);

/// What was read last.
struct Held {
    stamp: Option<Stamp>,
    status: Status,
    database: Option<Arc<Database>>,
}

struct House {
    file: PathBuf,
    clock: Arc<dyn Clock>,
    held: RwLock<Held>,
    /// One reads at a time.
    reading: Mutex<()>,
    /// The next look at the file, in milliseconds since 1970.
    next_look: AtomicI64,
}

/// The database at one place. Clones share it.
#[derive(Clone)]
pub struct Installed(Arc<House>);

impl Installed {
    /// What stands there, read now. Nothing, and what cannot be used, is a state of it and no error: then nobody is
    /// located.
    pub fn at(file: &Path, clock: Arc<dyn Clock>) -> Self {
        let held = Held { stamp: None, status: Status::Absent, database: None };
        let installed = Self(Arc::new(House {
            file: file.to_owned(),
            clock,
            held: RwLock::new(held),
            reading: Mutex::new(()),
            next_look: AtomicI64::new(0),
        }));
        installed.look();
        installed
    }

    /// What stands there, as far as is known.
    pub fn status(&self) -> Status {
        let now = self.0.clock.now();
        let held = self.0.held.read().unwrap_or_else(PoisonError::into_inner);
        match &held.database {
            // Grown old since it was read. A file that cannot be used stays just that, whatever is in memory.
            Some(database) if held.status.is_used() && !database.may_be_used(now) => {
                Status::Stale(database.built_on())
            }
            _ => held.status.clone(),
        }
    }

    /// Looks at the file now, and reads it where it was replaced. Forgets a database that is gone or too old.
    pub fn look(&self) -> Status {
        self.0.look();
        self.status()
    }

    /// The database, if it may be used.
    fn database(&self) -> Option<Arc<Database>> {
        let now = self.0.clock.now();
        self.glance(now);
        let held = self.0.held.read().unwrap_or_else(PoisonError::into_inner);
        held.database.as_ref().filter(|database| database.may_be_used(now)).map(Arc::clone)
    }

    /// Once a minute: whether the file is another one, or what is held is too old; then a thread of its own sees to it.
    fn glance(&self, now: Timestamp) {
        let (now, house) = (now.as_millisecond(), &self.0);
        let due = house.next_look.load(Ordering::Relaxed);
        let next = now.saturating_add(LOOK_EVERY);
        let swapped = Ordering::Relaxed;
        if now < due || house.next_look.compare_exchange(due, next, swapped, swapped).is_err() {
            return;
        }
        if house.is_as_held() {
            return;
        }
        let house = Arc::clone(house);
        let reading = thread::Builder::new().name("geo".to_owned()).spawn(move || house.look());
        if let Err(error) = reading {
            tracing::warn!(%error, "the geographic database is looked at again in a minute");
        }
    }
}

impl House {
    /// Whether the file is the one that was read, and what is held of it may be used.
    fn is_as_held(&self) -> bool {
        let stamp = stamp(&self.file);
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        let old = held.database.as_ref().is_some_and(|d| !d.may_be_used(self.clock.now()));
        held.stamp == stamp && !old
    }

    fn look(&self) {
        let _one = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        self.next_look.store(now.as_millisecond().saturating_add(LOOK_EVERY), Ordering::Relaxed);
        if self.is_as_held() {
            return;
        }
        let stamp = stamp(&self.file);
        let read = stamp.map(|_| read(&self.file, now));
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        held.stamp = stamp;
        match read {
            None => {
                held.database = None;
                held.status = Status::Absent;
            }
            Some(Ok(database)) => {
                held.status = Status::Used(database.built_on());
                held.database = Some(Arc::new(database));
            }
            Some(Err(Unread::Open(OpenError::Stale(day)))) => {
                held.database = None;
                held.status = Status::Stale(day);
                tracing::warn!(
                    built = %day,
                    "the geographic database is older than 30 days and is not used: install a new one"
                );
            }
            Some(Err(why)) => {
                held.database = held.database.take().filter(|database| database.may_be_used(now));
                tracing::warn!(file = %self.file.display(), %why, "no geographic database was read");
                held.status = Status::Unusable(why.to_string());
            }
        }
    }
}

impl Locator for Installed {
    fn locate(&self, address: ClientIp) -> Place {
        self.database().map_or(Place::Unlocated, |database| database.locate(address))
    }

    fn attribution(&self) -> Option<String> {
        self.database()?.attribution()
    }
}

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
enum Unread {
    #[error("the file cannot be read: {0}")]
    File(#[from] std::io::Error),
    #[error("the file is larger than {MOST_BYTES} bytes, which GeoLite2 City is not")]
    TooLarge,
    #[error(transparent)]
    Open(#[from] OpenError),
}

fn read(file: &Path, now: Timestamp) -> Result<Database, Unread> {
    let (mut bytes, file) = (Vec::new(), File::open(file)?);
    let size = file.metadata()?.len();
    if size > MOST_BYTES {
        return Err(Unread::TooLarge);
    }
    bytes
        .try_reserve_exact(usize::try_from(size).unwrap_or_default())
        .map_err(std::io::Error::from)?;
    file.take(MOST_BYTES).read_to_end(&mut bytes)?;
    Ok(Database::open(bytes, now)?)
}

/// Tells this file from the one that replaces it; `None` where there is none.
fn stamp(file: &Path) -> Option<Stamp> {
    let about = fs::metadata(file).ok()?;
    Some(Stamp([about.dev(), about.ino(), about.size()], [about.mtime(), about.mtime_nsec()]))
}
