//! Who a token names.
