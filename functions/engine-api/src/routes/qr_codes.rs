//! A link's address as a QR code, to print.
//!
//! Of the crates that make QR codes, `qrcode` is the one that most others build on, and this repository tests its reading
//! of codes with it; `fast_qr` would bring a renderer of SVG along for the PNG.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use nexus_engine::links::{self, LinkCode};
use nexus_handler::http::Problem;
use nexus_kernel::Failure;
use qrcode::render::svg;
use qrcode::{Color, EcLevel, QrCode};

use super::links::address;
use crate::Deps;
use crate::asking::{Asking, Named};

/// Pixels of a module's side: a code of the usual 33 modules and its margin prints well at 5 cm.
const SCALE: usize = 12;
/// The empty margin, in modules (ISO/IEC 18004, 9.1).
const QUIET: usize = 4;

/// The code of a link that stands, one that has ended included: it may be printed already.
async fn code(deps: &Deps, asking: &Asking, code: &LinkCode) -> Result<QrCode, Failure> {
    let link = links::load(&*deps.table, asking.scope(), code, deps.ambient.now()).await?;
    let address = address(&link.record.code, deps.link_base.as_deref()).ok_or_else(|| {
        Failure::conflict("This deployment answers no links yet: its operator sets `LINK_BASE`.")
    })?;
    QrCode::with_error_correction_level(address, EcLevel::M).map_err(Failure::bug)
}

/// A link's QR code, as a drawing
#[utoipa::path(
    get, path = "/v1/links/{id}/qr.svg", operation_id = "draw_link", tag = "links",
    params(("id" = String, Path, description = "Its code.")),
    responses(
        (status = 200, content_type = "image/svg+xml", body = String),
        (status = 409, description = "No links are answered here."),
    )
)]
pub(crate) async fn svg(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Named(named): Named<LinkCode>,
) -> Result<impl IntoResponse, Problem> {
    let drawn = code(&deps, &asking, &named).await?;
    let svg = drawn.render::<svg::Color<'_>>().module_dimensions(10, 10).quiet_zone(true).build();
    Ok(([(header::CONTENT_TYPE, "image/svg+xml")], svg))
}

/// A link's QR code, as a picture
#[utoipa::path(
    get, path = "/v1/links/{id}/qr.png", operation_id = "picture_link", tag = "links",
    params(("id" = String, Path, description = "Its code.")),
    responses(
        (status = 200, content_type = "image/png", body = Vec<u8>),
        (status = 409, description = "No links are answered here."),
    )
)]
pub(crate) async fn png(
    State(deps): State<Arc<Deps>>,
    asking: Asking,
    Named(named): Named<LinkCode>,
) -> Result<impl IntoResponse, Problem> {
    let picture = picture(&code(&deps, &asking, &named).await?).map_err(Failure::bug)?;
    Ok(([(header::CONTENT_TYPE, "image/png")], picture))
}

/// Black and white, one bit a pixel.
fn picture(code: &QrCode) -> Result<Vec<u8>, png::EncodingError> {
    let side = (code.width() + 2 * QUIET) * SCALE;
    let modules = code.to_colors();
    let is_light = |x: usize, y: usize| {
        let (x, y) = ((x / SCALE).checked_sub(QUIET), (y / SCALE).checked_sub(QUIET));
        let module = x.zip(y).filter(|(x, y)| *x < code.width() && *y < code.width());
        module.and_then(|(x, y)| modules.get(y * code.width() + x)) != Some(&Color::Dark)
    };
    let mut rows = vec![0; side.div_ceil(8) * side];
    for (y, row) in rows.chunks_mut(side.div_ceil(8)).enumerate() {
        for (at, byte) in row.iter_mut().enumerate() {
            *byte = (0..8).fold(0, |bits, bit| bits << 1 | u8::from(is_light(at * 8 + bit, y)));
        }
    }
    let (mut file, pixels) = (Vec::new(), u32::try_from(side).unwrap_or(u32::MAX));
    let mut encoder = png::Encoder::new(&mut file, pixels, pixels);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&rows)?;
    writer.finish()?;
    Ok(file)
}
