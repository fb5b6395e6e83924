//! Bodies of forms: `application/x-www-form-urlencoded` (WHATWG URL, section 5) and `multipart/form-data` (RFC 7578).
//!
//! **Never here:** which field may be sent: the operation's list says that.

use std::borrow::Cow;

use bytes::Bytes;
use nexus_kernel::{Digest, Secret};

use crate::error::Misbuilt;

/// A field of an urlencoded form. The value is never printed: codes, tokens and secrets stand in such forms.
#[derive(Debug, Clone)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its value.
    pub value: Secret<String>,
}

impl Field {
    /// A field.
    pub fn new(name: &'static str, value: impl Into<String>) -> Self {
        Self { name, value: Secret::new(value.into()) }
    }
}

impl PartialEq for Field {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.value.reveal() == other.value.reveal()
    }
}

/// A part of a multipart form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its name.
    pub name: &'static str,
    /// Under which name a file is sent; `None` is no file. A server may keep the file under this name.
    pub file: Option<Cow<'static, str>>,
    /// Its content type; `None` is plain text.
    pub content_type: Option<&'static str>,
    /// What it carries.
    pub bytes: Bytes,
}

impl Part {
    /// A field of text.
    pub fn text(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, file: None, content_type: None, bytes: Bytes::from(text.into()) }
    }

    /// A file.
    pub fn file(
        name: &'static str,
        file: impl Into<Cow<'static, str>>,
        content_type: &'static str,
        bytes: Bytes,
    ) -> Self {
        Self { name, file: Some(file.into()), content_type: Some(content_type), bytes }
    }
}

/// The content type of an urlencoded form.
pub(super) const URLENCODED: &str = "application/x-www-form-urlencoded";

pub(super) fn urlencoded(fields: &[Field]) -> Bytes {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    for field in fields {
        form.append_pair(field.name, field.value.reveal());
    }
    Bytes::from(form.finish())
}

/// A multipart body and its content type. The boundary follows from the parts, so that equal parts are equal bytes, and
/// no part can hold it: it would have to hold its own digest.
pub(super) fn multipart(parts: &[Part]) -> Result<(String, Bytes), Misbuilt> {
    let pieces = parts.iter().flat_map(|part| [part.name.as_bytes(), &part.bytes]);
    let boundary: String = Digest::of_parts(pieces).to_hex().chars().take(40).collect();
    let mut body = Vec::with_capacity(parts.iter().map(|part| part.bytes.len() + 200).sum());
    for part in parts {
        let plain = |text: &str| !text.contains(['"', '\r', '\n', '\\']);
        if ![Some(part.name), part.file.as_deref(), part.content_type]
            .into_iter()
            .flatten()
            .all(plain)
        {
            return Err(Misbuilt::Part { name: part.name });
        }
        body.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
        body.extend_from_slice(
            format!("Content-Disposition: form-data; name=\"{}\"", part.name).as_bytes(),
        );
        if let Some(file) = &part.file {
            body.extend_from_slice(format!("; filename=\"{file}\"").as_bytes());
        }
        body.extend_from_slice(b"\r\n");
        if let Some(content_type) = part.content_type {
            body.extend_from_slice(format!("Content-Type: {content_type}\r\n").as_bytes());
        }
        body.extend_from_slice(b"\r\n");
        body.extend_from_slice(&part.bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Ok((format!("multipart/form-data; boundary={boundary}"), Bytes::from(body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n44_a_form_is_encoded_and_never_printed() {
        let fields = [Field::new("code", "a b&c=d/é"), Field::new("grant", "x")];
        assert_eq!(urlencoded(&fields), "code=a+b%26c%3Dd%2F%C3%A9&grant=x");
        assert!(!format!("{fields:?}").contains("a b"));
    }

    #[test]
    fn a_multipart_form_stands_as_rfc_7578_has_it() {
        let film = Part::file("file", "film.mp4", "video/mp4", Bytes::from_static(b"\r\n--x\r\n"));
        let (content_type, body) = multipart(&[Part::text("alt", "a cup"), film]).unwrap();
        let boundary = content_type.strip_prefix("multipart/form-data; boundary=").unwrap();
        assert_eq!(
            String::from_utf8(body.to_vec()).unwrap(),
            format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"alt\"\r\n\r\na cup\r\n\
                 --{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"film.mp4\"\r\n\
                 Content-Type: video/mp4\r\n\r\n\r\n--x\r\n\r\n--{boundary}--\r\n"
            )
        );
    }

    #[test]
    fn a_name_that_would_end_its_header_is_refused() {
        assert!(multipart(&[Part::text("a\"\r\nX: y", "")]).is_err());
    }
}
