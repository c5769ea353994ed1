//! Who the device says it is.

/// What the device descriptor and the string descriptors say.
///
/// The default is vendor 0x1209 (pid.codes) with a product id that is **not registered** there; see
/// [`Identity::default`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// `idVendor`.
    pub vendor_id: u16,
    /// `idProduct`.
    pub product_id: u16,
    /// `bcdDevice`, binary coded decimal: 0x0123 is 1.23.
    pub device_release: u16,
    /// `iManufacturer`. Only the first 62 UTF-16 units are shown, as with all three strings.
    pub manufacturer: String,
    /// `iProduct`.
    pub product: String,
    /// `iSerialNumber`, none by default: a serial number lets every site's native helper track the key.
    pub serial: Option<String>,
}

/// Longest string, in UTF-16 units: a string descriptor has to fit into usb-device's control buffer of 128 bytes.
const STRING_UNITS_MAX: usize = 62;

impl Default for Identity {
    /// wardkey's own identity. The product id is from the range that pid.codes hands out and nobody has it, but it has not been
    /// registered; packagers who have one of their own set it.
    fn default() -> Self {
        Self {
            vendor_id: 0x1209,
            product_id: 0x3A7D,
            device_release: 0x0010,
            manufacturer: "wardkey".into(),
            product: "wardkey FIDO2 security key".into(),
            serial: None,
        }
    }
}

impl Identity {
    /// The same identity with strings that fit into a descriptor; cut between characters.
    pub(super) fn bounded(&self) -> Self {
        Self {
            manufacturer: shortened(&self.manufacturer),
            product: shortened(&self.product),
            serial: self.serial.as_deref().map(shortened),
            ..*self
        }
    }
}

fn shortened(text: &str) -> String {
    let mut units = 0;
    text.chars()
        .take_while(|character| {
            units += character.len_utf16();
            units <= STRING_UNITS_MAX
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_strings_are_cut_between_characters() {
        let identity = Identity {
            product: "🔑".repeat(40),
            ..Identity::default()
        };
        assert_eq!(identity.bounded().product, "🔑".repeat(31));
    }

    #[test]
    fn fitting_strings_are_kept() {
        let identity = Identity {
            serial: Some("x".repeat(62)),
            ..Identity::default()
        };
        assert_eq!(identity.bounded(), identity);
    }
}
