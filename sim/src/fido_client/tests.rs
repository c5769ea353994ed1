//! Against scripted answers.
