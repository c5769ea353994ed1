//! Which steps there are. Most are what an honest platform does, in an order that makes sense; one in a few is wrong in
//! one way, or comes at the wrong time. What is ordinary has the small numbers: the end of a fuzzer's input is dull.

use std::time::Duration;

use super::damage::Kind;
use super::{
    Agreement, Auth, Blobs, Command, Configure, Damage, Draw, Entry, Get, Make, Manage, Named, PINS, Pin,
    RP_IDS, Request, Salts, Step, UserAct, Wanted,
};
use crate::fido_client::{Permissions, PinProtocol};

/// Draws at most about `len_max` steps.
pub fn plan(draw: &mut Draw<'_>, len_max: usize) -> Vec<Step> {
    let mut plan = Plan::new();
    let mut steps = plan.begin(draw);
    while steps.len() < len_max && !draw.is_exhausted() {
        steps.extend(plan.go_on(draw));
    }
    steps
}

/// What is wrong with a step. One thing at most: which of two is told first is seldom laid down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Nothing,
    /// What the request asks for.
    Content,
    /// What it proves.
    Proof,
    /// How it is encoded.
    Encoding,
    /// What the user does.
    User,
}

/// Draws steps, a few that belong together at a time.
#[derive(Debug, Default)]
pub struct Plan {
    steps: Vec<Step>,
    /// Whether a PIN is set, if all goes well.
    has_pin: bool,
}

const WAITS: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(11),
    Duration::from_secs(29),
    Duration::from_secs(31),
    Duration::from_secs(601),
];

impl Plan {
    /// A plan without steps.
    pub fn new() -> Self {
        Self::default()
    }

    /// The first steps: mostly a PIN, and some credentials.
    pub fn begin(&mut self, draw: &mut Draw<'_>) -> Vec<Step> {
        if draw.below(4) != 3 {
            let pin = Pin::Set(agreement(draw), low(draw, 3));
            self.push_pin(pin);
        }
        for _ in 0..draw.below(4) {
            let make = Make {
                rk: Some(true),
                ..ordinary_make(draw)
            };
            self.push_authorized(draw, Wrong::Nothing, Permissions::MAKE_CREDENTIAL, |auth| {
                Request::Make(Make { auth, ..make })
            });
        }
        std::mem::take(&mut self.steps)
    }

    /// The next steps.
    pub fn go_on(&mut self, draw: &mut Draw<'_>) -> Vec<Step> {
        self.push_any(draw);
        std::mem::take(&mut self.steps)
    }

    fn push_any(&mut self, draw: &mut Draw<'_>) {
        let wrong = match draw.below(100) {
            0..=54 => Wrong::Nothing,
            55..=72 => Wrong::Content,
            73..=81 => Wrong::Proof,
            82..=93 => Wrong::Encoding,
            _ => Wrong::User,
        };
        match draw.below(100) {
            0..=17 => {
                let make = make(draw, wrong);
                self.push_authorized(draw, wrong, Permissions::MAKE_CREDENTIAL, |auth| {
                    Request::Make(Make { auth, ..make })
                });
            }
            18..=37 => {
                let get = get(draw, wrong);
                self.push_authorized(draw, wrong, Permissions::GET_ASSERTION, |auth| {
                    Request::Get(Get { auth, ..get })
                });
            }
            38..=44 => self.push(draw, wrong, Request::GetNext),
            45..=47 => self.push(draw, wrong, Request::Info),
            48..=62 => {
                let pin = pin(draw, wrong);
                if wrong == Wrong::Encoding {
                    self.push(draw, wrong, Request::Pin(pin));
                } else {
                    self.push_pin(pin);
                }
            }
            63..=76 => self.push_managing(draw, wrong),
            77..=84 => self.push_blobs(draw, wrong),
            85..=89 => {
                let configure = configure(draw, wrong);
                self.push_authorized(draw, wrong, Permissions::CONFIGURATION, |auth| {
                    Request::Configure(configure, auth)
                });
            }
            90 => self.push_reset(draw, wrong),
            91..=92 => self.push(draw, wrong, Request::Select),
            93 => {
                let number = draw.pick(&[
                    0x00, 0x03, 0x05, 0x09, 0x0E, 0x3F, 0x40, 0x41, 0x42, 0xBF, 0xC0, 0xFF,
                ]);
                self.push(draw, wrong, Request::Other(number));
            }
            94..=96 => self.steps.push(Step::Wait(draw.pick(&WAITS))),
            97..=98 => self.steps.push(Step::PowerCycle),
            _ => self.push_lockout(draw),
        }
    }

    fn push(&mut self, draw: &mut Draw<'_>, wrong: Wrong, request: Request) {
        let damage = (wrong == Wrong::Encoding).then(|| damage(draw));
        let user = match wrong {
            Wrong::User => draw.pick(&[UserAct::Refuses, UserAct::Ignores]),
            Wrong::Nothing | Wrong::Content | Wrong::Proof | Wrong::Encoding => UserAct::Agrees,
        };
        self.steps.push(Step::Send(Command {
            request,
            damage,
            user,
        }));
    }

    /// A command as an honest platform sends it.
    fn push_plain(&mut self, request: Request) {
        self.steps.push(Step::Send(Command {
            request,
            damage: None,
            user: UserAct::Agrees,
        }));
    }

    fn push_pin(&mut self, pin: Pin) {
        self.has_pin |= matches!(pin, Pin::Set(_, 0..=2));
        self.push_plain(Request::Pin(pin));
    }

    /// A command that a token authorizes: mostly with a new token that is good for it.
    fn push_authorized(
        &mut self,
        draw: &mut Draw<'_>,
        wrong: Wrong,
        permissions: Permissions,
        request: impl FnOnce(Auth) -> Request,
    ) {
        let kind = draw.below(16);
        let auth = match (wrong, kind) {
            (Wrong::Proof, _) => draw.pick(&[
                Auth::PreviousToken,
                Auth::PersistentToken,
                Auth::Empty,
                Auth::Forged,
                Auth::Short,
                Auth::WithoutProtocol,
                Auth::UnknownProtocol,
            ]),
            (_, 0..=8) if self.has_pin => {
                let wanted = Wanted {
                    permissions: permissions.0,
                    rp: None,
                };
                let agreement = agreement(draw);
                self.push_pin(Pin::TokenFor(agreement, Entry::Right, wanted));
                Auth::Token
            }
            (_, 9..=12) if self.has_pin => Auth::Token,
            _ => Auth::Absent,
        };
        self.push(draw, wrong, request(auth));
    }

    fn push_managing(&mut self, draw: &mut Draw<'_>, wrong: Wrong) {
        let manage = manage(draw, wrong);
        if let Manage::NextRp | Manage::NextCredential = manage {
            return self.push(draw, wrong, Request::Manage(manage, Auth::Absent));
        }
        self.push_authorized(draw, wrong, Permissions::CREDENTIAL_MANAGEMENT, |auth| {
            Request::Manage(manage, auth)
        });
        let next = match manage {
            Manage::Rps => Some(Manage::NextRp),
            Manage::Credentials(_) => Some(Manage::NextCredential),
            Manage::Metadata
            | Manage::NextRp
            | Manage::NextCredential
            | Manage::Delete(_)
            | Manage::Update(..)
            | Manage::Other(_) => None,
        };
        if let Some(next) = next {
            for _ in 0..draw.below(4) {
                self.push_plain(Request::Manage(next, Auth::Absent));
            }
        }
    }

    fn push_blobs(&mut self, draw: &mut Draw<'_>, wrong: Wrong) {
        let blobs = blobs(draw, wrong);
        match blobs {
            Blobs::Read { .. } | Blobs::Neither => {
                self.push(draw, wrong, Request::Blobs(blobs, Auth::Absent));
            }
            Blobs::Write { .. } | Blobs::GoOn { .. } | Blobs::Both => {
                self.push_authorized(draw, wrong, Permissions::LARGE_BLOB_WRITE, |auth| {
                    Request::Blobs(blobs, auth)
                });
            }
        }
    }

    /// A reset is refused unless it comes soon after power-up.
    fn push_reset(&mut self, draw: &mut Draw<'_>, wrong: Wrong) {
        if draw.below(3) != 2 {
            self.steps.push(Step::PowerCycle);
            self.has_pin = false;
        }
        self.push(draw, wrong, Request::Reset);
    }

    /// Wrong PINs, more than the key takes in a row.
    fn push_lockout(&mut self, draw: &mut Draw<'_>) {
        let wanted = Wanted {
            permissions: Permissions::MAKE_CREDENTIAL.0,
            rp: None,
        };
        for _ in 0..=draw.below(4) {
            let agreement = agreement(draw);
            self.push_plain(Request::Pin(Pin::TokenFor(agreement, Entry::Wrong, wanted)));
        }
        if draw.below(2) == 1 {
            self.steps.push(Step::PowerCycle);
        }
        self.push_plain(Request::Pin(Pin::Retries));
    }
}

fn ordinary_make(draw: &mut Draw<'_>) -> Make {
    Make {
        rp: low(draw, RP_IDS.len()),
        user: low(draw, 4),
        algorithms: draw.pick(&[vec![-7], vec![-7], vec![-8], vec![-8, -7], vec![-257, -8, -7]]),
        ..Make::default()
    }
}

fn make(draw: &mut Draw<'_>, wrong: Wrong) -> Make {
    let hmac_secret = draw.maybe(3, |_| true);
    let rk = draw.pick(&[None, Some(true), Some(true), Some(false)]);
    let make = Make {
        rk,
        up: draw.maybe(8, |_| true),
        uv: draw.maybe(8, |_| false),
        exclude: draw.maybe(4, list).unwrap_or_default(),
        cred_protect: draw.maybe(4, |draw| draw.pick(&[1, 2, 3])),
        hmac_secret,
        hmac_secret_mc: hmac_secret.and_then(|_| draw.maybe(4, salts)),
        cred_blob: draw.maybe(8, |draw| draw.pick(&[16, 32, 0, 200])),
        large_blob_key: rk.filter(|rk| *rk).and_then(|_| draw.maybe(4, |_| true)),
        min_pin_length: draw.maybe(8, |_| true),
        third_party_payment: draw.maybe(8, |_| true),
        formats: draw.maybe(8, |draw| draw.pick(&[vec!["packed"], vec!["none"]])),
        ..ordinary_make(draw)
    };
    if wrong == Wrong::Content {
        make_what_is_wrong(draw, make)
    } else {
        make
    }
}

fn make_what_is_wrong(draw: &mut Draw<'_>, make: Make) -> Make {
    match draw.below(16) {
        0 => Make { rp: 3, ..make },
        1 => Make {
            algorithms: draw.pick(&[vec![-257], vec![]]),
            ..make
        },
        2 => Make {
            up: Some(false),
            ..make
        },
        3 => Make {
            uv: Some(true),
            ..make
        },
        4 => Make {
            exclude: vec![Named::Foreign; 30],
            ..make
        },
        5 => Make {
            cred_protect: draw.pick(&[Some(0), Some(4)]),
            ..make
        },
        6 => Make {
            hmac_secret: Some(false),
            hmac_secret_mc: None,
            ..make
        },
        7 => Make {
            hmac_secret: None,
            hmac_secret_mc: Some(salts(draw)),
            ..make
        },
        8 | 9 => Make {
            hmac_secret: Some(true),
            hmac_secret_mc: Some(wrong_salts(draw)),
            ..make
        },
        10 => Make {
            large_blob_key: Some(false),
            ..make
        },
        11 => Make {
            rk: None,
            large_blob_key: Some(true),
            ..make
        },
        12 => Make {
            min_pin_length: Some(false),
            third_party_payment: Some(false),
            ..make
        },
        13 => Make {
            enterprise: Some(draw.pick(&[1, 2, 3])),
            ..make
        },
        _ => Make {
            formats: Some(draw.pick(&[vec!["none", "packed"], vec!["tpm"], vec!["tpm", "none"], vec![]])),
            ..make
        },
    }
}

fn get(draw: &mut Draw<'_>, wrong: Wrong) -> Get {
    let up = draw.pick(&[None, None, None, None, None, Some(true), Some(false)]);
    let get = Get {
        rp: low(draw, RP_IDS.len()),
        allow: draw.maybe(2, list).unwrap_or_default(),
        up,
        uv: draw.maybe(8, |_| false),
        hmac_secret: if up == Some(false) {
            None
        } else {
            draw.maybe(5, salts)
        },
        cred_blob: draw.maybe(8, |_| true),
        large_blob_key: draw.maybe(8, |_| true),
        third_party_payment: draw.maybe(8, |_| true),
        ..Get::default()
    };
    if wrong == Wrong::Content {
        get_what_is_wrong(draw, get)
    } else {
        get
    }
}

fn get_what_is_wrong(draw: &mut Draw<'_>, get: Get) -> Get {
    match draw.below(9) {
        0 => Get { rp: 3, ..get },
        1 => Get {
            rk: Some(draw.below(2) == 1),
            ..get
        },
        2 => Get {
            uv: Some(true),
            ..get
        },
        3 => Get {
            allow: vec![Named::Foreign; 30],
            ..get
        },
        4 | 5 => Get {
            hmac_secret: Some(wrong_salts(draw)),
            ..get
        },
        6 => Get {
            up: Some(false),
            hmac_secret: Some(salts(draw)),
            ..get
        },
        7 => Get {
            large_blob_key: Some(false),
            ..get
        },
        _ => Get {
            cred_blob: Some(false),
            third_party_payment: Some(false),
            ..get
        },
    }
}

fn list(draw: &mut Draw<'_>) -> Vec<Named> {
    let len = draw.pick(&[1, 1, 2, 3, 0]);
    (0..len).map(|_| named(draw)).collect()
}

fn named(draw: &mut Draw<'_>) -> Named {
    match draw.below(8) {
        6 => Named::OtherType(low(draw, 8)),
        7 => Named::Foreign,
        _ => Named::Made(low(draw, 8)),
    }
}

fn salts(draw: &mut Draw<'_>) -> Salts {
    Salts {
        protocol: protocol(draw),
        len: draw.pick(&[32, 64]),
        forged: false,
    }
}

fn wrong_salts(draw: &mut Draw<'_>) -> Salts {
    let (len, forged) = draw.pick(&[(32, true), (64, true), (16, false), (48, false), (0, false)]);
    Salts {
        protocol: protocol(draw),
        len,
        forged,
    }
}

fn pin(draw: &mut Draw<'_>, wrong: Wrong) -> Pin {
    let good = 0..3;
    let text = match wrong {
        Wrong::Content => low(draw, PINS.len()),
        Wrong::Nothing | Wrong::Proof | Wrong::Encoding | Wrong::User => low(draw, good.len()),
    };
    let entry = match wrong {
        Wrong::Proof | Wrong::User => Entry::Wrong,
        Wrong::Nothing | Wrong::Content | Wrong::Encoding => Entry::Right,
    };
    match draw.below(16) {
        0..=1 => Pin::Retries,
        2 => Pin::KeyAgreement(protocol(draw)),
        3..=5 => Pin::Set(agreement(draw), text),
        6..=7 => Pin::Change(agreement(draw), entry, text),
        8..=9 => Pin::Token(agreement(draw), entry),
        10..=13 => Pin::TokenFor(agreement(draw), entry, wanted(draw, wrong)),
        14 => Pin::UvRetries,
        _ if wrong == Wrong::Content => Pin::Other(draw.pick(&[0, 8, 10, 255])),
        _ => Pin::TokenByUv(agreement(draw), wanted(draw, wrong)),
    }
}

fn agreement(draw: &mut Draw<'_>) -> Agreement {
    Agreement {
        protocol: protocol(draw),
        reused: draw.once_in(5),
    }
}

fn protocol(draw: &mut Draw<'_>) -> PinProtocol {
    draw.pick(&[PinProtocol::Two, PinProtocol::One])
}

fn wanted(draw: &mut Draw<'_>, wrong: Wrong) -> Wanted {
    let permissions = match wrong {
        Wrong::Content => draw.pick(&[0x00, 0x08, 0x44, 0x81, 0x80]),
        Wrong::Nothing | Wrong::Proof | Wrong::Encoding | Wrong::User => {
            draw.pick(&[0x01, 0x02, 0x03, 0x04, 0x10, 0x20, 0x37, 0x40])
        }
    };
    Wanted {
        permissions,
        rp: draw.maybe(3, |draw| low(draw, RP_IDS.len())),
    }
}

fn manage(draw: &mut Draw<'_>, wrong: Wrong) -> Manage {
    if wrong == Wrong::Content {
        return draw.pick(&[
            Manage::Other(0),
            Manage::Other(8),
            Manage::Credentials(3),
            Manage::Delete(Named::Foreign),
            Manage::Update(Named::Foreign, 0),
        ]);
    }
    match draw.below(15) {
        0..=2 => Manage::Metadata,
        3..=5 => Manage::Rps,
        6..=8 => Manage::Credentials(low(draw, RP_IDS.len())),
        9 => Manage::NextRp,
        10 => Manage::NextCredential,
        11..=12 => Manage::Delete(Named::Made(low(draw, 8))),
        _ => Manage::Update(Named::Made(low(draw, 8)), low(draw, 4)),
    }
}

fn blobs(draw: &mut Draw<'_>, wrong: Wrong) -> Blobs {
    if wrong == Wrong::Content {
        return draw.pick(&[
            Blobs::Neither,
            Blobs::Both,
            Blobs::Read {
                offset: 999,
                count: 9,
            },
            Blobs::Write {
                len: 16,
                fragment: 16,
                sound: true,
            },
            Blobs::Write {
                len: 64,
                fragment: 64,
                sound: false,
            },
            Blobs::GoOn {
                fragment: 10,
                skip: 1,
            },
        ]);
    }
    match draw.below(14) {
        0..=5 => Blobs::Read {
            offset: draw.pick(&[0, 0, 0, 16, 17]),
            count: draw.pick(&[17, 64, 500, 0, 2900]),
        },
        6..=10 => {
            let len = draw.pick(&[17, 64, 200, 900]);
            Blobs::Write {
                len,
                fragment: draw.pick(&[len, len / 2, 10, 0]),
                sound: true,
            }
        }
        _ => Blobs::GoOn {
            fragment: draw.pick(&[1000, 10, 100]),
            skip: 0,
        },
    }
}

fn configure(draw: &mut Draw<'_>, wrong: Wrong) -> Configure {
    if wrong == Wrong::Content {
        return draw.pick(&[
            Configure::EnterpriseAttestation,
            Configure::Other(0),
            Configure::Other(255),
            Configure::MinPinLength {
                len: Some(3),
                rp_ids: None,
                force: None,
            },
            Configure::MinPinLength {
                len: Some(64),
                rp_ids: None,
                force: None,
            },
        ]);
    }
    match draw.below(16) {
        0..=11 => Configure::MinPinLength {
            len: draw.maybe(2, |draw| draw.pick(&[4, 5, 6])),
            rp_ids: draw.maybe(2, |draw| draw.pick(&[1, 2, 0])),
            force: draw.maybe(5, |draw| draw.below(2) == 0),
        },
        12..=14 => Configure::ToggleAlwaysUv,
        _ => Configure::LongTouch,
    }
}

fn damage(draw: &mut Draw<'_>) -> Damage {
    match draw.below(24) {
        0..=6 => Damage::Omit(low(draw, 64)),
        7..=13 => Damage::Replace(low(draw, 64), kind(draw)),
        14 => Damage::AddMember,
        15 => Damage::Nest(low(draw, 6)),
        16 => Damage::Duplicate,
        17 => Damage::Disorder,
        18 => draw.pick(&[
            Damage::LongHead,
            Damage::Indefinite,
            Damage::Tag,
            Damage::Trailing,
        ]),
        19 => Damage::Truncate(low(draw, 200)),
        20..=22 => Damage::NoMap(kind(draw)),
        _ => Damage::Nothing,
    }
}

fn kind(draw: &mut Draw<'_>) -> Kind {
    draw.pick(&Kind::ALL)
}

/// A number below `bound`, which fits a byte.
fn low(draw: &mut Draw<'_>, bound: usize) -> u8 {
    let bound = u32::try_from(bound).expect("bounds here are small");
    u8::try_from(draw.below(bound)).expect("bounds here fit a byte")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_plans_the_same() {
        let plan = |seed| plan(&mut Draw::from_seed(seed), 30);
        assert_eq!(plan(7), plan(7));
        assert_ne!(plan(7), plan(8));
        assert!(plan(7).len() >= 30);
    }

    #[test]
    fn a_fuzzers_bytes_end_the_plan() {
        assert!(plan(&mut Draw::Bytes(&[]), 30).len() <= 1);
        assert_eq!(
            plan(&mut Draw::Bytes(&[7; 400]), 30),
            plan(&mut Draw::Bytes(&[7; 400]), 30)
        );
    }
}
