//! Where the words of a step go: to the terminal or, while others run at the same time, into a file that is shown when the
//! step has ended.

use std::cell::RefCell;
use std::fmt::Arguments;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::process::{self, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::failure::{Failure, about};
use crate::paths;

thread_local! {
    static KEPT: RefCell<Option<File>> = const { RefCell::new(None) };
}

/// `println!` for steps.
macro_rules! say {
    ($($words:tt)*) => { $crate::output::line(format_args!($($words)*)) };
}
pub(crate) use say;

pub(crate) fn line(words: Arguments<'_>) {
    KEPT.with_borrow_mut(|kept| match kept {
        Some(file) => writeln!(file, "{words}").expect("what a step says can be kept"),
        None => println!("{words}"),
    });
}

/// Where a program writes that a step runs.
pub(crate) fn of_a_program() -> io::Result<Stdio> {
    KEPT.with_borrow(|kept| match kept {
        Some(file) => file.try_clone().map(Stdio::from),
        None => Ok(Stdio::inherit()),
    })
}

/// Runs `work`, and then shows `head`, what it said, and what `tail` makes of its result, without anybody in between.
pub(crate) fn shown_at_the_end(
    head: &str,
    work: impl FnOnce() -> Result<(), Failure>,
    tail: impl FnOnce(&Result<(), Failure>) -> String,
) -> Result<(), Failure> {
    let cannot_keep = |error: io::Error| Failure::new(format!("what a step says cannot be kept: {error}"));
    let mut said = unnamed_file()?;
    KEPT.set(Some(said.try_clone().map_err(cannot_keep)?));
    let result = work();
    KEPT.set(None);
    let mut words = Vec::new();
    said.rewind()
        .and_then(|()| said.read_to_end(&mut words))
        .map_err(cannot_keep)?;
    println!("{head}\n{}{}", String::from_utf8_lossy(&words), tail(&result));
    result
}

/// It goes when it is closed.
fn unnamed_file() -> Result<File, Failure> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = paths::target().join(format!("said-{}-{number}", process::id()));
    let file = File::options()
        .create_new(true)
        .read(true)
        .write(true)
        .open(&path)
        .map_err(about(&path))?;
    fs::remove_file(&path).map_err(about(&path))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Seek as _};

    use super::{KEPT, of_a_program, unnamed_file};

    #[test]
    fn words_of_a_step_and_of_its_programs_are_kept_in_order() {
        let mut said = unnamed_file().unwrap();
        KEPT.set(Some(said.try_clone().unwrap()));
        say!("before {}", 1);
        let mut echo = std::process::Command::new("echo");
        echo.arg("between")
            .stdout(of_a_program().unwrap())
            .status()
            .unwrap();
        say!("after");
        KEPT.set(None);
        let mut text = String::new();
        said.rewind().unwrap();
        said.read_to_string(&mut text).unwrap();
        assert_eq!(text, "before 1\nbetween\nafter\n");
    }
}
