//! Icons and logos, as data URLs (RFC 2397).

use base64ct::{Base64, Encoding};

use super::Statement;
use crate::case::{Outcome, Stop, ensure, present};

const PNG: &str = "data:image/png;base64,";
const SVG: &str = "data:image/svg+xml;base64,";
const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// `icon`: PNG or SVG.
pub(crate) fn icon(statement: &Statement) -> Outcome {
    let Some(icon) = statement.optional_text("icon")? else {
        return Ok(());
    };
    match icon.strip_prefix(PNG) {
        Some(image) => {
            let image = decode(image)?;
            ensure!(image.starts_with(PNG_SIGNATURE), "icon is not a PNG image");
            Ok(())
        }
        None => svg_of(icon, "icon").map(drop),
    }
}

/// `iconDark`: SVG.
pub(crate) fn icon_dark(statement: &Statement) -> Outcome {
    match statement.optional_text("iconDark")? {
        Some(icon) => svg_of(icon, "iconDark").map(drop),
        None => Ok(()),
    }
}

/// `providerLogoLight`.
pub(crate) fn logo_light(statement: &Statement) -> Outcome {
    logo(statement, "providerLogoLight")
}

/// `providerLogoDark`.
pub(crate) fn logo_dark(statement: &Statement) -> Outcome {
    logo(statement, "providerLogoDark")
}

/// SVG Tiny Portable/Secure: vectors only, square, with a title, without comments.
fn logo(statement: &Statement, name: &str) -> Outcome {
    let Some(logo) = statement.optional_text(name)? else {
        return Ok(());
    };
    let svg = svg_of(logo, name)?;
    ensure!(svg.contains(r#"version="1.2""#), "{name} is not SVG 1.2");
    ensure!(
        svg.contains(r#"baseProfile="tiny-ps""#),
        "{name} does not have the profile tiny-ps"
    );
    ensure!(!svg.contains("<image"), "{name} contains pixels");
    ensure!(!svg.contains("<!--"), "{name} contains a comment");
    ensure!(
        svg.contains("<title>") && !svg.contains("<title></title>"),
        "{name} has no title"
    );
    let size: Option<Vec<f64>> = attribute(&svg, "viewBox").map(|view| {
        let numbers = view.split([' ', ',']).filter(|part| !part.is_empty());
        numbers.filter_map(|number| number.parse().ok()).collect()
    });
    let is_square = matches!(size.as_deref(), Some([_, _, width, height]) if (width - height).abs() < 1e-9);
    ensure!(is_square, "{name} is not square");
    Ok(())
}

fn svg_of(url: &str, name: &str) -> Result<String, Stop> {
    let image = present(url.strip_prefix(SVG), &format!("{name}, a data URL,"))?;
    let svg = String::from_utf8(decode(image)?).ok();
    present(
        svg.filter(|svg| svg.contains("<svg")),
        &format!("{name}, an SVG image,"),
    )
}

fn decode(base64: &str) -> Result<Vec<u8>, Stop> {
    present(Base64::decode_vec(base64).ok(), "an image, in Base64,")
}

fn attribute<'s>(svg: &'s str, name: &str) -> Option<&'s str> {
    let (_, rest) = svg.split_once(&format!("{name}=\""))?;
    rest.split_once('"').map(|(value, _)| value)
}
