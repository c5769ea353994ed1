//! `BioEnroll-…`: authenticatorBioEnrollment, CTAP 2.3 §6.7. Three scripts, none of which runs.

use crate::case::{Case, Script};
use crate::scripts::NO_BIO_ENROLLMENT;

pub(super) const SENSOR: Script = Script {
    name: "BioEnroll-BioModAndSensorInfo",
    cases: &[
        Case::skipped("P-1", "names its modality", NO_BIO_ENROLLMENT),
        Case::skipped("P-2", "describes its sensor", NO_BIO_ENROLLMENT),
    ],
};

pub(super) const ENROLL: Script = Script {
    name: "BioEnroll-Enroll",
    cases: &[
        Case::skipped("P-1", "begins an enrolment and gives it up", NO_BIO_ENROLLMENT),
        Case::skipped("P-2", "enrols", NO_BIO_ENROLLMENT),
    ],
};

pub(super) const ENUMERATE: Script = Script {
    name: "BioEnroll-EnumerateRenameRemove",
    cases: &[
        Case::skipped("P-1", "lists templates", NO_BIO_ENROLLMENT),
        Case::skipped("P-2", "renames a template", NO_BIO_ENROLLMENT),
        Case::skipped("P-3", "removes a template", NO_BIO_ENROLLMENT),
    ],
};
