//! Which keys the cases run against. Every case runs against each; those about something that a key does not have end
//! as not applicable there, and each has to run somewhere.

/// The relying party of the official tests, on the list of a key that has one.
pub(crate) const ENTERPRISE_RP_ID: &str = "enterprisetest.certinfra.fidoalliance.org";

/// How a key is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Configuration {
    /// Shown in the report.
    pub name: &'static str,
    /// Credentials are on several devices, rather than on this one only.
    pub synced: bool,
    /// The large-blob array of CTAP 2.1, rather than the extension of CTAP 2.3.
    pub large_blob_array: bool,
    /// The key can tell enterprises which key it is.
    pub enterprise: bool,
    /// The key attests by an authority of its own, rather than with the new credential.
    pub authority: bool,
    /// The operating system can verify the user.
    pub built_in_uv: bool,
    /// The key shows accounts and lets the user choose.
    pub display: bool,
}

impl Configuration {
    /// What somebody gets who changes nothing.
    pub const DEFAULT: Self = Self {
        name: "synced",
        synced: true,
        large_blob_array: true,
        enterprise: false,
        authority: false,
        built_in_uv: false,
        display: false,
    };

    /// All of them together have everything.
    pub const ALL: [Self; 4] = [
        Self::DEFAULT,
        Self {
            name: "device-bound",
            synced: false,
            large_blob_array: false,
            enterprise: true,
            ..Self::DEFAULT
        },
        Self {
            name: "verifying",
            authority: true,
            built_in_uv: true,
            ..Self::DEFAULT
        },
        Self {
            name: "display",
            display: true,
            ..Self::DEFAULT
        },
    ];
}
