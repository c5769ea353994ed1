//! CTAP2 and U2F; never files or sockets.
