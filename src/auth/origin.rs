//! Whether a page may connect.
