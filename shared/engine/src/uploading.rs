//! A person announces a medium: its place is made, and the browser is told where to put the bytes.

use jiff::SignedDuration;
use nexus_core::blobs::{SignedUpload, UploadRules};
use nexus_core::directory::OutsideKind;
use nexus_core::{Blobs, Directory, Op, Stored, records};
use nexus_kernel::{Failure, FieldProblem};

use crate::catalogue::{CatalogueProduct, ProductId, product_key};
use crate::desk::{Desk, TRIES};
use crate::media::{
    MAX_AUDIO_BYTES, MAX_PHOTO_BYTES, MAX_VIDEO_BYTES, Media, MediaClass, MediaId, MediaState,
    media_key, upload_key,
};

/// How long the bytes may take to come.
pub const UPLOAD_LIFE: SignedDuration = SignedDuration::from_mins(15);
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

/// Makes the place of a medium and the request that puts its bytes there. Announcing the same id again finds the
/// place and signs anew.
///
/// # Errors
/// A field breaks a rule; there is no such product, or it belongs to another line of business; the medium of that
/// id has its bytes already.
pub async fn announce(
    desk: &Desk<'_>,
    blobs: &dyn Blobs,
    id: MediaId,
    announced: &Announced,
) -> Result<(Media, SignedUpload), Failure> {
    let class = announced.check()?;
    let Desk { table, scope, .. } = *desk;
    for _ in 0..TRIES {
        let now = desk.now();
        let standing = records::load::<Media>(table, &media_key(scope, id), now).await?;
        let (media, ops) = match standing {
            Some(standing) => (standing.record, Vec::new()),
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
                let mut ops: Vec<Op> = vec![records::create(scope, &media), claim];
                ops.extend(product.map(|p| p.unchanged(scope)));
                (media, ops)
            }
        };
        if media.state != MediaState::AwaitingUpload {
            return Err(Failure::conflict("The bytes of this medium came already."));
        }
        if media.upload != upload_key(scope, id, class) {
            return Err(Failure::conflict("This medium was announced as something else."));
        }
        let rules = UploadRules {
            content_type: announced.content_type.clone(),
            size: announced.size,
            until: now.saturating_add(UPLOAD_LIFE).unwrap_or(now),
        };
        let upload = blobs.sign_upload(&media.upload, &rules).await?;
        if ops.is_empty() || desk.commit(ops).await? {
            return Ok((media, upload));
        }
    }
    Err(Desk::crowded())
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
