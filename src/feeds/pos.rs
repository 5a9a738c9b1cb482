//! The point of sale: sales, products, promotions, tables.

mod hook;
pub mod listen;
pub mod words;

use super::definition::{Definition, Need};
use words::Kind;

pub const FEED: Definition = Definition {
    word: "pos",
    older_words: &[],
    about: "the point of sale: sales, products, promotions and tables, for every screen of the business",
    needs: &[Need::Tokens, Need::HookKey],
    tables: &[],
    hooks: &hook::ALL,
    hears: &[],
    types: &[Kind::Venta.wire(), Kind::Producto.wire(), Kind::Promocion.wire(), Kind::Mesa.wire()],
    is_on_dashboards: true,
    is_named_on_dashboards: true,
    sockets: &[],
    namespaces: &[],
    streams: &[listen::SHOP, listen::ONLY_SHOP],
    start: |_| {},
};
