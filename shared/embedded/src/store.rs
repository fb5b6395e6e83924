use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nexus_core::blobs::{BlobError, Blobs};
use nexus_core::queues::{QueueSettings, Queues};
use nexus_core::scope::Product;
use nexus_core::table::Table;
use nexus_kernel::Ambient;
use rusqlite::Connection;
use tokio::sync::watch;

use crate::blobs::{FileBlobs, collect_doomed};
use crate::fault::Fault;
use crate::files::Files;
use crate::processes::{Presence, Turnstile};
use crate::queues::{SqliteQueues, free_leases_of_the_gone};
use crate::readers::Readers;
use crate::schema;
use crate::signed_urls::{PartGrant, SignedUrls};
use crate::table::SqliteTable;
use crate::writer::Writer;

/// A product's data directory, open. Cheap to clone; closed when the last clone and the last port are dropped, which
/// waits for what is being written.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

/// What the ports share. The writer comes first: its thread ends before the lock is given back that shows this
/// process to be here.
pub(crate) struct Inner {
    pub(crate) writer: Writer,
    pub(crate) readers: Readers,
    pub(crate) files: Arc<Files>,
    pub(crate) urls: Arc<SignedUrls>,
    pub(crate) presence: Arc<Presence>,
    pub(crate) ambient: Ambient,
    pub(crate) arrivals: watch::Sender<u64>,
}

/// Why a data directory could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be opened: {why}", path.display())]
pub struct OpenError {
    /// Which file or directory.
    pub path: PathBuf,
    why: String,
}

/// What [`Store::collect_strays`] removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Strays {
    /// Files.
    pub removed: u64,
    /// Their bytes.
    pub bytes: u64,
}

trait At<T> {
    /// Says at which path it went wrong.
    fn at(self, path: &Path) -> Result<T, OpenError>;
}

impl<T, E: std::fmt::Display> At<T> for Result<T, E> {
    fn at(self, path: &Path) -> Result<T, OpenError> {
        self.map_err(|error| OpenError { path: path.to_owned(), why: error.to_string() })
    }
}

impl Store {
    /// Opens a product's data in this directory, which is made where it is missing (mode 0700). Frees what dead
    /// processes held. Blocks for some milliseconds; needs no async runtime.
    ///
    /// # Errors
    /// A file cannot be read or written, or a newer program has written it; names which.
    pub fn open(dir: &Path, product: Product, ambient: Ambient) -> Result<Self, OpenError> {
        let processes = dir.join("processes");
        let contents = dir.join("blobs").join(product.name());
        for path in [dir, &processes, &contents] {
            DirBuilder::new().recursive(true).mode(0o700).create(path).at(path)?;
        }
        // One at a time, whatever product; and between the turns of those who write already.
        let opening = File::create(processes.join("opening")).at(&processes)?;
        opening.lock().at(&processes)?;
        let turnstile = Turnstile::open(&processes, product.name()).at(&processes)?;
        let turn = turnstile.pass().at(&processes)?;

        let path = dir.join(format!("{}.db", product.name()));
        let db = schema::open_to_write(&path).at(&path)?;
        let presence = Arc::new(Presence::enter(&processes).at(&processes)?);
        let files = Files::open(contents.clone(), Arc::clone(&presence)).at(&contents)?;
        let urls = SignedUrls::open(dir, product, &*ambient.chance).at(dir)?;
        tidy(&db, &presence, &files, &ambient).at(&path)?;
        presence.clear().at(&processes)?;
        drop(turn);

        let inner = Inner {
            writer: Writer::start(db, turnstile).at(&path)?,
            readers: Readers::new(path),
            files: Arc::new(files),
            urls: Arc::new(urls),
            presence,
            ambient,
            arrivals: watch::Sender::new(0),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The table.
    pub fn table(&self) -> Arc<dyn Table> {
        Arc::new(SqliteTable::new(Arc::clone(&self.inner)))
    }

    /// These queues, and those to which they give messages up. A queue that another process declares otherwise
    /// goes here by what is declared here.
    pub fn queues(&self, declared: Vec<QueueSettings>) -> Arc<dyn Queues> {
        Arc::new(SqliteQueues::new(Arc::clone(&self.inner), declared))
    }

    /// The blobs. Addresses can be signed once [`SignedUrls::serve_at`] was told where they lead.
    pub fn blobs(&self) -> Arc<dyn Blobs> {
        Arc::new(FileBlobs::new(Arc::clone(&self.inner)))
    }

    /// What signs addresses, and verifies them for the routes that answer there.
    pub fn urls(&self) -> Arc<SignedUrls> {
        Arc::clone(&self.inner.urls)
    }

    /// Takes a part of an upload in parts, as its address allows: what comes has to have the grant's size, which whoever
    /// answers there asks of [`PartGrant::admits`]. False where the upload was joined or dropped meanwhile.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub async fn put_part<R: Read>(
        &self,
        grant: &PartGrant,
        open: impl FnOnce() -> io::Result<R> + Send + 'static,
    ) -> Result<bool, BlobError> {
        crate::parts::take(&self.inner, grant, open).await
    }

    /// Changes whenever this process has made a message visible (by sending, retrying or redriving): whoever polls
    /// a queue looks again at once. What other processes send, what was delayed and what comes due again has to be
    /// found by polling.
    pub fn arrivals(&self) -> watch::Receiver<u64> {
        self.inner.arrivals.subscribe()
    }

    /// Removes the contents that no row names, uploads in parts that nobody joined a day after their moment, and what dead processes were about to put: a crash between a
    /// file and its row, or a power failure after a deletion, may leave such a file. What is being put right now is
    /// never taken for a stray: a content and its row are written, and strays removed, under the same lock.
    ///
    /// # Errors
    /// A file or row cannot be read or removed; what was removed until then stays so.
    pub async fn collect_strays(&self) -> Result<Strays, BlobError> {
        crate::blobs::collect_strays(&self.inner).await
    }
}

impl Inner {
    /// Says that a message became visible.
    pub(crate) fn announce(&self) {
        self.arrivals.send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// Takes up what dead processes left in the database.
fn tidy(
    db: &Connection,
    presence: &Presence,
    files: &Files,
    ambient: &Ambient,
) -> Result<(), Fault> {
    db.execute_batch("BEGIN IMMEDIATE")?;
    let gone = crate::queues::gone_holders(db, presence)?;
    free_leases_of_the_gone(db, &gone, ambient.now().as_millisecond())?;
    collect_doomed::<Fault>(db, files)?;
    db.execute_batch("COMMIT")?;
    Ok(())
}

/// Makes what was written into this directory survive the machine's power.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Removes a file; one that is gone already is no error.
pub(crate) fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use nexus_contract::{Pair, START, blobs, queues, table};
    use nexus_core::RecordKind;
    use nexus_core::blobs::BlobKey;
    use nexus_core::table::{CommitError, CommitToken, Condition, Item, Key, Op};
    use nexus_kernel::ambient::ManualClock;

    use super::*;
    use crate::writer::WriteError;

    fn open(dir: &Path, clock: &ManualClock) -> Store {
        let ambient = Ambient::seeded(Arc::new(clock.clone()), 1);
        Store::open(dir, Product::Engine, ambient).unwrap()
    }

    /// Here, where `sql` looks at the plan of every statement.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_statement_walks_through_a_table() {
        let table = table::suite(async || {
            let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(START));
            let store = open(dir.path(), &clock);
            Pair::new(store.table(), store.table(), clock).keeping(dir)
        });
        let queues = queues::suite(async || {
            let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(START));
            let queues = open(dir.path(), &clock).queues(vec![queues::Stand::settings()]);
            queues::Stand::new(Pair::new(Arc::clone(&queues), queues, clock).keeping(dir))
        });
        futures::join!(table, queues);
        let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(START));
        let store = open(dir.path(), &clock);
        let pair = Pair::new(store.blobs(), store.blobs(), clock);
        let stand = blobs::Stand {
            pair,
            browser: Arc::new(nexus_contract::memory::MemoryBlobs::new(Arc::new(ManualClock::at(
                START,
            )))),
        };
        blobs::s07_equal_contents_live_and_die_apart(&stand).await;
        store.collect_strays().await.unwrap();
    }

    fn row(sk: &str, bytes: usize) -> Op {
        let item = Item {
            key: Key::stored("p", sk),
            kind: RecordKind::Draft,
            version: 1,
            expires: None,
            due: None,
            list: None,
            counter: 0,
            body: "x".repeat(bytes),
        };
        Op::Put { item, when: Condition::Always }
    }

    #[tokio::test]
    async fn a_full_disk_is_told_and_survived() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path(), &ManualClock::at(START));
        let table = store.table();
        let pages = async |most: i64| {
            let limited = store.inner.writer.write(move |db| {
                let pages: i64 = db.query_one("PRAGMA page_count", [], |row| row.get(0))?;
                db.execute_batch(&format!("PRAGMA max_page_count = {}", pages + most))?;
                Ok::<_, WriteError<CommitError>>(())
            });
            limited.await.unwrap();
        };
        table.commit(vec![row("before", 10)], None).await.unwrap();
        pages(20).await;
        // Together in one transaction: what fits may go with what does not, or stay.
        let writes = (0..20).map(|n| {
            let table = Arc::clone(&table);
            async move { (n, table.commit(vec![row(&format!("{n}"), 20_000)], None).await) }
        });
        let mut full = 0;
        for (n, outcome) in futures::future::join_all(writes).await {
            let there = table.get(&Key::stored("p", n.to_string())).await.unwrap().is_some();
            match outcome {
                Ok(()) => assert!(there),
                Err(CommitError::Unavailable(cause)) => {
                    assert_eq!(cause.to_string(), "the disk is full");
                    assert!(!there);
                    full += 1;
                }
                Err(other) => panic!("{other:?}"),
            }
        }
        assert!(full >= 15, "{full}");
        pages(1_000).await;
        table.commit(vec![row("after", 300_000)], None).await.unwrap();
        assert!(table.get(&Key::stored("p", "before")).await.unwrap().is_some());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_store_opens_beside_those_who_write_without_pause() {
        let dir = tempfile::tempdir().unwrap();
        let clock = ManualClock::at(START);
        let table = open(dir.path(), &clock).table();
        let writers = (0..4).map(|task| {
            let table = Arc::clone(&table);
            tokio::spawn(async move {
                for n in 0.. {
                    table.commit(vec![row(&format!("{task}-{n}"), 10)], None).await.unwrap();
                }
            })
        });
        let writers: Vec<_> = writers.collect();
        for n in 0..5 {
            let (path, clock) = (dir.path().to_owned(), clock.clone());
            let other = tokio::task::spawn_blocking(move || open(&path, &clock)).await.unwrap();
            other.table().commit(vec![row(&format!("{n}"), 10)], None).await.unwrap();
        }
        writers.iter().for_each(tokio::task::JoinHandle::abort);
    }

    #[tokio::test]
    async fn a_job_that_fails_takes_nothing_from_those_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path(), &ManualClock::at(START));
        let jobs = (0..50).map(|n| {
            let writer = &store.inner.writer;
            writer.write(move |db| {
                let order = "INSERT INTO last_turn (queue, turn) VALUES (?1, 1)";
                crate::sql::change(db, order, [format!("{n}")])?;
                match n % 3 {
                    0 => Ok(()),
                    1 => Err(WriteError::Refused("no")),
                    // The same row again.
                    _ => Ok(crate::sql::change(db, order, [format!("{n}")]).map(|_| ())?),
                }
            })
        });
        let outcomes = futures::future::join_all(jobs).await;
        for (n, outcome) in outcomes.iter().enumerate() {
            match n % 3 {
                0 => assert!(outcome.is_ok()),
                1 => assert!(matches!(outcome, Err(WriteError::Refused("no")))),
                _ => assert!(matches!(outcome, Err(WriteError::Undone(Fault::Other(_))))),
            }
        }
        let rows = store.inner.readers.read(|db| {
            crate::sql::all(db, "SELECT queue FROM last_turn WHERE queue > ''", [], |row| {
                row.get::<_, String>(0)
            })
        });
        assert_eq!(rows.await.unwrap().len(), 17);
    }

    /// Runs these while the writer is held up, so that what they write at first becomes one transaction, and makes
    /// that transaction's end fail: by a foreign key that is looked at only then.
    async fn in_one_failing_transaction<T>(store: &Store, those: impl Future<Output = T>) -> T {
        let writer = &store.inner.writer;
        let tables = writer.write(|db| {
            let order = "CREATE TABLE a (x PRIMARY KEY);
                         CREATE TABLE b (y REFERENCES a DEFERRABLE INITIALLY DEFERRED)";
            Ok::<_, WriteError<CommitError>>(db.execute_batch(order)?)
        });
        tables.await.unwrap();
        let (runs, running) = tokio::sync::oneshot::channel();
        let (release, released) = std::sync::mpsc::channel::<()>();
        let held_up = writer.write(move |_| {
            runs.send(()).unwrap();
            released.recv().unwrap();
            Ok::<_, WriteError<CommitError>>(())
        });
        let failing = writer.write(|db| {
            db.execute_batch("INSERT INTO b VALUES (1)")?;
            Ok::<_, WriteError<CommitError>>(())
        });
        let behind_it = async {
            running.await.unwrap();
            // Polled in this order, each up to its first wait.
            futures::join!(those, failing, async { release.send(()).unwrap() })
        };
        let (_, (those, failed, ())) = futures::join!(held_up, behind_it);
        assert!(matches!(failed, Err(WriteError::Unsure(_))), "{failed:?}");
        those
    }

    #[tokio::test]
    async fn a_transaction_whose_end_fails_is_told_as_unknown_and_may_be_repeated() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path(), &ManualClock::at(START));
        let (table, token) = (store.table(), CommitToken("t".into()));
        let commit = table.commit(vec![row("s", 10)], Some(&token));
        let outcome = in_one_failing_transaction(&store, commit).await;
        assert!(matches!(outcome, Err(CommitError::Unknown(_))), "{outcome:?}");
        assert!(table.get(&Key::stored("p", "s")).await.unwrap().is_none());
        table.commit(vec![row("s", 10)], Some(&token)).await.unwrap();
        assert!(table.get(&Key::stored("p", "s")).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_deletion_that_does_not_last_leaves_the_content() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path(), &ManualClock::at(START));
        let (blobs, key) = (store.blobs(), BlobKey::stored("media/ten_a/k"));
        let mut lasted = 0;
        for n in 0..2 {
            blobs.put(&key, "content".into(), "text/plain").await.unwrap();
            // With a sweep behind it, which must not take the content while the deletion may be undone.
            let both = async {
                match n {
                    0 => futures::join!(blobs.delete(&key), store.collect_strays()).0,
                    _ => blobs.delete(&key).await,
                }
            };
            let deleted = in_one_failing_transaction(&store, both).await;
            let found = blobs.get(&key).await.unwrap();
            lasted += u32::from(deleted.is_ok());
            assert_eq!(found.is_none(), deleted.is_ok());
            store
                .inner
                .writer
                .write(|db| {
                    Ok::<_, WriteError<CommitError>>(
                        db.execute_batch("DROP TABLE b; DROP TABLE a")?,
                    )
                })
                .await
                .unwrap();
        }
        assert_eq!(lasted, 1, "the one behind which the sweep began a transaction of its own");
    }

    #[tokio::test]
    async fn a_stored_row_that_nobody_can_read_is_told_as_corrupt() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path(), &ManualClock::at(START));
        store.table().commit(vec![row("s", 10)], None).await.unwrap();
        let spoil = store.inner.writer.write(|db| {
            let order = "UPDATE item SET kind = 'dream' WHERE pk = 'p' AND sk = 's'";
            crate::sql::change(db, order, [])?;
            Ok::<_, WriteError<CommitError>>(())
        });
        spoil.await.unwrap();
        let read = store.table().get(&Key::stored("p", "s")).await;
        assert!(matches!(read, Err(nexus_core::table::StoreError::Corrupt(_))), "{read:?}");
    }

    #[tokio::test]
    async fn a_port_outlives_the_store_it_came_from() {
        let dir = tempfile::tempdir().unwrap();
        let table = open(dir.path(), &ManualClock::at(START)).table();
        table.commit(vec![row("s", 10)], None).await.unwrap();
        assert!(table.get(&Key::stored("p", "s")).await.unwrap().is_some());
    }
}
