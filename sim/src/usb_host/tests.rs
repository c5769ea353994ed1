//! Against a scripted device.
