//! `@pulso/client` under Node.js: one line for all, renewed in place, resumed without a loss, stopped where it must.

mod crowd;
mod documented;
mod lines;
mod memory;
mod program;
mod strange;
mod tokens;
