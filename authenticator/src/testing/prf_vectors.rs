//! The test vectors of WebAuthn for the pseudo-random function, `WebAuthn L3 §16`: a key agreement, and the secrets that
//! hmac-secret gives for two salts.

use p256::SecretKey;
use sha2::{Digest, Sha256};

use super::hex;

/// What every number of the vectors is made from.
const SEED: &[u8] = b"WebAuthn PRF test vectors";

pub(crate) const PLATFORM_KEY: &str = "0971bc7fb1be48270adcd3d9a5fc15d5fb0f335b3071ff36a54c007fa6c76514";
pub(crate) const KEY_X: &str = "a30522c2de402b561965c3cf949a1cab020c6f6ea36fcf7e911ac1a0f1515300";
pub(crate) const KEY_Y: &str = "9961a929abdb2f42e6566771887d41484d889e735e3248518a53112d2b915f00";
pub(crate) const CRED_RANDOM: &str = "437e065e723a98b2f08f39d8baf7c53ecb3c363c5e5104bdaaf5d5ca2e028154";
pub(crate) const SALT_1: &str = "527413ebb48293772df30f031c5ac4650c7de14bf9498671ae163447b6a772b3";
pub(crate) const SALT_2: &str = "d68ac03329a10ee5e0ec834492bb9a96a0e547baf563bf78ccbe8789b22e776b";
pub(crate) const OUTPUT_1: &str = "3c33e07d202c3b029cc21f1722767021bf27d595933b3d2b6a1b9d5dddc77fae";
pub(crate) const OUTPUT_2: &str = "a62a8773b19cda90d7ed4ef72a80a804320dbd3997e2f663805ad1fd3293d50b";

/// Under protocol two.
pub(crate) mod two {
    pub(crate) const SHARED_SECRET: &str = "0c63083de8170101d38bcf8bd72309568ddb4550867e23404b35d85712f7c20d\
                                            8bc911ee23c06034cbc14290b9669bec07739053c5a416e313ef905c79955876";
    pub(crate) const ONE_SALT: &str = "23dde5e3462daf36559b85c4ac5f9656aa9bfd81c1dc2bf8533c8b9f38828547\
                                       86b4f500e25b4e3d81f7fc7c74236229";
    pub(crate) const ONE_OUTPUT: &str = "3bfaa48f7952330d63e35ff8cd5bca48d2a12823828915749287256ab146272f\
                                         9fb437bf65691243c3f504bd7ea6d5e6";
    pub(crate) const TWO_SALTS: &str = "d9f4236403e0fe843a8e4e5be764d120904c198ad6e77b089876a3391961f183\
                                        b0008b4ca66b91cd72aa35b6151ff981f6e5649f3c040e6615ad7dd8ae96ef23\
                                        b229a5c97c3f0dcd8605eee166ce163a";
    pub(crate) const TWO_OUTPUTS: &str = "90ee52f739043bc17b3488a74306d7801debb5b61f18662c648a25b5b5678ede\
                                          482cdaff99a537a44f064fcb10ce6e04dfd27619dc96a0daff8507e499296b1e\
                                          ecf0981f7c8518b277a7a3018f5ec6fb";
}

/// Under protocol one.
pub(crate) mod one {
    pub(crate) const SHARED_SECRET: &str = "23e5ed7157c25892b77732fb9c8a107e3518800db2af4142f9f4adfacb771d39";
    pub(crate) const ONE_SALT: &str = "ab8c878bb05d04700f077ed91845ec9c503c925cb12b327ddbeb4243c397f913";
    pub(crate) const ONE_OUTPUT: &str = "15d4e4f3f04109b492b575c1b38c28585b6719cf8d61304215108d939f37ccfb";
}

/// The key's private key for the agreement.
pub(crate) fn authenticator_key() -> SecretKey {
    SecretKey::from_slice(&Sha256::digest([SEED, &[5]].concat())).unwrap()
}

pub(crate) fn platform_key() -> SecretKey {
    SecretKey::from_slice(&hex(PLATFORM_KEY)).unwrap()
}
