//! The guest's steps: the files of `tests/vm/steps` in the order of their names.
//!
//! `30-ssh-login` is the step `ssh-login`; its line `# seconds: 90` says how long it may take, and `# needs: tpm` that the
//! guest has to have a TPM. One with the line `# ends: with a power cut` takes the power from the machine; the steps after
//! it run when that was started again.

use std::fs;
use std::path::Path;

use crate::failure::{Failure, about};

pub(crate) struct GuestStep {
    pub(crate) file: String,
    pub(crate) name: String,
    pub(crate) seconds: u64,
    pub(crate) needs_tpm: bool,
    pub(crate) cuts_power: bool,
}

/// All steps, or those whose name contains one of `only`.
pub(crate) fn read(folder: &Path, only: &[String]) -> Result<Vec<GuestStep>, Failure> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(about(folder))? {
        files.push(entry.map_err(about(folder))?.path());
    }
    files.sort();
    let mut steps = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).map_err(about(&file))?;
        let name = file
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let step = parse(&name, &text).ok_or_else(|| {
            Failure::new(format!("{}: not a step of the virtual machine", file.display()))
                .hint("its name is NUMBER-NAME and it has a line `# seconds: NUMBER`")
        })?;
        steps.push(step);
    }
    let all = steps
        .iter()
        .map(|step| step.name.clone())
        .collect::<Vec<_>>()
        .join(", ");
    steps.retain(|step| only.is_empty() || only.iter().any(|part| step.name.contains(part)));
    if steps.is_empty() {
        return Err(Failure::new("no step has such a name").hint(format!("the steps are {all}")));
    }
    Ok(steps)
}

fn parse(file: &str, text: &str) -> Option<GuestStep> {
    let (number, name) = file.split_once('-')?;
    number.parse::<u32>().ok()?;
    let header = |key| {
        text.lines()
            .find_map(|line| line.strip_prefix(key))
            .map(str::trim)
    };
    let seconds = header("# seconds: ")?.parse().ok()?;
    let cuts_power = match header("# ends: ") {
        None => false,
        Some("with a power cut") => true,
        Some(_) => return None,
    };
    Some(GuestStep {
        file: file.to_owned(),
        name: name.to_owned(),
        seconds,
        needs_tpm: text.lines().any(|line| line == "# needs: tpm"),
        cuts_power,
    })
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_step_is_named_by_its_file_and_limited_by_its_header() {
        let step = parse("30-ssh-login", "#!/bin/bash\n# seconds: 90\ntrue\n").unwrap();
        assert_eq!((step.name.as_str(), step.seconds), ("ssh-login", 90));
        assert!(!step.needs_tpm);
        assert!(!step.cuts_power);
    }

    #[test]
    fn a_step_may_need_a_tpm() {
        let step = parse("54-tpm", "#!/bin/bash\n# seconds: 90\n# needs: tpm\n").unwrap();
        assert!(step.needs_tpm);
    }

    #[test]
    fn a_step_may_say_how_it_ends() {
        let ends =
            |how| parse("30-crash", &format!("# seconds: 90\n# ends: {how}\n")).map(|step| step.cuts_power);
        assert_eq!(ends("with a power cut"), Some(true));
        assert_eq!(ends("well"), None);
    }

    #[test]
    fn a_file_without_number_or_time_limit_is_not_a_step() {
        assert!(parse("ssh-login", "# seconds: 90\n").is_none());
        assert!(parse("30-ssh-login", "true\n").is_none());
    }
}
