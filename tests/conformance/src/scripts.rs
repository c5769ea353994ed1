//! The official scripts, one file each, in the tool's order. Their names are the tool's, spelling included.

mod authenticatorconfig;
mod authr_clientpin1_getretries;
mod authr_clientpin1_keyagreement;
mod authr_clientpin1_newpin;
mod authr_clientpin1_pinpolicy;
mod authr_clientpin2_getpintoken;
mod authr_clientpin2_getretries;
mod authr_clientpin2_keyagreement;
mod authr_clientpin2_newpin;
mod authr_clientpin2_pinpolicy;
mod authr_clientpin2_usingpin;
mod authr_clientpin2_usinguv;
mod authr_generic_1;
mod authr_getassertion_req_1;
mod authr_getassertion_req_2;
mod authr_getassertion_req_3;
mod authr_getassertion_resp_1;
mod authr_makecred_req_1;
mod authr_makecred_req_2;
mod authr_makecred_req_3;
mod authr_makecred_req_4;
mod authr_makecred_req_5;
mod authr_makecred_req_6;
mod authr_makecred_resp_1;
mod authr_reset_1;
mod bioenroll;
mod client_pin;
mod credblob;
mod credential_management;
mod credentialmanagement_enumeratecredentials;
mod credentialmanagement_enumeraterps;
mod credentialmanagement_updateanddelete;
mod credprotect;
mod enterpriseattestation;
mod get_assertion;
mod hid_1;
mod hmac_secret;
mod hmacsecret;
mod hmacsecret2;
mod hmacsecretmc;
mod largeblob;
mod largeblobkey;
mod largeblobs_1;
mod make_credential;
mod metadata_stmt_1;
mod minpinlength;
mod other_transports;
mod pin_policy_extensions;
mod pincomplexitypolicy;
mod residentkey;
mod thirdpartypayment;
mod uvm;

use crate::case::Script;

const NO_ICON: &str = "the tool does not run it either: WebAuthn Level 2 has no icon";
const NO_BIO_ENROLLMENT: &str = "the operating system keeps the fingerprints; wardkey-absent/bio-enrollment shows that the command is refused";

/// All of them.
pub const SCRIPTS: &[Script] = &[
    hid_1::SCRIPT,
    other_transports::NFC,
    other_transports::BLE,
    authr_generic_1::SCRIPT,
    authr_makecred_req_1::SCRIPT,
    authr_makecred_req_2::SCRIPT,
    authr_makecred_req_3::SCRIPT,
    authr_makecred_req_4::SCRIPT,
    authr_makecred_req_5::SCRIPT,
    authr_makecred_req_6::SCRIPT,
    authr_makecred_resp_1::SCRIPT,
    authr_getassertion_req_1::SCRIPT,
    authr_getassertion_req_2::SCRIPT,
    authr_getassertion_req_3::SCRIPT,
    authr_getassertion_resp_1::SCRIPT,
    authr_reset_1::SCRIPT,
    residentkey::SCRIPT,
    enterpriseattestation::SCRIPT,
    hmacsecret::SCRIPT,
    hmacsecret2::SCRIPT,
    hmacsecretmc::SCRIPT,
    credprotect::SCRIPT,
    credblob::SCRIPT,
    largeblob::SCRIPT,
    largeblobkey::SCRIPT,
    minpinlength::SCRIPT,
    pincomplexitypolicy::SCRIPT,
    thirdpartypayment::SCRIPT,
    uvm::SCRIPT,
    authr_clientpin1_keyagreement::SCRIPT,
    authr_clientpin1_newpin::SCRIPT,
    authr_clientpin1_pinpolicy::SCRIPT,
    authr_clientpin1_getretries::SCRIPT,
    authr_clientpin2_keyagreement::SCRIPT,
    authr_clientpin2_newpin::SCRIPT,
    authr_clientpin2_getpintoken::SCRIPT,
    authr_clientpin2_usingpin::SCRIPT,
    authr_clientpin2_usinguv::SCRIPT,
    authr_clientpin2_pinpolicy::SCRIPT,
    authr_clientpin2_getretries::SCRIPT,
    credentialmanagement_enumeraterps::SCRIPT,
    credentialmanagement_enumeratecredentials::SCRIPT,
    credentialmanagement_updateanddelete::SCRIPT,
    authenticatorconfig::SCRIPT,
    bioenroll::SENSOR,
    bioenroll::ENROLL,
    bioenroll::ENUMERATE,
    largeblobs_1::SCRIPT,
    metadata_stmt_1::SCRIPT,
];
