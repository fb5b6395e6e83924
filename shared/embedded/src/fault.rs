use std::io;

use nexus_core::blobs::BlobError;
use nexus_core::queues::QueueError;
use nexus_core::table::StoreError;
use rusqlite::ErrorCode;

/// What went wrong below the ports, told so that an operator knows what to do.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Fault {
    #[error("the disk is full")]
    Full,
    #[error("another process has held the database for too long")]
    Busy,
    #[error("the store is closed")]
    Closed,
    #[error("what is stored is damaged: {0}")]
    Damaged(String),
    #[error("{0}")]
    Other(String),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error::{
            FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType,
        };
        match (error.sqlite_error_code(), &error) {
            (Some(ErrorCode::DiskFull), _) => Self::Full,
            (Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked), _) => Self::Busy,
            (Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase), _)
            | (
                _,
                FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..),
            ) => Self::Damaged(error.to_string()),
            _ => Self::Other(error.to_string()),
        }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Other(error.to_string()),
        }
    }
}

impl From<tokio::task::JoinError> for Fault {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::Other(error.to_string())
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Damaged(_) => Self::Corrupt(Box::new(fault)),
            _ => Self::Unavailable(Box::new(fault)),
        }
    }
}

impl From<Fault> for QueueError {
    fn from(fault: Fault) -> Self {
        Self::Unavailable(Box::new(fault))
    }
}

impl From<Fault> for BlobError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Full => Self::Full(Box::new(fault)),
            _ => Self::Unavailable(Box::new(fault)),
        }
    }
}
