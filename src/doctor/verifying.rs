//! By what means the user can be verified, for `--verify`.

use super::Finding;
use crate::prompt::{Modality, Unavailable};

/// `means` are the means there are, and what each says about itself.
pub(super) fn check(means: &[(Modality, Result<String, Unavailable>)]) -> Vec<Finding> {
    let finding = |(modality, probed): &(Modality, Result<String, Unavailable>)| {
        let check = format!("verify by {}", modality.name());
        match probed {
            Ok(found) => Finding::ok(check, found),
            Err(unavailable) => Finding::warn(check, unavailable.to_string(), unavailable.hint()),
        }
    };
    means.iter().map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::super::testing::expect;
    use super::*;

    #[test]
    fn each_means_says_what_it_is_or_how_to_mend_it() {
        let no_finger = Unavailable::new("no finger is enrolled", "enrol one");
        let means = [
            (Modality::Pin, Ok("terminal: /dev/tty".to_owned())),
            (Modality::Fingerprint, Err(no_finger)),
        ];
        let [pin, fingerprint] = check(&means).try_into().unwrap();
        assert_eq!(pin.check, "verify by PIN");
        expect(&pin, Level::Ok, "terminal: /dev/tty");
        assert_eq!(fingerprint.check, "verify by fingerprint");
        assert_eq!(
            expect(&fingerprint, Level::Warn, "no finger is enrolled"),
            "enrol one"
        );
    }
}
