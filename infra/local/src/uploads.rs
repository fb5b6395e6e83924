//! The signed addresses of blobs: what S3's presigned requests are on AWS.
//!
//! A browser puts exactly what was announced, or nothing; what came is told to the queue that the template wires
//! to the bucket.

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
use nexus_embedded::{SignedUrls, UploadGrant, UrlError};
use nexus_kernel::Ambient;
use tokio::io::AsyncWriteExt;
use tower::ServiceExt;
use tower_http::services::ServeFile;

use crate::bucket_notices;
use crate::template::plan::BucketPlan;

/// What the routes need.
#[derive(Clone)]
pub(crate) struct Uploads {
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
    let grant = uploads.urls.verify_upload(path, query, uploads.ambient.now())?;
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let content_type = content_type.unwrap_or_default().to_owned();
    let announced =
        request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
    grant.admits(&content_type, announced.unwrap_or(grant.rules.size))?;

    // To a file first: half an upload is none, and a large one does not fit into memory.
    let file = tempfile::NamedTempFile::new_in(&uploads.scratch)?;
    let size = write_down(&grant, request.into_body(), &file).await?;
    grant.admits(&content_type, size)?;
    let facts = uploads.blobs.put_file(&grant.key, file.path(), &content_type).await?;
    let now = uploads.ambient.now();
    let told =
        bucket_notices::tell(&uploads.buckets, &*uploads.queues, &grant.key, facts.size, now).await;
    // Without its notice nobody would look at it: the browser has to try again.
    told.map_err(|failure| {
        nexus_handler::outcome::log("uploads", &failure);
        Refused::Untold
    })?;
    Ok(StatusCode::OK)
}

/// Writes the body down, up to one byte more than was announced; how many bytes came.
async fn write_down(
    grant: &UploadGrant,
    body: Body,
    file: &tempfile::NamedTempFile,
) -> Result<u64, Refused> {
    let mut to = tokio::fs::File::from_std(file.reopen()?);
    let (mut stream, mut size) = (body.into_data_stream(), 0u64);
    while let Some(chunk) = stream.next().await {
        // A connection that broke off: nothing came.
        let Ok(chunk) = chunk else { return Err(UrlError::OtherSize.into()) };
        size += chunk.len() as u64;
        if size > grant.rules.size {
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
