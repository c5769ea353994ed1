//! Against a scripted key.
