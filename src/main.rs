//! The shell.
#[cfg(feature = "demo")]
mod demo;

fn main() {}
