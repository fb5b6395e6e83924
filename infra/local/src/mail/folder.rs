//! Mail that leaves by nobody: a file each, as it would have left, for its owner to look at with any mail program.

use std::fs::{DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use nexus_core::effect::Outcome;
use nexus_core::mail::{Mail, Message};

use super::{UNWRITTEN, Writer, Written};

/// The folder's name in the data directory.
pub(super) const NAME: &str = "mail";

/// The folder.
pub(crate) struct Folder {
    folder: PathBuf,
    writer: Writer,
}

impl Folder {
    pub(crate) fn new(folder: &Path, writer: Writer) -> Self {
        Self { folder: folder.to_path_buf(), writer }
    }
}

/// Puts a mail into the folder: whole, durable, and its owner's alone to read, or not at all.
fn put(folder: &Path, mail: &Written) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    // A temporary file has mode 0600, and keeps it under its name.
    let mut draft = tempfile::NamedTempFile::new_in(folder)?;
    draft.write_all(&mail.bytes)?;
    draft.as_file().sync_all()?;
    let name = mail.id.split('@').next().unwrap_or_default();
    draft.persist(folder.join(format!("{name}.eml"))).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

#[async_trait]
impl Mail for Folder {
    async fn send(&self, message: &Message) -> Outcome {
        let Some(mail) = self.writer.write(message) else {
            return Outcome::Refused { why: UNWRITTEN.to_owned() };
        };
        let folder = self.folder.clone();
        let put = tokio::task::spawn_blocking(move || put(&folder, &mail).map(|()| mail.id)).await;
        match put {
            Ok(Ok(receipt)) => Outcome::Done { receipt, url: None },
            // It may stand there already, and its directory not be durable.
            Ok(Err(error)) => Outcome::Unknown { why: format!("the folder of mails: {error}") },
            Err(_) => Outcome::Unknown { why: "writing the mail's file broke off".to_owned() },
        }
    }
}
