//! The options that say when the vault locks by itself.

use std::time::Duration;

use clap::{Args, ValueEnum};

/// When the vault locks by itself.
#[derive(Debug, Args)]
pub(crate) struct Locking {
    /// Lock the vault when it was not used for this long: a number and s, min, h or d, or never
    #[arg(
        long,
        value_name = "DURATION",
        value_parser = parse_lock_after,
        default_value = "15min",
        help_heading = "Locking"
    )]
    pub(crate) lock_after: LockAfter,
    /// Leave the vault open when this happens; otherwise it locks
    #[arg(
        long,
        value_enum,
        value_name = "EVENT",
        value_delimiter = ',',
        help_heading = "Locking"
    )]
    no_lock_on: Vec<LockEvent>,
}

impl Locking {
    /// What locks the vault.
    pub(crate) fn events(&self) -> Vec<LockEvent> {
        let all = LockEvent::value_variants().iter().copied();
        all.filter(|event| !self.no_lock_on.contains(event)).collect()
    }
}

/// What happens to a computer that is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LockEvent {
    /// The computer goes to sleep
    Suspend,
    /// The session of the user is locked
    Session,
}

/// `--lock-after`; never, where there is nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LockAfter(pub(crate) Option<Duration>);

fn parse_lock_after(text: &str) -> Result<LockAfter, String> {
    if text == "never" {
        return Ok(LockAfter(None));
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let seconds_in_unit = match unit {
        "s" => 1,
        "min" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => 0,
    };
    let number = number.parse::<u32>().unwrap_or(0);
    if number == 0 || seconds_in_unit == 0 {
        return Err("expected for example 90s, 15min, 2h, 1d, or never".to_owned());
    }
    Ok(LockAfter(Some(Duration::from_secs(
        u64::from(number) * seconds_in_unit,
    ))))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::{Cli, Command};
    use super::*;

    fn locking(arguments: &[&str]) -> Locking {
        let serve = ["wardkey", "serve", "--usbip", "127.0.0.1:0"];
        let cli = Cli::try_parse_from(serve.iter().chain(arguments)).unwrap();
        let Command::Serve(serve) = cli.command else {
            panic!("{:?}", cli.command);
        };
        serve.key.locking
    }

    #[test]
    fn a_duration_is_a_number_and_its_unit() {
        let seconds =
            |text| parse_lock_after(text).map(|LockAfter(after)| after.map(|after| after.as_secs()));
        assert_eq!(seconds("90s"), Ok(Some(90)));
        assert_eq!(seconds("15min"), Ok(Some(900)));
        assert_eq!(seconds("2h"), Ok(Some(7200)));
        assert_eq!(seconds("7d"), Ok(Some(604_800)));
        assert_eq!(seconds("4294967295d"), Ok(Some(371_085_174_288_000)));
        assert_eq!(seconds("never"), Ok(None));
        for wrong in [
            "",
            "15",
            "min",
            "0s",
            "-1h",
            "+1h",
            "1.5h",
            "15 min",
            "15m",
            "1h30min",
            "4294967296s",
            "٣h",
        ] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn everything_locks_unless_it_is_said_not_to() {
        let unless_said = locking(&[]);
        assert_eq!(unless_said.lock_after, LockAfter(Some(Duration::from_secs(900))));
        assert_eq!(unless_said.events(), [LockEvent::Suspend, LockEvent::Session]);
        let suspend_alone = locking(&["--lock-after", "never", "--no-lock-on", "session"]);
        assert_eq!(suspend_alone.lock_after, LockAfter(None));
        assert_eq!(suspend_alone.events(), [LockEvent::Suspend]);
        assert_eq!(locking(&["--no-lock-on", "session,suspend"]).events(), []);
    }
}
