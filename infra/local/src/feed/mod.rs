//! The local feed: a network of one machine, so that a post can be looked at without an account anywhere.
//!
//! A post is two files, its video and its text, named by the effect's idempotency key: sending it again changes
//! nothing, and looking it up is a look into the folder.

mod lives;
mod page;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use nexus_core::approval::Unsure;
use nexus_core::effect::{Found, Outcome};
use nexus_core::{Approved, CallContext};
use nexus_engine::connections::Access;
use nexus_engine::publishing::{Medium, Network, PostPlan, Preflight, Publisher};
use nexus_kernel::{Ambient, Failure, FieldProblem, Language, Timestamp};
use serde::{Deserialize, Serialize};

pub use page::routes;

/// The feed in a folder.
#[derive(Clone)]
pub struct Feed {
    folder: PathBuf,
    ambient: Ambient,
}

/// A post as the feed keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedPost {
    /// The key that came with it.
    pub key: String,
    /// Its language.
    pub language: Language,
    /// Its text.
    pub text: String,
    /// What is to be seen, in words.
    #[serde(default)]
    pub alt: String,
    /// Whether it shows a picture, and no video.
    #[serde(default)]
    pub picture: bool,
    /// When it came.
    pub posted: Timestamp,
}

impl FeedPost {
    /// The file that it shows.
    pub fn file(&self) -> String {
        format!("{}.{}", self.key, if self.picture { "jpg" } else { "mp4" })
    }
}

impl Feed {
    /// The feed in this folder, made where there is none.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn open(folder: &Path, ambient: Ambient) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.to_path_buf(), ambient })
    }

    /// Where the files lie.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// All posts, newest first.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn posts(&self) -> io::Result<Vec<FeedPost>> {
        let mut posts = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|e| e == "json") {
                posts.extend(serde_json::from_slice::<FeedPost>(&fs::read(&path)?));
            }
        }
        posts.sort_by(|a, b| b.posted.cmp(&a.posted).then_with(|| a.language.cmp(&b.language)));
        Ok(posts)
    }

    fn write(&self, post: &FeedPost, shown: &[u8]) -> io::Result<()> {
        // The text comes last: a post is there once its text is.
        self.put(&post.file(), shown)?;
        self.put(&format!("{}.json", post.key), &serde_json::to_vec_pretty(post)?)
    }

    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut draft = tempfile::NamedTempFile::new_in(&self.folder)?;
        draft.write_all(bytes)?;
        draft.as_file().sync_all()?;
        draft.persist(self.folder.join(name)).map_err(|e| e.error)?;
        fs::File::open(&self.folder)?.sync_all()
    }

    fn has(&self, key: &str) -> bool {
        self.folder.join(format!("{key}.json")).is_file()
    }
}

#[async_trait]
impl Publisher for Feed {
    fn network(&self) -> Network {
        Network::Feed
    }

    async fn preflight(
        &self,
        _: &CallContext,
        _: Option<&Access>,
        plan: &PostPlan,
    ) -> Result<Preflight, Failure> {
        let mut preflight = Preflight::default();
        if plan.media.is_none() {
            preflight.problems.push(FieldProblem {
                field: "media".to_owned(),
                problem: "the post shows nothing: wait until its picture is there".to_owned(),
            });
        }
        Ok(preflight)
    }

    async fn publish(
        &self,
        _: &CallContext,
        _: Option<&Access>,
        approved: &mut Approved<PostPlan>,
        medium: Medium,
    ) -> Outcome {
        let key = approved.idempotency_key();
        if self.has(&key) {
            return Outcome::Done { receipt: key.clone(), url: Some(format!("/feed#{key}")) };
        }
        let plan = approved.payload();
        let post = FeedPost {
            key: key.clone(),
            language: plan.language,
            text: plan.text.clone(),
            alt: plan.media.as_ref().and_then(|m| m.alt.clone()).unwrap_or_default(),
            picture: medium.content_type.starts_with("image/"),
            posted: self.ambient.now(),
        };
        let feed = self.clone();
        match tokio::task::spawn_blocking(move || feed.write(&post, &medium.bytes)).await {
            Ok(Ok(())) => Outcome::Done { receipt: key.clone(), url: Some(format!("/feed#{key}")) },
            Ok(Err(error)) => Outcome::Unknown { why: error.to_string() },
            Err(error) => Outcome::Unknown { why: error.to_string() },
        }
    }

    async fn look_up(
        &self,
        _: &CallContext,
        _: Option<&Access>,
        unsure: &Unsure<PostPlan>,
    ) -> Found {
        let key = unsure.idempotency_key();
        if self.has(&key) {
            Found::Done { receipt: key.clone(), url: Some(format!("/feed#{key}")) }
        } else {
            Found::NotDone
        }
    }
}
