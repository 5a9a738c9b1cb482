//! Enums whose list of all variants is written by the compiler, so that none is missing in a document that lists them.
//!
//! Must not know any of them.

/// An enum, with `ALL` of its variants in their order.
macro_rules! listed {
    ($(#[$of:meta])* $visible:vis enum $name:ident { $($(#[$about:meta])* $variant:ident $(($inner:ty = $example:expr))?,)+ }) => {
        $(#[$of])*
        $visible enum $name {
            $($(#[$about])* $variant $(($inner))?,)+
        }

        impl $name {
            /// Every one, in the order of their definition; of one that says more, an example.
            $visible const ALL: &'static [Self] = &[$(Self::$variant $(($example))?),+];
        }
    };
}
