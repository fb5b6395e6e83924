//! The one thread that writes: it takes what is waiting, runs it as one transaction and makes it durable with one
//! `fsync`. So many who write at once wait hardly longer than one.

use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::fault::Fault;
use crate::processes::Turnstile;

/// The most jobs in one transaction.
const GROUP: usize = 64;

/// Why a job did not succeed.
#[derive(Debug)]
pub(crate) enum WriteError<E> {
    /// The job itself found that it must not be done; nothing was changed.
    Refused(E),
    /// It could not be done; nothing was changed.
    Undone(Fault),
    /// The end of the transaction went wrong: it may be there or not.
    Unsure(Fault),
}

impl<E> From<rusqlite::Error> for WriteError<E> {
    fn from(error: rusqlite::Error) -> Self {
        Self::Undone(error.into())
    }
}

impl<E> From<std::io::Error> for WriteError<E> {
    fn from(error: std::io::Error) -> Self {
        Self::Undone(error.into())
    }
}

impl<E> WriteError<E> {
    /// The one error where it matters only that it failed.
    pub(crate) fn into_one(self) -> E
    where
        E: From<Fault>,
    {
        match self {
            Self::Refused(error) => error,
            Self::Undone(fault) | Self::Unsure(fault) => fault.into(),
        }
    }
}

/// Hands jobs to the thread.
pub(crate) struct Writer {
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread on this connection.
    pub(crate) fn start(db: Connection, turnstile: Turnstile) -> std::io::Result<Self> {
        let (jobs, waiting) = mpsc::channel();
        let thread = thread::Builder::new().name("store-writer".into()).spawn(move || {
            write_groups(&db, &turnstile, &waiting);
        })?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Runs a job; when this returns, what it did is durable. The job runs in a transaction, of which it is all or
    /// nothing: an error undoes all that it did. Whoever no longer waits for the answer does not stop it.
    pub(crate) async fn write<T, E>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, WriteError<E>> + Send + 'static,
    ) -> Result<T, WriteError<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        self.hand_over(work, false).await
    }

    /// The same for a job that acts on files: it leads its transaction, so that all it finds in the database is
    /// durable already, and no failure of others can undo it.
    pub(crate) async fn write_leading<T, E>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, WriteError<E>> + Send + 'static,
    ) -> Result<T, WriteError<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        self.hand_over(work, true).await
    }

    async fn hand_over<T, E>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, WriteError<E>> + Send + 'static,
        leads: bool,
    ) -> Result<T, WriteError<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Task { work: Some(work), leads, outcome: None, reply });
        let sent = self.jobs.as_ref().map(|jobs| jobs.send(job));
        if !matches!(sent, Some(Ok(()))) {
            return Err(WriteError::Undone(Fault::Closed));
        }
        answer.await.unwrap_or(Err(WriteError::Unsure(Fault::Closed)))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the store's writing thread ended in a panic");
        }
    }
}

/// How a transaction ended.
enum Ending {
    Durable,
    Undone(Fault),
    Unsure(Fault),
}

trait Job: Send {
    /// Whether it has to be the first of its transaction.
    fn leads(&self) -> bool;

    /// Does the work; an error where it is to be undone, with what the store itself had against it.
    fn run(&mut self, db: &Connection) -> Result<(), Option<Fault>>;

    /// Answers.
    fn end(self: Box<Self>, ending: &Ending);
}

struct Task<W, T, E> {
    work: Option<W>,
    leads: bool,
    outcome: Option<Result<T, WriteError<E>>>,
    reply: oneshot::Sender<Result<T, WriteError<E>>>,
}

impl<W, T, E> Job for Task<W, T, E>
where
    W: FnOnce(&Connection) -> Result<T, WriteError<E>> + Send,
    T: Send,
    E: Send,
{
    fn leads(&self) -> bool {
        self.leads
    }

    fn run(&mut self, db: &Connection) -> Result<(), Option<Fault>> {
        self.outcome = self.work.take().map(|work| work(db));
        match &self.outcome {
            Some(Ok(_)) => Ok(()),
            Some(Err(WriteError::Undone(fault) | WriteError::Unsure(fault))) => {
                Err(Some(fault.clone()))
            }
            Some(Err(WriteError::Refused(_))) | None => Err(None),
        }
    }

    fn end(self: Box<Self>, ending: &Ending) {
        let answer = match (ending, self.outcome) {
            (Ending::Durable, Some(outcome)) => outcome,
            // A refusal too: it may rest on what others did in the same transaction.
            (Ending::Undone(fault), _) => Err(WriteError::Undone(fault.clone())),
            (Ending::Unsure(fault), _) => Err(WriteError::Unsure(fault.clone())),
            (Ending::Durable, None) => Err(WriteError::Undone(Fault::Closed)),
        };
        // Nobody may be waiting any more.
        drop(self.reply.send(answer));
    }
}

fn write_groups(db: &Connection, turnstile: &Turnstile, waiting: &mpsc::Receiver<Box<dyn Job>>) {
    let mut leader = None;
    while let Some(first) = leader.take().or_else(|| waiting.recv().ok()) {
        let mut group = vec![first];
        while let Some(job) = waiting.try_iter().take(GROUP - group.len()).next() {
            if job.leads() {
                leader = Some(job);
                break;
            }
            group.push(job);
        }
        let ending = match turnstile.pass() {
            Ok(_turn) => write_group(db, &mut group),
            Err(error) => Ending::Undone(error.into()),
        };
        if let Ending::Undone(fault) | Ending::Unsure(fault) = &ending {
            tracing::error!(error = %fault, jobs = group.len(), "the store could not write");
        }
        for job in group {
            job.end(&ending);
        }
    }
}

fn write_group(db: &Connection, group: &mut [Box<dyn Job>]) -> Ending {
    let run = || -> Result<(), Fault> {
        control(db, "BEGIN IMMEDIATE")?;
        for job in group {
            control(db, "SAVEPOINT job")?;
            if let Err(fault) = job.run(db) {
                // On a full disk SQLite gives up the whole transaction.
                if let Some(fault) = fault.filter(|_| db.is_autocommit()) {
                    return Err(fault);
                }
                control(db, "ROLLBACK TO job")?;
            }
            control(db, "RELEASE job")?;
        }
        Ok(())
    };
    if let Err(fault) = run() {
        undo(db);
        return Ending::Undone(fault);
    }
    match control(db, "COMMIT") {
        Ok(()) => Ending::Durable,
        Err(error) => {
            undo(db);
            Ending::Unsure(error.into())
        }
    }
}

fn control(db: &Connection, order: &str) -> rusqlite::Result<()> {
    db.prepare_cached(order)?.execute([]).map(|_| ())
}

fn undo(db: &Connection) {
    if !db.is_autocommit()
        && let Err(error) = db.execute_batch("ROLLBACK")
    {
        tracing::error!(%error, "a transaction could not be undone");
    }
}
