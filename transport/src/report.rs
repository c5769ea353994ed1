//! The unit that USB and CTAPHID exchange.

/// The length of a HID report of the FIDO usage page, in both directions, in bytes.
pub const REPORT_LEN: usize = 64;

/// One HID report, to or from the host (CTAP 2.3 §11.2.4: fixed length, no report id).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report(pub [u8; REPORT_LEN]);

impl Report {
    /// A report that starts with `bytes` and is zero after them; what does not fit is left out.
    pub fn padded(bytes: &[u8]) -> Self {
        let mut report = [0; REPORT_LEN];
        report.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        Self(report)
    }
}
