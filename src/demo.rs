//! `wardkey demo`: a registration and a login, shown step by step, with no root and no kernel module.

mod relying_party;
