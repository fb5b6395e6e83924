//! A person announces a medium: its place is made, and the browser is told where to put the bytes. A large one comes
//! in parts, which are joined once all are there.

use jiff::SignedDuration;
use nexus_core::blobs::{Joined, PartedUpload, SignedUpload, UploadRules};
use nexus_core::directory::OutsideKind;
use nexus_core::{BlobKey, Blobs, Directory, Op, Stored, records};
use nexus_kernel::{Failure, FailureKind, FieldProblem, Timestamp};

use crate::catalogue::{CatalogueProduct, ProductId, product_key};
use crate::desk::{Desk, TRIES};
use crate::media::{
    BegunUpload, MAX_AUDIO_BYTES, MAX_PHOTO_BYTES, MAX_VIDEO_BYTES, Media, MediaClass, MediaId,
    MediaState, media_key, upload_key,
};

/// How long the bytes may take to come, where they are put at once.
pub const UPLOAD_LIFE: SignedDuration = SignedDuration::from_mins(15);
/// How long they may take in parts: time for the largest medium over a slow line (500 MiB at 1.2 Mbit/s).
pub const PARTS_LIFE: SignedDuration = SignedDuration::from_hours(1);
/// The most characters in the name of a line of business.
pub const MAX_VERTICAL_CHARS: usize = 60;

/// What may be announced. The bytes decide later what it really is.
pub const ACCEPTED: [(&str, MediaClass); 15] = [
    ("image/jpeg", MediaClass::Photo),
    ("image/png", MediaClass::Photo),
    ("image/webp", MediaClass::Photo),
    ("image/gif", MediaClass::Photo),
    ("image/heic", MediaClass::Photo),
    ("image/avif", MediaClass::Photo),
    ("video/mp4", MediaClass::Video),
    ("video/quicktime", MediaClass::Video),
    ("video/webm", MediaClass::Video),
    ("audio/mpeg", MediaClass::Audio),
    ("audio/mp4", MediaClass::Audio),
    ("audio/x-m4a", MediaClass::Audio),
    ("audio/wav", MediaClass::Audio),
    ("audio/x-wav", MediaClass::Audio),
    ("audio/vnd.wave", MediaClass::Audio),
];

/// The most bytes of a class of media.
pub const fn max_bytes(class: MediaClass) -> u64 {
    match class {
        MediaClass::Photo => MAX_PHOTO_BYTES,
        MediaClass::Video => MAX_VIDEO_BYTES,
        MediaClass::Audio => MAX_AUDIO_BYTES,
    }
}

/// A medium that is to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    /// MIME type, one of [`ACCEPTED`].
    pub content_type: String,
    /// Bytes, 1 to [`max_bytes`].
    pub size: u64,
    /// The product that it shows.
    pub product: Option<ProductId>,
    /// The line of business it belongs to; the product's, where it shows one.
    pub vertical: Option<String>,
}

impl Announced {
    /// The class of the announced type.
    ///
    /// # Errors
    /// Every field that breaks a rule.
    pub fn check(&self) -> Result<MediaClass, Failure> {
        let mut problems = Vec::new();
        let mut refuse = |field: &str, problem: String| {
            problems.push(FieldProblem { field: field.into(), problem });
        };
        let accepted = ACCEPTED.iter().find(|(name, _)| *name == self.content_type);
        match accepted {
            None => {
                let known: Vec<&str> = ACCEPTED.iter().map(|(name, _)| *name).collect();
                refuse("content_type", format!("choose one of {}", known.join(", ")));
            }
            Some((_, class)) if !(1..=max_bytes(*class)).contains(&self.size) => {
                refuse("size", format!("it has 1 to {} bytes", max_bytes(*class)));
            }
            Some(_) => {}
        }
        let vertical = self.vertical.as_deref().unwrap_or_default();
        if vertical.chars().count() > MAX_VERTICAL_CHARS {
            refuse("vertical", format!("write at most {MAX_VERTICAL_CHARS} characters"));
        }
        if let (Some((_, class)), true) = (accepted, problems.is_empty()) {
            return Ok(*class);
        }
        Err(Failure::invalid("Some fields need another value.").with_fields(problems))
    }
}

/// How the bytes of a medium come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upload {
    /// By one request.
    AtOnce(SignedUpload),
    /// Part by part; [`join`] makes one of them.
    InParts(PartedUpload),
}

/// Makes the place of a medium and the requests that put its bytes there: one for up to `at_once` bytes, else one for
/// each part. Announcing the same id again finds the place and signs anew; what was begun in parts before is dropped.
///
/// # Errors
/// A field breaks a rule; there is no such product, or it belongs to another line of business; the medium of that
/// id has its bytes already.
pub async fn announce(
    desk: &Desk<'_>,
    blobs: &dyn Blobs,
    id: MediaId,
    announced: &Announced,
    at_once: u64,
) -> Result<(Media, Upload), Failure> {
    let class = announced.check()?;
    let Desk { table, scope, .. } = *desk;
    for _ in 0..TRIES {
        let now = desk.now();
        let standing = records::load::<Media>(table, &media_key(scope, id), now).await?;
        let (mut media, version, mut ops) = match standing {
            Some(Stored { record, version }) => (record, Some(version), Vec::new()),
            None => {
                let product = product(desk, announced).await?;
                let media = Media::awaiting(
                    scope,
                    id,
                    class,
                    announced.product,
                    vertical(announced, product.as_ref())?,
                    now,
                );
                let claim = Directory::of(scope.product()).claim(
                    scope,
                    OutsideKind::Upload,
                    media.upload.as_str(),
                    &id.to_string(),
                );
                let mut ops: Vec<Op> = vec![claim];
                ops.extend(product.map(|p| p.unchanged(scope)));
                (media, None, ops)
            }
        };
        if media.state != MediaState::AwaitingUpload {
            return Err(Failure::conflict("The bytes of this medium came already."));
        }
        if media.upload != upload_key(scope, id, class) {
            return Err(Failure::conflict("This medium was announced as something else."));
        }
        let before = media.begun.take();
        let upload = sign(blobs, &media.upload, announced, at_once, now).await?;
        if let Upload::InParts(parted) = &upload {
            let Announced { content_type, size, .. } = announced.clone();
            media.begun = Some(BegunUpload { id: parted.id.clone(), content_type, size });
        }
        match version {
            None => ops.push(records::create(scope, &media)),
            Some(version) if media.begun != before => {
                ops.push(Stored { record: media.clone(), version }.update(scope));
            }
            Some(_) => {}
        }
        let stands = ops.is_empty() || desk.commit(ops).await?;
        // What no record names any more: the upload that was begun before, or the one that was begun for nothing.
        if let Some(begun) = if stands { before } else { media.begun.take() } {
            drop_parts(blobs, &media.upload, &begun).await;
        }
        if stands {
            return Ok((media, upload));
        }
    }
    Err(Desk::crowded())
}

async fn sign(
    blobs: &dyn Blobs,
    key: &BlobKey,
    announced: &Announced,
    at_once: u64,
    now: Timestamp,
) -> Result<Upload, Failure> {
    let Announced { content_type, size, .. } = announced.clone();
    let until = |life: SignedDuration| now.saturating_add(life).unwrap_or(now);
    if size <= at_once {
        let rules = UploadRules { content_type, size, until: until(UPLOAD_LIFE) };
        return Ok(Upload::AtOnce(blobs.sign_upload(key, &rules).await?));
    }
    let rules = UploadRules { content_type, size, until: until(PARTS_LIFE) };
    Ok(Upload::InParts(blobs.sign_parts(key, &rules).await?))
}

/// Drops an upload in parts. Where that fails, the store itself removes it a day after its moment.
async fn drop_parts(blobs: &dyn Blobs, key: &BlobKey, begun: &BegunUpload) {
    if let Err(error) = blobs.drop_parts(key, &begun.id).await {
        tracing::warn!(blob = %key, %error, "parts of an upload that nobody joins stay for the store's own sweep");
    }
}

/// Makes one upload of a medium's parts, once all have come; then it goes the way of every upload. May be asked again.
///
/// # Errors
/// There is no such medium, or its upload is gone; it does not come in parts; parts are missing (`Conflict`, naming
/// each by its number).
pub async fn join(desk: &Desk<'_>, blobs: &dyn Blobs, id: MediaId) -> Result<Media, Failure> {
    let media = records::load::<Media>(desk.table, &media_key(desk.scope, id), desk.now()).await?;
    let media = media.ok_or_else(|| Failure::not_found("medium"))?.record;
    if media.state != MediaState::AwaitingUpload {
        return Ok(media);
    }
    let Some(BegunUpload { id, content_type, size }) = media.begun.clone() else {
        return Err(Failure::conflict(
            "This medium does not come in parts: put it by the request that its announcement answered.",
        ));
    };
    let rules = UploadRules { content_type, size, until: desk.now() };
    match blobs.join_parts(&media.upload, &id, &rules).await? {
        Joined::Now | Joined::Before => Ok(media),
        Joined::Missing(numbers) => Err(missing(&numbers)),
        Joined::Gone => Err(Failure::new(
            FailureKind::NotFound,
            "The upload of this medium is gone. Announce the medium anew.",
        )),
    }
}

fn missing(numbers: &[u32]) -> Failure {
    let told: Vec<String> = numbers.iter().map(u32::to_string).collect();
    let problem = |number: &String| FieldProblem {
        field: format!("parts.{number}"),
        problem: "it has not come, or not in its size".to_owned(),
    };
    let problems = told.iter().map(problem).collect();
    let what = if told.len() == 1 { "This part has" } else { "These parts have" };
    Failure::conflict(format!(
        "{what} not come: {}. Put what is missing, then join again.",
        told.join(", ")
    ))
    .with_fields(problems)
}

async fn product(
    desk: &Desk<'_>,
    announced: &Announced,
) -> Result<Option<Stored<CatalogueProduct>>, Failure> {
    let Some(id) = announced.product else { return Ok(None) };
    let key = product_key(desk.scope, id);
    let product = records::load(desk.table, &key, desk.now()).await?;
    product.map(Some).ok_or_else(|| Failure::field("product", "there is no such product"))
}

fn vertical(
    announced: &Announced,
    product: Option<&Stored<CatalogueProduct>>,
) -> Result<String, Failure> {
    match (&announced.vertical, product.map(|p| &p.record.facts.vertical)) {
        (Some(said), Some(of_product)) if said != of_product => {
            let problem = format!("the product belongs to `{of_product}`: leave this out");
            Err(Failure::field("vertical", problem))
        }
        (Some(vertical), _) | (None, Some(vertical)) => Ok(vertical.clone()),
        (None, None) => Ok(String::new()),
    }
}
