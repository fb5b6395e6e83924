//! The signed addresses of blobs: what S3's presigned requests are on AWS.
//!
//! A browser puts exactly what was announced, or nothing; what came is told to the queue that the template wires
//! to the bucket. A part is told to nobody: it is nothing yet.

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::StreamExt;
use nexus_core::blobs::BlobError;
use nexus_core::{Blobs, Queues};
use nexus_embedded::{PartGrant, SignedUrls, Store, UrlError};
use nexus_kernel::Ambient;
use tokio::io::AsyncWriteExt;
use tower::ServiceExt;
use tower_http::services::ServeFile;

use crate::bucket_notices;
use crate::template::plan::BucketPlan;

/// What the routes need.
#[derive(Clone)]
pub(crate) struct Uploads {
    pub(crate) store: Store,
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) queues: Arc<dyn Queues>,
    pub(crate) urls: Arc<SignedUrls>,
    pub(crate) buckets: Arc<Vec<BucketPlan>>,
    pub(crate) ambient: Ambient,
    pub(crate) scratch: PathBuf,
}

/// `PUT` and `GET /blobs/…`, each only as it was signed.
pub(crate) fn routes(uploads: Uploads) -> Router {
    Router::new()
        .route("/blobs/{*key}", get(give).put(take))
        .layer(DefaultBodyLimit::disable())
        .with_state(uploads)
}

/// Why an address was not heeded.
enum Refused {
    Url(UrlError),
    Store(BlobError),
    Io(std::io::Error),
    NotFound,
    Untold,
}

impl From<UrlError> for Refused {
    fn from(error: UrlError) -> Self {
        Self::Url(error)
    }
}

impl From<BlobError> for Refused {
    fn from(error: BlobError) -> Self {
        Self::Store(error)
    }
}

impl From<std::io::Error> for Refused {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::Url(error) => (StatusCode::FORBIDDEN, format!("{error}\n")).into_response(),
            Self::NotFound => StatusCode::NOT_FOUND.into_response(),
            Self::Store(error) => unavailable(&error),
            Self::Io(error) => unavailable(&error),
            Self::Untold => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        }
    }
}

fn unavailable(error: &dyn std::error::Error) -> Response {
    tracing::error!(%error, "a blob could not be put or read");
    (StatusCode::SERVICE_UNAVAILABLE, "not available now, try again\n").into_response()
}

async fn take(State(uploads): State<Uploads>, request: Request) -> Result<StatusCode, Refused> {
    let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
    let now = uploads.ambient.now();
    match uploads.urls.verify_part(path, query, now) {
        Ok(grant) => return take_part(&uploads, grant, request).await,
        // Not a part's address; perhaps an upload's.
        Err(UrlError::Forged) => {}
        Err(error) => return Err(error.into()),
    }
    let grant = uploads.urls.verify_upload(path, query, now)?;
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let content_type = content_type.unwrap_or_default().to_owned();
    grant.admits(&content_type, announced(&request).unwrap_or(grant.rules.size))?;

    // To a file first: half an upload is none, and a large one does not fit into memory.
    let file = tempfile::NamedTempFile::new_in(&uploads.scratch)?;
    let size = write_down(grant.rules.size, request.into_body(), &file).await?;
    grant.admits(&content_type, size)?;
    let facts = uploads.blobs.put_file(&grant.key, file.path(), &content_type).await?;
    let now = uploads.ambient.now();
    let (buckets, queues) = (&uploads.buckets, &*uploads.queues);
    let told =
        bucket_notices::tell(buckets, queues, bucket_notices::PUT, &grant.key, facts.size, now)
            .await;
    // Without its notice nobody would look at it: the browser has to try again.
    told.map_err(|failure| {
        nexus_handler::outcome::log("uploads", &failure);
        Refused::Untold
    })?;
    Ok(StatusCode::OK)
}

async fn take_part(
    uploads: &Uploads,
    grant: PartGrant,
    request: Request,
) -> Result<StatusCode, Refused> {
    grant.admits(announced(&request).unwrap_or(grant.size))?;
    let file = tempfile::NamedTempFile::new_in(&uploads.scratch)?;
    grant.admits(write_down(grant.size, request.into_body(), &file).await?)?;
    let path = file.path().to_owned();
    match uploads.store.put_part(&grant, move || std::fs::File::open(path)).await? {
        true => Ok(StatusCode::OK),
        // It was joined or dropped meanwhile.
        false => Err(Refused::NotFound),
    }
}

/// How many bytes the request says to have, if it does.
fn announced(request: &Request) -> Option<u64> {
    request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok())
}

/// Writes the body down, as long as it has no more than so many bytes; how many came.
async fn write_down(most: u64, body: Body, file: &tempfile::NamedTempFile) -> Result<u64, Refused> {
    let mut to = tokio::fs::File::from_std(file.reopen()?);
    let (mut stream, mut size) = (body.into_data_stream(), 0u64);
    while let Some(chunk) = stream.next().await {
        // A connection that broke off: nothing came.
        let Ok(chunk) = chunk else { return Err(UrlError::OtherSize.into()) };
        size += chunk.len() as u64;
        if size > most {
            return Err(UrlError::OtherSize.into());
        }
        to.write_all(&chunk).await?;
    }
    to.flush().await?;
    Ok(size)
}

async fn give(State(uploads): State<Uploads>, request: Request) -> Result<Response, Refused> {
    let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
    let key = uploads.urls.verify_download(path, query, uploads.ambient.now())?;
    let file = tempfile::NamedTempFile::new_in(&uploads.scratch)?;
    let facts = uploads.blobs.fetch(&key, file.path()).await?.ok_or(Refused::NotFound)?;
    // `ServeFile` answers ranges, so that a video can be played from anywhere. The open file outlives its name.
    let mut response = match ServeFile::new(file.path()).oneshot(request).await {
        Ok(response) => response.into_response(),
        Err(never) => match never {},
    };
    let headers = response.headers_mut();
    if let Ok(content_type) = HeaderValue::from_str(&facts.content_type) {
        headers.insert(header::CONTENT_TYPE, content_type);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}
